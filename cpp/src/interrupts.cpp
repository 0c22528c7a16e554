#include "pyexpr/interrupts.hpp"

#include <csignal>
#include <mutex>

namespace pyexpr {
namespace {

// All that a signal handler may touch.
std::atomic<int*> flag_of_caller{nullptr};
std::atomic<bool> came{false};
static_assert(std::atomic<int*>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void remember(int /*signal*/) {
    came = true;
    if (int* const flag = flag_of_caller) *flag = 1;
#ifdef _WIN32
    std::signal(SIGINT, remember);  // There a handler serves once.
#endif
}

// Two threads may hold and release at once where Python has no lock. The handler takes none.
std::mutex changing;
bool holding = false;

#ifdef _WIN32
using Handler = void (*)(int);
Handler before = SIG_DFL;

bool take() noexcept {
    before = std::signal(SIGINT, remember);
    return before != SIG_ERR;
}

void give_back() noexcept { std::signal(SIGINT, before); }
#else
struct sigaction before;

bool take() noexcept {
    struct sigaction ours{};
    ours.sa_handler = remember;
    // As Python installs its own: system calls are cut short, so that waiting ends.
    ours.sa_flags = SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    return sigaction(SIGINT, &ours, &before) == 0;
}

void give_back() noexcept { sigaction(SIGINT, &before, nullptr); }
#endif

}  // namespace

bool hold_interrupts(int* flag) noexcept {
    const std::lock_guard<std::mutex> alone(changing);
    if (holding) return false;
    came = false;
    flag_of_caller = flag;
    holding = take();
    return holding;
}

void tell_interrupts(int* flag) noexcept {
    const std::lock_guard<std::mutex> alone(changing);
    flag_of_caller = flag;
    if (flag != nullptr && came) *flag = 1;
}

bool release_interrupts() noexcept {
    const std::lock_guard<std::mutex> alone(changing);
    if (!holding) return false;
    give_back();
    holding = false;
    flag_of_caller = nullptr;
    return came;
}

}  // namespace pyexpr
