// Ctrl-C while compiled code runs: asked for by kernels, kept as a flag for foreign code.
#pragma once

#include <atomic>
#include <chrono>

namespace pyexpr {

// What a kernel calls now and then, if there is one: it throws to end the kernel. The
// kernels do not know who listens for Ctrl-C; the bindings put Python's question here.
inline std::atomic<void (*)()> interrupt_question{nullptr};

// Asks the question at most every 50 ms, so that it may stand in a loop of short steps.
class InterruptCheck {
  public:
    void operator()() {
        const auto now = Clock::now();
        if (now - asked_ < std::chrono::milliseconds(50)) return;
        asked_ = now;
        if (const auto ask = interrupt_question.load(std::memory_order_relaxed)) ask();
    }

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point asked_ = Clock::now();
};

// From here to release_interrupts() SIGINT runs no handler: it is remembered, and *flag,
// unless null, becomes 1. For a library that looks at a flag of its own and through whose
// frames no exception may pass. Once only, until released; false if the system refuses.
bool hold_interrupts(int* flag) noexcept;

// The same with another flag, once the library that looks at it is there.
void tell_interrupts(int* flag) noexcept;

// Gives SIGINT back to who had it; true if it came meanwhile. Without a hold, false.
bool release_interrupts() noexcept;

}  // namespace pyexpr
