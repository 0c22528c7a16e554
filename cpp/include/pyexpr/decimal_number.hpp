// Decimal text to the nearest double, and the words that stand for no number.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pyexpr {

// Bytes that must be readable from the beginning of a text on, whatever its length.
inline constexpr std::size_t kReadable = 16;

// Reads the text [begin, end) of a field: true and its value, or false if it holds neither a
// number nor a word for a missing one. Blanks and tabs around it do not count.
//
// A number is [+-] digits [. digits] [e [+-] digits] with a digit before or after the point; its
// value is the nearest double, ties to even (IEEE 754), whatever the locale and however many
// digits. Missing, NaN: nothing; NA, N/A, #N/A, null, NULL, None; nan and inf in any case, also
// nan(ind) and infinity; what older Windows prints (-1.#IND, 1.#QNAN, ...); and a number larger
// than any double. All are one NaN: nothing that a value could be measured by is infinite.
[[nodiscard]] bool read_number(const char* begin, const char* end, double& value) noexcept;

namespace decimal {

// Both the digits as an integer and these are exact doubles, so that one division, rounded once,
// gives the nearest double (Clinger 1990, How to read floating point numbers accurately).
inline constexpr std::array<double, 23> kPowers = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// kZeros[n]: the digit 0 in all bytes but the n last.
inline constexpr std::array<std::uint64_t, 9> kZeros = {
    0x3030303030303030, 0x0030303030303030, 0x0000303030303030,
    0x0000003030303030, 0x0000000030303030, 0x0000000000303030,
    0x0000000000003030, 0x0000000000000030, 0};

// Eight characters in one integer, the first in the lowest byte (Lemire 2021, Number parsing at a
// gigabyte per second).
[[nodiscard]] inline bool are_digits(std::uint64_t eight) noexcept {
    return (((eight + 0x4646464646464646) | (eight - 0x3030303030303030)) & 0x8080808080808080) ==
           0;
}

[[nodiscard]] inline std::uint32_t digits_value(std::uint64_t eight) noexcept {
    constexpr std::uint64_t mask = 0x000000FF000000FF;
    constexpr std::uint64_t hundreds = 100 + (1000000ULL << 32);
    constexpr std::uint64_t ones = 1 + (10000ULL << 32);
    eight -= 0x3030303030303030;
    eight = eight * 10 + (eight >> 8);
    return static_cast<std::uint32_t>(((eight & mask) * hundreds + ((eight >> 16) & mask) * ones) >>
                                      32);
}

// A byte of 0x80 where there is a point, 0 elsewhere.
[[nodiscard]] inline std::uint64_t points(std::uint64_t eight) noexcept {
    constexpr std::uint64_t low = 0x7F7F7F7F7F7F7F7F;
    const std::uint64_t other = eight ^ 0x2E2E2E2E2E2E2E2E;
    return ~(((other & low) + low) | other | low);
}

}  // namespace decimal

// The same where kReadable bytes may be read, quick for what OpenFace prints: at most one blank,
// a minus, and eight characters.
[[nodiscard]] inline bool read_short_number(const char* begin, const char* end,
                                            double& value) noexcept {
    if constexpr (std::endian::native != std::endian::little) return read_number(begin, end, value);
    const char* first = begin;
    first += *first == ' ';
    const bool negative = *first == '-';
    first += negative;
    const auto length = static_cast<std::size_t>(end - first);
    if (length - 1 > 7) return read_number(begin, end, value);  // Also 0, and past the end.
    std::uint64_t text;
    std::memcpy(&text, first, sizeof text);
    text = (text << (8 * (8 - length))) | decimal::kZeros[length];
    std::size_t decimals = 0;
    if (const std::uint64_t found = decimal::points(text)) {
        if (length == 1) return read_number(begin, end, value);
        // What stands before the first point moves up by one.
        const std::uint64_t point = found & (0 - found);
        const std::uint64_t before = (point >> 7) - 1;
        const std::uint64_t through = (point << 1) - 1;
        decimals = 7 - static_cast<std::size_t>(std::countr_zero(found)) / 8;
        text = (text & ~through) | ((text & before) << 8) | '0';
    }
    if (!decimal::are_digits(text)) return read_number(begin, end, value);
    const double magnitude = decimal::digits_value(text) / decimal::kPowers[decimals];
    // Not by a branch: a sign cannot be foreseen.
    value = std::bit_cast<double>(std::bit_cast<std::uint64_t>(magnitude) |
                                  (std::uint64_t{negative} << 63));
    return true;
}

}  // namespace pyexpr
