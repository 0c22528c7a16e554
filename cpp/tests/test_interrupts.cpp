#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <vector>

#include "pyexpr/interrupts.hpp"
#include "pyexpr/parallel.hpp"

TEST_SUITE_BEGIN("interrupts");

namespace {

volatile std::sig_atomic_t heard = 0;

void hear(int /*signal*/) { heard = heard + 1; }

struct Stopped : std::runtime_error {
    Stopped() : std::runtime_error("stopped") {}
};

void stop() { throw Stopped(); }

}  // namespace

TEST_CASE("a held SIGINT sets the flag and runs no handler, until it is released") {
    auto* const before = std::signal(SIGINT, hear);
    int flag = 0;
    CHECK(pyexpr::hold_interrupts(&flag));
    CHECK_FALSE(pyexpr::hold_interrupts(nullptr));  // Once only.
    std::raise(SIGINT);
    CHECK(flag == 1);
    CHECK(heard == 0);
    int later = 0;
    pyexpr::tell_interrupts(&later);  // An earlier signal sets the flag, too.
    CHECK(later == 1);
    CHECK(pyexpr::release_interrupts());
    CHECK_FALSE(pyexpr::release_interrupts());
    flag = later = 0;
    std::signal(SIGINT, hear);
    std::raise(SIGINT);
    CHECK(heard == 1);
    CHECK(flag + later == 0);
    std::signal(SIGINT, before);
}

TEST_CASE("without a signal no flag is set, and without a flag the signal is remembered") {
    auto* const before = std::signal(SIGINT, hear);
    CHECK(pyexpr::hold_interrupts(nullptr));
    int flag = 0;
    pyexpr::tell_interrupts(&flag);
    CHECK(flag == 0);
    CHECK_FALSE(pyexpr::release_interrupts());
    CHECK(pyexpr::hold_interrupts(nullptr));
    std::raise(SIGINT);
    CHECK(pyexpr::release_interrupts());
    std::signal(SIGINT, before);
}

TEST_CASE("what the question throws ends the work of all threads") {
    for (const std::size_t threads : {1U, 3U}) {
        std::atomic<std::size_t> done{0};
        const auto work = [&] {
            return [&](std::size_t) {
                ++done;
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
            };
        };
        pyexpr::parallel_for(12, threads, work);  // Nobody asks.
        CHECK(done == 12);
        pyexpr::interrupt_question = &stop;
        CHECK_THROWS_AS(pyexpr::parallel_for(100'000, threads, work), Stopped);
        pyexpr::interrupt_question = nullptr;
        CHECK(done < 1'000);
    }
}

TEST_SUITE_END();
