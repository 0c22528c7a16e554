#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "pyexpr/icc.hpp"

namespace icc = pyexpr::icc;
using pyexpr::ArrayView;

namespace {

const double kNaN = std::numeric_limits<double>::quiet_NaN();
const double kInfinity = std::numeric_limits<double>::infinity();

ArrayView<const double, 2> table(const std::vector<double>& values, std::size_t columns) {
    return {values.data(), {values.size() / columns, columns}};
}

ArrayView<const double, 1> column(const std::vector<double>& values) {
    return {values.data(), {values.size()}};
}

ArrayView<const std::int64_t, 1> column(const std::vector<std::int64_t>& codes) {
    return {codes.data(), {codes.size()}};
}

doctest::Approx near(double value, double tolerance = 1e-12) {
    return doctest::Approx(value).epsilon(tolerance);
}

struct Brute {
    double between = 0;
    double within = 0;
    std::size_t targets = 0;
    std::size_t ratings = 0;
};

// The definitions, as they stand, with means first and in long double.
Brute brute(const std::vector<double>& values, const std::vector<std::int64_t>& targets,
            std::int64_t n_targets) {
    long double total = 0;
    Brute result;
    for (double value : values) {
        if (std::isnan(value)) continue;
        total += value;
        ++result.ratings;
    }
    const long double mean = total / static_cast<long double>(result.ratings);
    long double between = 0;
    long double within = 0;
    for (std::int64_t t = 0; t < n_targets; ++t) {
        long double sum = 0;
        long double n = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (targets[i] != t || std::isnan(values[i])) continue;
            sum += values[i];
            n += 1;
        }
        if (n == 0) continue;
        ++result.targets;
        between += n * (sum / n - mean) * (sum / n - mean);
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (targets[i] != t || std::isnan(values[i])) continue;
            within += (values[i] - sum / n) * (values[i] - sum / n);
        }
    }
    result.between = static_cast<double>(between) / static_cast<double>(result.targets - 1);
    result.within =
        static_cast<double>(within) / static_cast<double>(result.ratings - result.targets);
    return result;
}

// Shrout and Fleiss (1979), table 2: six targets, four judges.
const std::vector<double> kShroutFleiss{9, 2, 5, 8, 6,  1, 3, 2, 8, 4, 6, 8,
                                        7, 1, 2, 6, 10, 5, 6, 9, 6, 2, 4, 7};

}  // namespace

TEST_SUITE_BEGIN("icc");

TEST_CASE("Shrout and Fleiss: mean squares of their table 3, ICCs of their table 4") {
    const icc::MatrixSquares squares = icc::matrix_squares(table(kShroutFleiss, 4));
    CHECK(squares.one_way.ms_between == doctest::Approx(11.24).epsilon(0.001));
    CHECK(squares.one_way.ms_within == doctest::Approx(6.26).epsilon(0.001));
    REQUIRE(squares.complete);
    CHECK(squares.two_way.ms_raters == doctest::Approx(32.49).epsilon(0.001));
    CHECK(squares.two_way.ms_error == doctest::Approx(1.02).epsilon(0.001));
    // ICC(1,1), ICC(A,1), ICC(C,1), each theta / (1 + theta).
    const double published[] = {.17, .29, .71};
    const double signals[] = {squares.one_way.signal, squares.two_way.signal_agreement,
                              squares.two_way.signal_consistency};
    for (std::size_t i = 0; i < 3; ++i) {
        CAPTURE(i);
        CHECK(std::abs(signals[i] / (1 + signals[i]) - published[i]) <= 0.005);
    }
}

