// Four short numbers at once, where the processor has AVX2; the same bits as one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "pyexpr/decimal_number.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define PYEXPR_NUMBER_LANES 1
#endif

namespace pyexpr {

// Bytes that must be readable before the text.
inline constexpr std::size_t kReadableBefore = 8;

#if defined(PYEXPR_NUMBER_LANES)

[[nodiscard]] inline bool has_number_lanes() noexcept {
    static const bool has = __builtin_cpu_supports("avx2") != 0;
    return has;
}

// Of a field between two places.
[[nodiscard]] inline int field_length(const std::uint32_t* place) noexcept {
    return static_cast<int>(place[1] - place[0] - 1);
}

[[nodiscard]] inline long long eight_before(const char* end) noexcept {
    long long eight;
    std::memcpy(&eight, end - 8, sizeof eight);
    return eight;
}

// Reads four fields: those in columns[0, 4) of a row, whose field i stands in text between
// row[i] + 1 and row[i + 1]. Bit i of the result is set if field i is at most eight characters of
// digits with at most one point, after blanks and at most one minus; the others are left to
// read_number(). The text needs kReadableBefore.
__attribute__((target("avx2"))) inline int read_four(const char* text, const std::uint32_t* row,
                                                     const std::uint32_t* columns,
                                                     double* values) noexcept {
    const __m256i none = _mm256_setzero_si256();
    const __m256i all = _mm256_set1_epi8(-1);
    const __m256i zero = _mm256_set1_epi8('0');
    // Loads of single numbers: on many processors they are quicker than gathers.
    const std::uint32_t* const place[] = {row + columns[0], row + columns[1], row + columns[2],
                                          row + columns[3]};
    const __m128i length = _mm_setr_epi32(field_length(place[0]), field_length(place[1]),
                                          field_length(place[2]), field_length(place[3]));
    const __m256i bits = _mm256_slli_epi64(_mm256_cvtepi32_epi64(length), 3);

    // The eight characters up to the end of each field, and which of them are not the field's.
    const __m256i eight =
        _mm256_setr_epi64x(eight_before(text + place[0][1]), eight_before(text + place[1][1]),
                           eight_before(text + place[2][1]), eight_before(text + place[3][1]));
    const __m256i other = _mm256_srlv_epi64(all, bits);
    const __m256i blank =
        _mm256_andnot_si256(other, _mm256_cmpeq_epi8(eight, _mm256_set1_epi8(' ')));
    const __m256i point =
        _mm256_andnot_si256(other, _mm256_cmpeq_epi8(eight, _mm256_set1_epi8('.')));
    const __m256i value = _mm256_sub_epi8(eight, zero);
    const __m256i digit = _mm256_andnot_si256(
        other, _mm256_cmpeq_epi8(_mm256_min_epu8(value, _mm256_set1_epi8(9)), value));

    // The first character that is no blank may be a minus; after it comes no blank.
    const __m256i used = _mm256_xor_si256(_mm256_or_si256(blank, other), all);
    const __m256i lowest = _mm256_and_si256(used, _mm256_sub_epi64(none, used));
    const __m256i behind = _mm256_xor_si256(_mm256_add_epi64(lowest, all), all);
    const __m256i first = _mm256_sub_epi64(_mm256_slli_epi64(lowest, 8), lowest);
    const __m256i minus = _mm256_and_si256(first, _mm256_cmpeq_epi8(eight, _mm256_set1_epi8('-')));

    // Digits before the first point move up by one; a second one is no digit.
    const __m256i dot = _mm256_and_si256(point, _mm256_sub_epi64(none, point));
    const __m256i low = _mm256_add_epi64(dot, all);
    const __m256i through = _mm256_add_epi64(_mm256_slli_epi64(dot, 8), all);
    const __m256i pointless = _mm256_cmpeq_epi64(point, none);
    const __m256i digits = _mm256_and_si256(value, digit);
    const __m256i moved = _mm256_or_si256(_mm256_andnot_si256(through, digits),
                                          _mm256_slli_epi64(_mm256_and_si256(digits, low), 8));
    const __m256i straight = _mm256_blendv_epi8(moved, digits, pointless);
    const __m256i decimals = _mm256_sad_epu8(
        _mm256_andnot_si256(_mm256_or_si256(through, pointless), _mm256_set1_epi8(1)), none);

    // What is neither digit, nor the first point, nor the minus, nor a blank before all of these.
    const __m256i known =
        _mm256_or_si256(_mm256_or_si256(digit, _mm256_andnot_si256(behind, blank)),
                        _mm256_or_si256(minus, _mm256_sub_epi64(_mm256_slli_epi64(dot, 8), dot)));
    const __m256i strange = _mm256_andnot_si256(_mm256_or_si256(known, other), all);
    const __m256i fits = _mm256_cmpgt_epi64(_mm256_set1_epi64x(65), bits);
    const __m256i good = _mm256_andnot_si256(
        _mm256_cmpeq_epi64(digit, none), _mm256_and_si256(_mm256_cmpeq_epi64(strange, none), fits));

    // Digits to pairs, pairs to fours, fours to eight.
    const __m256i pairs = _mm256_maddubs_epi16(straight, _mm256_set1_epi16(0x010A));
    const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00010064));
    const __m256i whole = _mm256_add_epi64(_mm256_mul_epu32(fours, _mm256_set1_epi64x(10000)),
                                           _mm256_srli_epi64(fours, 32));
    const __m256i packed =
        _mm256_permutevar8x32_epi32(whole, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    const __m256d number = _mm256_cvtepi32_pd(_mm256_castsi256_si128(packed));
    const __m256d power = _mm256_i64gather_pd(decimal::kPowers.data(), decimals, 8);
    const __m256i sign =
        _mm256_andnot_si256(_mm256_cmpeq_epi64(minus, none), _mm256_set1_epi64x(INT64_MIN));
    _mm256_storeu_pd(values, _mm256_or_pd(_mm256_div_pd(number, power), _mm256_castsi256_pd(sign)));
    return _mm256_movemask_pd(_mm256_castsi256_pd(good));
}

#else

[[nodiscard]] inline bool has_number_lanes() noexcept { return false; }

inline int read_four(const char*, const std::uint32_t*, const std::uint32_t*, double*) noexcept {
    return 0;
}

#endif

}  // namespace pyexpr
