// Where the commas and line ends of a text are: 64 bytes at a time.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define PYEXPR_SSE2 1
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#define PYEXPR_NEON 1
#endif

namespace pyexpr {

inline constexpr std::size_t kBlock = 64;

// Bit i of each is about byte i of a block. `low` is set where there may be a line end: bytes up
// to 13, the carriage return.
struct BlockMasks {
    std::uint64_t commas;
    bool low;
};

// One byte at a time, for machines without the instructions below, and as their twin in tests.
inline BlockMasks masks_bytewise(const char* text) noexcept {
    BlockMasks masks{0, false};
    for (std::size_t i = 0; i < kBlock; ++i) {
        masks.commas |= static_cast<std::uint64_t>(text[i] == ',') << i;
        masks.low = masks.low || static_cast<unsigned char>(text[i]) <= 13;
    }
    return masks;
}

#if defined(PYEXPR_SSE2)

inline BlockMasks masks_of(const char* text) noexcept {
    const __m128i comma = _mm_set1_epi8(',');
    const __m128i highest = _mm_set1_epi8(13);
    std::uint64_t commas = 0;
    __m128i low = _mm_setzero_si128();
    for (std::size_t i = 0; i < 4; ++i) {
        const __m128i part = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + 16 * i));
        const int found = _mm_movemask_epi8(_mm_cmpeq_epi8(part, comma));
        commas |= static_cast<std::uint64_t>(static_cast<std::uint32_t>(found)) << (16 * i);
        low = _mm_or_si128(low, _mm_cmpeq_epi8(_mm_min_epu8(part, highest), part));
    }
    return {commas, _mm_movemask_epi8(low) != 0};
}

#elif defined(PYEXPR_NEON)

inline BlockMasks masks_of(const char* text) noexcept {
    // Each byte keeps the bit of its place; sums of neighbours bring eight into one byte.
    constexpr std::uint8_t places[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t place = vld1q_u8(places);
    const uint8x16_t highest = vdupq_n_u8(13);
    uint8x16_t commas[4];
    uint8x16_t low = vdupq_n_u8(0);
    for (std::size_t i = 0; i < 4; ++i) {
        const uint8x16_t part = vld1q_u8(reinterpret_cast<const std::uint8_t*>(text + 16 * i));
        commas[i] = vandq_u8(vceqq_u8(part, vdupq_n_u8(',')), place);
        low = vorrq_u8(low, vcleq_u8(part, highest));
    }
    const uint8x16_t pairs =
        vpaddq_u8(vpaddq_u8(commas[0], commas[1]), vpaddq_u8(commas[2], commas[3]));
    const uint8x16_t sums = vpaddq_u8(pairs, pairs);
    return {vgetq_lane_u64(vreinterpretq_u64_u8(sums), 0), vmaxvq_u8(low) != 0};
}

#else

inline BlockMasks masks_of(const char* text) noexcept { return masks_bytewise(text); }

#endif

// How many bits are set; without an instruction that not every x86-64 processor has.
[[nodiscard]] inline unsigned bits_in(std::uint64_t bits) noexcept {
    bits -= (bits >> 1) & 0x5555555555555555;
    bits = (bits & 0x3333333333333333) + ((bits >> 2) & 0x3333333333333333);
    bits = (bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0F;
    return static_cast<unsigned>((bits * 0x0101010101010101) >> 56);
}

// The places of separators in a text, in order, and which of them end a line. A line ends with
// \n, with \r, or with \r\n, whose separator is the \r.
class Separators {
  public:
    // Finds those of text[0, length), before which stands a \r or not; kBlock bytes after it must
    // be readable.
    void find(const char* text, std::size_t length, bool after_return) {
        places_.resize(length + kBlock + 1);
        line_ends_.clear();
        std::uint32_t* at = places_.data() + 1;
        for (std::size_t start = 0; start < length; start += kBlock) {
            const BlockMasks masks = masks_of(text + start);
            std::uint64_t found = masks.commas;
            const std::size_t left = length - start;
            const std::uint64_t within = left < kBlock ? (std::uint64_t{1} << left) - 1 : ~0ULL;
            found &= within;
            if (masks.low || after_return) {
                const std::uint64_t ends =
                    line_ends(text + start, left < kBlock ? left : kBlock, after_return);
                for (std::uint64_t rest = ends; rest; rest &= rest - 1) {
                    const std::uint64_t before = (rest & (0 - rest)) - 1;
                    line_ends_.push_back(static_cast<std::uint32_t>(at - places_.data()) +
                                         bits_in((found | ends) & before));
                }
                found |= ends;
            }
            at = put(found, static_cast<std::uint32_t>(start), at);
        }
    }

    // places()[i] for i from 1 on; places()[0] is the caller's.
    [[nodiscard]] std::uint32_t* places() noexcept { return places_.data(); }

    // Indices into places().
    [[nodiscard]] const std::vector<std::uint32_t>& line_ends() const noexcept {
        return line_ends_;
    }

  private:
    static std::uint64_t line_ends(const char* text, std::size_t length, bool& after_return) {
        std::uint64_t ends = 0;
        for (std::size_t i = 0; i < length; ++i) {
            const bool is_end = text[i] == '\r' || (text[i] == '\n' && !after_return);
            ends |= static_cast<std::uint64_t>(is_end) << i;
            after_return = text[i] == '\r';
        }
        return ends;
    }

    // Writes in eights: a loop that ends with the last bit would be mispredicted in every block.
    static std::uint32_t* put(std::uint64_t bits, std::uint32_t start, std::uint32_t* at) noexcept {
        constexpr std::uint64_t last = std::uint64_t{1} << 63;
        const unsigned count = bits_in(bits);
        for (unsigned done = 0; done < count; done += 8) {
            for (unsigned i = 0; i < 8; ++i) {
                // Never of 0, which compilers would make a branch of, as badly predicted.
                at[done + i] = start + static_cast<std::uint32_t>(std::countr_zero(bits | last));
                bits &= bits - 1;
            }
        }
        return at + count;
    }

    std::vector<std::uint32_t> places_;
    std::vector<std::uint32_t> line_ends_;
};

}  // namespace pyexpr
