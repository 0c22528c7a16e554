// The 128 bits of a product of two 64-bit numbers, with any compiler.
#pragma once

#include <cstdint>
#include <type_traits>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace pyexpr {

struct WideProduct {
    std::uint64_t high, low;

    friend constexpr bool operator==(const WideProduct&, const WideProduct&) = default;
};

// From the halves of both numbers, as by hand: for compilers that have no integer of 128 bits,
// in constants, and as the twin in tests of what wide_product() takes.
[[nodiscard]] constexpr WideProduct wide_product_of_halves(std::uint64_t a,
                                                           std::uint64_t b) noexcept {
    constexpr std::uint64_t kHalf = 0xFFFFFFFF;
    const std::uint64_t low = (a & kHalf) * (b & kHalf);
    // At most (2^32 - 1)^2 + 2 (2^32 - 1) = 2^64 - 1 each: no sum overflows.
    const std::uint64_t middle = (a >> 32) * (b & kHalf) + (low >> 32);
    const std::uint64_t other = (a & kHalf) * (b >> 32) + (middle & kHalf);
    return {(a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32), (other << 32) | (low & kHalf)};
}

[[nodiscard]] constexpr WideProduct wide_product(std::uint64_t a, std::uint64_t b) noexcept {
#if defined(__SIZEOF_INT128__)
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return {static_cast<std::uint64_t>(product >> 64), static_cast<std::uint64_t>(product)};
#elif defined(_MSC_VER) && (defined(_M_X64) || defined(_M_ARM64))
    if (std::is_constant_evaluated()) return wide_product_of_halves(a, b);
    return {__umulh(a, b), a * b};
#else
    return wide_product_of_halves(a, b);
#endif
}

}  // namespace pyexpr
