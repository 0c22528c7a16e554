// Philox 4x64-10, the counter-based generator of Salmon et al. (2011), SC '11.
//
// word(key, counter) is a pure function: any replicate's random numbers can be
// computed anywhere, in any order. The numbering is numpy's: the words of
// replicate r are numpy.random.Philox(key=[seed, stream], counter=[0, r, 0, 0]),
// and numpy adds one to the counter before the first block.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "pyexpr/wide_product.hpp"

namespace pyexpr {

// High 64 bits of a * b: maps a uniform 64-bit word a to 0 .. b-1 with a bias
// below b / 2^64.
[[nodiscard]] constexpr std::uint64_t high_product(std::uint64_t a, std::uint64_t b) noexcept {
    return wide_product(a, b).high;
}

// Ten rounds on each of several counters: four 64-bit words apiece. One counter waits for
// its own last product in every round; several, side by side, do not.
template <std::size_t Lanes>
[[nodiscard]] constexpr std::array<std::array<std::uint64_t, 4>, Lanes> philox_lanes(
    std::array<std::array<std::uint64_t, 4>, Lanes> counters,
    std::array<std::uint64_t, 2> key) noexcept {
    // Multipliers and Weyl increments of the paper's table 2.
    constexpr std::uint64_t kMultiplier0 = 0xD2E7470EE14C6C93ULL;
    constexpr std::uint64_t kMultiplier1 = 0xCA5A826395121157ULL;
    constexpr std::uint64_t kWeyl0 = 0x9E3779B97F4A7C15ULL;
    constexpr std::uint64_t kWeyl1 = 0xBB67AE8584CAA73BULL;
    for (int round = 0; round < 10; ++round) {
        for (auto& counter : counters) {
            const WideProduct product0 = wide_product(kMultiplier0, counter[0]);
            const WideProduct product1 = wide_product(kMultiplier1, counter[2]);
            counter = {product1.high ^ counter[1] ^ key[0], product1.low,
                       product0.high ^ counter[3] ^ key[1], product0.low};
        }
        key[0] += kWeyl0;
        key[1] += kWeyl1;
    }
    return counters;
}

[[nodiscard]] constexpr std::array<std::uint64_t, 4> philox(
    std::array<std::uint64_t, 4> counter, std::array<std::uint64_t, 2> key) noexcept {
    return philox_lanes<1>({counter}, key)[0];
}

// The counter of words 4 block to 4 block + 3 of a replicate.
[[nodiscard]] constexpr std::array<std::uint64_t, 4> replicate_counter(
    std::uint64_t replicate, std::uint64_t block) noexcept {
    return {block + 1, replicate, 0, 0};
}

// Hands out the words of one replicate in order.
class ReplicateWords {
  public:
    constexpr ReplicateWords(std::uint64_t seed, std::uint64_t stream,
                             std::uint64_t replicate) noexcept
        : key_{seed, stream}, replicate_(replicate) {}

    constexpr std::uint64_t next() noexcept {
        if (used_ == 4) {
            words_ = philox(replicate_counter(replicate_, block_++), key_);
            used_ = 0;
        }
        return words_[used_++];
    }

  private:
    std::array<std::uint64_t, 2> key_;
    std::uint64_t replicate_;
    std::uint64_t block_ = 0;
    std::array<std::uint64_t, 4> words_{};
    std::size_t used_ = 4;
};

}  // namespace pyexpr
