#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <stdexcept>

#include "pyexpr/checked_size.hpp"

TEST_SUITE_BEGIN("checked_size");

namespace {
constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
}

TEST_CASE("sums and products that fit are computed") {
    CHECK(pyexpr::checked_sum(kMost - 3, 3) == kMost);
    CHECK(pyexpr::checked_product(kMost / 3, 3) == kMost / 3 * 3);
    CHECK(pyexpr::checked_product(kMost, 0) == 0);
    CHECK(pyexpr::checked_product(0, kMost) == 0);
    CHECK(pyexpr::checked_total({}) == 0);
    CHECK(pyexpr::checked_total({1, 2, 3}) == 6);
}

TEST_CASE("those that would wrap are errors") {
    CHECK_THROWS_AS(static_cast<void>(pyexpr::checked_sum(kMost, 1)), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(pyexpr::checked_product(kMost / 2 + 1, 2)),
                    std::invalid_argument);
    // 2^63 + 2^63 + 1 is 1.
    CHECK_THROWS_AS(static_cast<void>(pyexpr::checked_total({kMost / 2 + 1, kMost / 2 + 1, 1})),
                    std::invalid_argument);
}

TEST_CASE("replicates end where their numbers do") {
    constexpr auto last = std::numeric_limits<std::uint64_t>::max();
    CHECK_NOTHROW(pyexpr::check_replicates(last - 3, 3));
    CHECK_THROWS_AS(pyexpr::check_replicates(last - 3, 4), std::invalid_argument);
}

TEST_SUITE_END();
