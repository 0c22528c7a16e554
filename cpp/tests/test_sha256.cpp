#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "pyexpr/sha256.hpp"

TEST_SUITE_BEGIN("sha256");

namespace {

using pyexpr::Sha256;

std::string hex(const Sha256& hash) {
    std::string found;
    for (const unsigned byte : hash.digest()) {
        found += {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
    }
    return found;
}

std::string of(std::string_view text, bool instructions) {
    Sha256 hash(instructions);
    hash.add(text.data(), text.size());
    return hex(hash);
}

}  // namespace

// The examples of FIPS 180-2, and of NIST's page of example values.
TEST_CASE("known digests") {
    for (const bool instructions : {false, true}) {
        CHECK(of("", instructions) ==
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        CHECK(of("abc", instructions) ==
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        CHECK(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", instructions) ==
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
        CHECK(of(std::string(1000000, 'a'), instructions) ==
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
}

TEST_CASE("pieces of any length give the digest of the whole, with and without instructions") {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += static_cast<char>(i * 7 + i / 251);
    for (std::size_t length = 0; length < text.size(); length += 37) {
        const std::string_view whole(text.data(), length);
        const std::string expected = of(whole, false);
        for (const std::size_t piece : {std::size_t{1}, std::size_t{63}, std::size_t{200}}) {
            Sha256 hash;
            for (std::size_t at = 0; at < length; at += piece) {
                hash.add(whole.data() + at, std::min(piece, length - at));
                // A digest on the way changes nothing.
                static_cast<void>(hash.digest());
            }
            CHECK(hex(hash) == expected);
        }
    }
}

TEST_SUITE_END();
