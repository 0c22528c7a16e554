// SHA-256 of bytes that arrive in pieces (FIPS 180-4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pyexpr {

// Whether this processor has instructions for SHA-256: without them libraries that have been tuned
// for years are faster than the plain code here.
[[nodiscard]] bool has_sha256_instructions() noexcept;

// O(bytes); the digest is the same with and without the processor's instructions.
class Sha256 {
  public:
    using Digest = std::array<std::uint8_t, 32>;

    explicit Sha256(bool instructions = has_sha256_instructions());

    void add(const char* bytes, std::size_t length) noexcept;

    // Of all bytes so far; more can be added afterwards.
    [[nodiscard]] Digest digest() const noexcept;

  private:
    static constexpr std::size_t kBlock = 64;

    void add_blocks(const char* bytes, std::size_t n_blocks) noexcept;

    std::array<std::uint32_t, 8> state_;
    // What does not fill a block yet.
    std::array<char, kBlock> rest_{};
    std::uint64_t length_ = 0;
    bool instructions_;
};

}  // namespace pyexpr
