#include "pyexpr/sha256.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>
#define PYEXPR_SHA 1
#endif

namespace pyexpr {
namespace {

// The first 32 bits of the fractions of the cube roots of the first 64 primes.
alignas(16) constexpr std::uint32_t kRounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
// Of the square roots of the first 8.
constexpr std::array<std::uint32_t, 8> kStart = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

std::uint32_t big_endian(const char* bytes) noexcept {
    std::uint32_t word = 0;
    for (int i = 0; i < 4; ++i) word = word << 8 | static_cast<unsigned char>(bytes[i]);
    return word;
}

void plain_block(std::array<std::uint32_t, 8>& state, const char* block) noexcept {
    std::uint32_t w[64];
    for (std::size_t t = 0; t < 16; ++t) w[t] = big_endian(block + 4 * t);
    for (std::size_t t = 16; t < 64; ++t) {
        const std::uint32_t a = w[t - 15];
        const std::uint32_t b = w[t - 2];
        w[t] = w[t - 16] + w[t - 7] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) +
               (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (std::size_t t = 0; t < 64; ++t) {
        const std::uint32_t first = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                                    ((e & f) ^ (~e & g)) + kRounds[t] + w[t];
        const std::uint32_t second =
            (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + first;
        d = c;
        c = b;
        b = a;
        a = first + second;
    }
    const std::uint32_t made[8] = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < 8; ++i) state[i] += made[i];
}

#if defined(PYEXPR_SHA)

// Two registers hold the state as the instructions want it: a, b, e, f and c, d, g, h.
__attribute__((target("sha,sse4.1"))) void fast_blocks(std::array<std::uint32_t, 8>& state,
                                                       const char* bytes,
                                                       std::size_t n_blocks) noexcept {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    auto* const words = reinterpret_cast<__m128i*>(state.data());
    const __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128(words), 0xB1);
    const __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(words + 1), 0x1B);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
    __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
    for (; n_blocks > 0; --n_blocks, bytes += 64) {
        const __m128i abef_before = abef;
        const __m128i cdgh_before = cdgh;
        __m128i w[4];
        for (std::size_t i = 0; i < 4; ++i) {
            const auto* const four = reinterpret_cast<const __m128i*>(bytes + 16 * i);
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128(four), swap);
        }
#pragma GCC unroll 16
        for (std::size_t i = 0; i < 16; ++i) {
            const auto* const round = reinterpret_cast<const __m128i*>(kRounds + 4 * i);
            const __m128i added = _mm_add_epi32(w[i % 4], _mm_load_si128(round));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, added);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(added, 0x0E));
            if (i < 12) {
                const __m128i earlier = _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4);
                const __m128i begun = _mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]);
                w[i % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(begun, earlier), w[(i + 3) % 4]);
            }
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    const __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
    const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128(words, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128(words + 1, _mm_alignr_epi8(dchg, feba, 8));
}

#endif

}  // namespace

bool has_sha256_instructions() noexcept {
#if defined(PYEXPR_SHA)
    static const bool has = [] {
        // Not every compiler's __builtin_cpu_supports() knows "sha": leaf 7, EBX, bit 29.
        unsigned int eax = 0, ebx = 0, ecx = 0, edx = 0;
        __asm__("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(7), "c"(0));
        return (ebx >> 29 & 1) != 0 && __builtin_cpu_supports("sse4.1") != 0;
    }();
    return has;
#else
    return false;
#endif
}

Sha256::Sha256(bool instructions)
    : state_(kStart), instructions_(instructions && has_sha256_instructions()) {}

void Sha256::add_blocks(const char* bytes, std::size_t n_blocks) noexcept {
#if defined(PYEXPR_SHA)
    if (instructions_) {
        fast_blocks(state_, bytes, n_blocks);
        return;
    }
#endif
    for (std::size_t i = 0; i < n_blocks; ++i) plain_block(state_, bytes + kBlock * i);
}

void Sha256::add(const char* bytes, std::size_t length) noexcept {
    if (length == 0) return;
    const std::size_t before = length_ % kBlock;
    length_ += length;
    if (before > 0) {
        const std::size_t taken = std::min(length, kBlock - before);
        std::memcpy(rest_.data() + before, bytes, taken);
        bytes += taken;
        length -= taken;
        if (before + taken < kBlock) return;
        add_blocks(rest_.data(), 1);
    }
    add_blocks(bytes, length / kBlock);
    std::memcpy(rest_.data(), bytes + length / kBlock * kBlock, length % kBlock);
}

Sha256::Digest Sha256::digest() const noexcept {
    Sha256 ended = *this;
    const std::size_t before = length_ % kBlock;
    // A bit that is set, as few zeros as fill blocks, and the number of bits.
    std::array<char, 2 * kBlock> end{};
    end[0] = static_cast<char>(0x80);
    const std::size_t zeros_end = (before < kBlock - 8 ? kBlock : 2 * kBlock) - before - 8;
    const std::uint64_t bits = 8 * length_;
    for (std::size_t i = 0; i < 8; ++i) {
        end[zeros_end + i] = static_cast<char>(bits >> (56 - 8 * i) & 0xFF);
    }
    ended.add(end.data(), zeros_end + 8);
    Digest found{};
    for (std::size_t i = 0; i < 32; ++i) {
        found[i] = static_cast<std::uint8_t>(ended.state_[i / 4] >> (24 - 8 * (i % 4)) & 0xFF);
    }
    return found;
}

}  // namespace pyexpr