TEST_CASE("long and unbalanced, in any order, equals the definitions") {
    std::mt19937_64 random(1);
    std::normal_distribution<double> normal;
    for (double offset : {0.0, 1e6}) {
        std::vector<double> values;
        std::vector<std::int64_t> targets;
        for (std::int64_t t = 0; t < 40; ++t) {
            const double effect = normal(random);
            for (std::int64_t j = 0; j < 1 + t % 7; ++j) {
                values.push_back(j == 3 ? kNaN : offset + effect + normal(random));
                targets.push_back(t);
            }
        }
        std::vector<std::size_t> order(values.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        std::shuffle(order.begin(), order.end(), random);
        std::vector<double> x;
        std::vector<std::int64_t> t;
        for (std::size_t i : order) {
            x.push_back(values[i]);
            t.push_back(targets[i]);
        }
        // Two codes without ratings at the end: they are no targets.
        const icc::OneWay squares = icc::long_squares(column(x), column(t), 42);
        const Brute expected = brute(x, t, 42);
        CHECK(squares.n_targets == 40);
        CHECK(squares.n_ratings == expected.ratings);
        CHECK(squares.n_single == 6);
        CHECK(squares.ms_between == near(expected.between));
        CHECK(squares.ms_within == near(expected.within));
    }
}

TEST_CASE("a table with missing ratings equals its long form, and is not two-way") {
    std::vector<double> values = kShroutFleiss;
    values[2] = values[9] = kNaN;
    for (std::size_t j = 16; j < 20; ++j) values[j] = kNaN;
    std::vector<std::int64_t> targets;
    for (std::int64_t i = 0; i < 24; ++i) targets.push_back(i / 4);
    const icc::MatrixSquares wide = icc::matrix_squares(table(values, 4));
    const icc::OneWay tall = icc::long_squares(column(values), column(targets), 6);
    CHECK_FALSE(wide.complete);
    CHECK(wide.one_way.n_targets == 5);
    CHECK(wide.one_way.n_ratings == 18);
    CHECK(wide.one_way.n0 == near(tall.n0));
    CHECK(wide.one_way.n_harmonic == near(tall.n_harmonic));
    CHECK(wide.one_way.ms_between == near(tall.ms_between));
    CHECK(wide.one_way.ms_within == near(tall.ms_within));
    CHECK(wide.one_way.sizes.size() == 2);
}

TEST_CASE("an offset of 1e12 changes nothing that the doubles still hold") {
    std::vector<double> near_zero;
    std::vector<double> far;
    for (int i = 0; i < 600; ++i) {
        // Multiples of 2^-10 stay exact beside 1e12.
        const double value = std::ldexp(static_cast<double>((i * 7919) % 1024), -10);
        near_zero.push_back(value);
        far.push_back(1e12 + value);
    }
    const icc::MatrixSquares a = icc::matrix_squares(table(near_zero, 6));
    const icc::MatrixSquares b = icc::matrix_squares(table(far, 6));
    CHECK(b.one_way.ms_between == near(a.one_way.ms_between));
    CHECK(b.one_way.ms_within == near(a.one_way.ms_within));
    CHECK(b.two_way.ms_raters == near(a.two_way.ms_raters));
    CHECK(b.two_way.ms_error == near(a.two_way.ms_error));
}

TEST_CASE("degenerate layouts") {
    SUBCASE("targets without error") {
        const auto squares = icc::matrix_squares(table({1.1, 1.1, 2.3, 2.3}, 2));
        CHECK(squares.one_way.signal == kInfinity);
        CHECK(squares.two_way.signal_agreement == kInfinity);
        CHECK(squares.two_way.signal_consistency == kInfinity);
    }
    SUBCASE("nothing differs") {
        const auto squares = icc::matrix_squares(table({.1, .1, .1, .1}, 2));
        CHECK(std::isnan(squares.one_way.signal));
        CHECK(std::isnan(squares.two_way.signal_agreement));
        CHECK(std::isnan(squares.two_way.signal_consistency));
    }
    SUBCASE("targets' means do not differ") {
        // The pole of three ratings' reliability.
        CHECK(icc::matrix_squares(table({1, 2, 3, 3, 1, 2}, 3)).one_way.signal == near(-1.0 / 3));
    }
    SUBCASE("one rating each") {
        const icc::OneWay one = icc::long_squares(column(std::vector<double>{1, 2}),
                                                  column(std::vector<std::int64_t>{0, 1}), 2);
        CHECK(one.n_single == 2);
        CHECK(std::isnan(one.ms_within));
        CHECK(std::isnan(one.signal));
    }
    SUBCASE("nothing at all") {
        const icc::MatrixSquares none = icc::matrix_squares(table({kNaN, kNaN}, 2));
        CHECK(none.one_way.n_targets == 0);
        CHECK(std::isnan(none.one_way.ms_between));
    }
}

TEST_CASE("Wald's limit with equal sizes is the F interval's") {
    const icc::OneWay one = icc::matrix_squares(table(kShroutFleiss, 4)).one_way;
    const icc::SizeClass& c = one.sizes.front();
    const double sizes[] = {c.size, c.count, c.mean, c.sum_squares};
    for (double quantile : {0.2, 1.0, 3.38}) {
        const double limit = icc::wald_limit({sizes, {1, 4}}, one.ms_within, quantile);
        CHECK(limit == near((one.ms_between / one.ms_within / quantile - 1) / 4, 1e-11));
    }
}

TEST_CASE("Wald's limit stops at -1 / max n_i where there is no root") {
    // One target alone is largest: the ratio stays finite towards the end.
    const double sizes[] = {2, 3, 0.0, 1e-8, 5, 1, 0.0, 0.0};
    CHECK(icc::wald_limit({sizes, {2, 4}}, 1.0, 10.0) == near(-0.2));
}

TEST_CASE("cells: duplicates counted, NaN left out, bad codes refused") {
    std::vector<double> out(4);
    const ArrayView<double, 2> cells{out.data(), {2, 2}};
    const std::vector<double> x{1, 2, 3, kNaN};
    const std::vector<std::int64_t> t{0, 1, 1, 0};
    const std::vector<std::int64_t> r{1, 0, 0, 0};
    CHECK(icc::fill_cells(column(x), column(t), column(r), cells) == 1);
    CHECK(std::isnan(out[0]));
    CHECK(out[1] == 1);
    CHECK(out[2] == 2);
    CHECK(std::isnan(out[3]));
    CHECK_THROWS_AS((void)icc::long_squares(column(x), column(t), 1), std::invalid_argument);
    const std::vector<std::int64_t> negative{0, -1, 0, 0};
    CHECK_THROWS_AS((void)icc::long_squares(column(x), column(negative), 2), std::invalid_argument);
    const std::vector<std::int64_t> few{0};
    CHECK_THROWS_AS((void)icc::fill_cells(column(x), column(t), column(few), cells),
                    std::invalid_argument);
}

TEST_SUITE_END();
