// Threads for kernels: std::thread only, since two OpenMP runtimes in one
// process (ours and torch's) abort on some systems.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "pyexpr/interrupts.hpp"

namespace pyexpr {

// More threads than this only cost memory.
inline constexpr std::size_t kMostThreads = 1024;

// Threads to use: `wanted`, or one per core when it is 0, never more than there is work.
[[nodiscard]] inline std::size_t thread_count(std::size_t wanted, std::size_t work) noexcept {
    if (wanted == 0) wanted = std::max(1U, std::thread::hardware_concurrency());
    return std::clamp<std::size_t>(std::min(wanted, work), 1, kMostThreads);
}

// Calls make_worker() once per thread and its result with 0 .. n-1, each exactly
// once, in no fixed order: what a call computes must not depend on the others.
// The first exception is thrown again after all threads have ended; so is that of
// interrupt_question, which the calling thread asks between two calls.
template <typename MakeWorker>
void parallel_for(std::size_t n, std::size_t wanted_threads, MakeWorker make_worker) {
    const std::size_t n_threads = thread_count(wanted_threads, n);
    std::atomic<std::size_t> next{0};
    std::exception_ptr failure;
    std::mutex failure_lock;
    auto run = [&](auto between) {
        try {
            auto worker = make_worker();
            for (std::size_t i = next++; i < n; i = next++) {
                worker(i);
                between();
            }
        } catch (...) {
            const std::lock_guard<std::mutex> hold(failure_lock);
            if (!failure) failure = std::current_exception();
            next = n;
        }
    };
    std::vector<std::thread> threads;
    threads.reserve(n_threads - 1);
    for (std::size_t i = 1; i < n_threads; ++i) {
        try {
            threads.emplace_back(run, [] {});
        } catch (...) {
            break;  // The system gives no more threads: those there do all the work.
        }
    }
    run(InterruptCheck());
    for (std::thread& thread : threads) thread.join();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace pyexpr
