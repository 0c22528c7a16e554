#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "pyexpr/parallel.hpp"
#include "pyexpr/rng.hpp"

TEST_SUITE_BEGIN("rng");

using Block = std::array<std::uint64_t, 4>;

TEST_CASE("the known answers of Random123's kat_vectors") {
    CHECK(pyexpr::philox({0, 0, 0, 0}, {0, 0}) ==
          Block{0x16554d9eca36314cULL, 0xdb20fe9d672d0fdcULL, 0xd7e772cee186176bULL,
                0x7e68b68aec7ba23bULL});
    constexpr std::uint64_t kOnes = ~std::uint64_t{0};
    CHECK(pyexpr::philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}) ==
          Block{0x87b092c3013fe90bULL, 0x438c3c67be8d0224ULL, 0x9cc7d7c69cd777b6ULL,
                0xa09caebf594f0ba0ULL});
    CHECK(pyexpr::philox({0x243f6a8885a308d3ULL, 0x13198a2e03707344ULL, 0xa4093822299f31d0ULL,
                          0x082efa98ec4e6c89ULL},
                         {0x452821e638d01377ULL, 0xbe5466cf34e90c6cULL}) ==
          Block{0xa528f45403e61d95ULL, 0x38c72dbd566e9788ULL, 0xa5a1610e72fd18b5ULL,
                0x57bd43b5e52b7fe6ULL});
}

TEST_CASE("a replicate's words are numpy's, the counter raised before the first block") {
    pyexpr::ReplicateWords words(7, 1, 3);
    for (std::uint64_t block = 1; block <= 3; ++block) {
        for (const std::uint64_t word : pyexpr::philox({block, 3, 0, 0}, {7, 1})) {
            CHECK(words.next() == word);
        }
    }
}

// Products of Python's integers.
TEST_CASE("a product of 128 bits, by the compiler's integers and by halves") {
    struct Known {
        std::uint64_t a, b;
        pyexpr::WideProduct product;
    };
    constexpr std::uint64_t kOnes = ~std::uint64_t{0};
    constexpr Known known[] = {
        {0, kOnes, {0, 0}},
        {1, kOnes, {0, kOnes}},
        {kOnes, kOnes, {0xfffffffffffffffeULL, 1}},
        {0x100000000ULL, 0x100000000ULL, {1, 0}},
        {0xffffffffULL, 0xffffffffULL, {0, 0xfffffffe00000001ULL}},
        {0xffffffff00000000ULL, 0x00000000ffffffffULL, {0xfffffffeULL, 0x0000000100000000ULL}},
        {0xd2e7470ee14c6c93ULL,
         0x243f6a8885a308d3ULL,
         {0x1ddcc4acd0ba92b6ULL, 0xc219bc7795fb1529ULL}},
        {0xca5a826395121157ULL,
         0x8000000080000001ULL,
         {0x652d41322fb649deULL, 0x14e38b0f15121157ULL}},
        {0x9e3779b97f4a7c15ULL,
         0xbb67ae8584caa73bULL,
         {0x73d29a18b33dcb63ULL, 0x5eada573a9ae4bd7ULL}},
    };
    for (const Known& each : known) {
        CHECK(pyexpr::wide_product(each.a, each.b) == each.product);
        CHECK(pyexpr::wide_product_of_halves(each.a, each.b) == each.product);
        CHECK(pyexpr::wide_product_of_halves(each.b, each.a) == each.product);
    }
    static_assert(pyexpr::wide_product(kOnes, kOnes).high == kOnes - 1);

    pyexpr::ReplicateWords words(1, 2, 3);
    for (int i = 0; i < 20000; ++i) {
        // Also with halves that are all zeros or all ones, where carries begin and end.
        std::uint64_t a = words.next(), b = words.next();
        if (i % 4 == 1) a |= 0xffffffffULL << (i % 8 * 4);
        if (i % 4 == 2) b &= ~(0xffffffffULL << (i % 8 * 4));
        if (pyexpr::wide_product(a, b) != pyexpr::wide_product_of_halves(a, b)) {
            FAIL("the two differ for " << a << " and " << b);
        }
    }
}

TEST_CASE("the high product maps words onto 0 .. n-1") {
    CHECK(pyexpr::high_product(0, 28) == 0);
    CHECK(pyexpr::high_product(~std::uint64_t{0}, 28) == 27);
    CHECK(pyexpr::high_product(std::uint64_t{1} << 63, 28) == 14);
}

TEST_CASE("every index is visited once, by any number of threads") {
    for (const std::size_t n_threads : {0U, 1U, 2U, 7U, 100U}) {
        std::vector<std::atomic<int>> visits(53);
        pyexpr::parallel_for(visits.size(), n_threads,
                             [&] { return [&](std::size_t i) { ++visits[i]; }; });
        for (const auto& count : visits) CHECK(count == 1);
    }
    pyexpr::parallel_for(0, 4, [] { return [](std::size_t) { FAIL("there is nothing to do"); }; });
}

TEST_CASE("an exception in a thread reaches the caller") {
    CHECK_THROWS_AS(pyexpr::parallel_for(20, 3,
                                         [] {
                                             return [](std::size_t i) {
                                                 if (i == 11) throw std::runtime_error("eleven");
                                             };
                                         }),
                    std::runtime_error);
}

TEST_CASE("counters side by side give what each gives alone") {
    const std::array<std::array<std::uint64_t, 4>, 3> counters{
        {{1, 2, 3, 4}, {5, 6, 7, 8}, pyexpr::replicate_counter(9, 2)}};
    const auto words = pyexpr::philox_lanes<3>(counters, {10, 11});
    for (std::size_t i = 0; i < 3; ++i) CHECK(words[i] == pyexpr::philox(counters[i], {10, 11}));
    pyexpr::ReplicateWords alone(10, 11, 9);
    for (int skipped = 0; skipped < 8; ++skipped) (void)alone.next();
    for (const std::uint64_t word : words[2]) CHECK(alone.next() == word);
}

TEST_SUITE_END();
