// Arithmetic of sizes that come from outside: a sum or product that does not fit is an error, where
// an unsigned integer would wrap and a buffer be too small.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

namespace pyexpr {

// Throws std::invalid_argument, as the next.
[[nodiscard]] constexpr std::size_t checked_sum(std::size_t a, std::size_t b) {
    if (b > std::numeric_limits<std::size_t>::max() - a) {
        throw std::invalid_argument("sizes add up to more than a computer can count");
    }
    return a + b;
}

[[nodiscard]] constexpr std::size_t checked_product(std::size_t a, std::size_t b) {
    if (b != 0 && a > std::numeric_limits<std::size_t>::max() / b) {
        throw std::invalid_argument("an array of these sizes does not fit into any memory");
    }
    return a * b;
}

[[nodiscard]] inline std::size_t checked_total(const std::vector<std::size_t>& sizes) {
    std::size_t total = 0;
    for (const std::size_t size : sizes) total = checked_sum(total, size);
    return total;
}

// Of replicates first .. first+n-1: their numbers are part of the random numbers' counter.
inline void check_replicates(std::uint64_t first, std::uint64_t n) {
    if (n > std::numeric_limits<std::uint64_t>::max() - first) {
        throw std::invalid_argument("replicates are numbered up to 2^64 - 1");
    }
}

}  // namespace pyexpr
