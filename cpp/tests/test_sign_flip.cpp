#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "pyexpr/rng.hpp"
#include "pyexpr/sign_flip.hpp"

TEST_SUITE_BEGIN("sign_flip");

using pyexpr::FlipPair;
using pyexpr::Flips;
using pyexpr::Metric;

namespace {

// One row per subject: the mean difference of two models is a mean of subjects.
struct Subjects {
    explicit Subjects(std::size_t n) : G(n), a(pyexpr::kSums * n), b(pyexpr::kSums * n) {
        pyexpr::ReplicateWords words(4, 4, 4);
        const auto uniform = [&] { return static_cast<double>(words.next() >> 11) * 0x1p-53; };
        for (std::size_t g = 0; g < G; ++g) {
            const double t = uniform();
            fill(a, g, t + uniform(), t);
            fill(b, g, t + uniform() - 0.3, t);
        }
    }

    void fill(std::vector<double>& s, std::size_t g, double p, double t) const {
        const double d = p - t;
        const double values[] = {1, d, d * d, std::abs(d), p, t, p * p, t * t, p * t};
        for (std::size_t k = 0; k < pyexpr::kSums; ++k) s[k * G + g] = values[k];
    }

    std::vector<double> flips(Metric metric, Flips which, std::uint64_t first, std::size_t n,
                              std::size_t threads, std::vector<std::size_t> strata = {}) const {
        if (strata.empty()) strata = {G};
        std::vector<double> out(n);
        pyexpr::sign_flips({a.data(), {1, pyexpr::kSums, G}}, {b.data(), {1, pyexpr::kSums, G}},
                           {FlipPair{metric, 0, 0}}, strata, which, 9, 2, first,
                           {out.data(), {1, n}}, threads);
        return out;
    }

    std::size_t G;
    std::vector<double> a, b;
};

}  // namespace

TEST_CASE("the bias gives the paired t statistic of every flip") {
    const Subjects data(6);
    const auto found = data.flips(Metric::kBias, Flips::kAll, 0, 64, 1);
    for (std::size_t r = 0; r < 64; ++r) {
        double mean = 0;
        std::vector<double> d(6);
        for (std::size_t g = 0; g < 6; ++g) {
            const double sign = (r >> g & 1U) ? -1.0 : 1.0;
            d[g] = sign * (data.a[pyexpr::kD * 6 + g] - data.b[pyexpr::kD * 6 + g]);
            mean += d[g] / 6;
        }
        double squares = 0;
        for (const double x : d) squares += (x - mean) * (x - mean);
        CHECK(found[r] == doctest::Approx(mean / std::sqrt(squares / 5 / 6)).epsilon(1e-12));
    }
}

TEST_CASE("flipping all subjects instead changes the sign, to the last bit") {
    const Subjects data(9);
    for (const Metric metric : {Metric::kRmse, Metric::kMae, Metric::kCorrelation,
                                Metric::kConcordance, Metric::kR2, Metric::kBias}) {
        const auto found = data.flips(metric, Flips::kAll, 0, 512, 2);
        for (std::size_t r = 0; r < 512; ++r) CHECK(found[r] == -found[511 - r]);
    }
}

TEST_CASE("random flips follow the words, any cut and any number of threads") {
    const Subjects data(70);
    const auto whole = data.flips(Metric::kCorrelation, Flips::kRandom, 0, 300, 1);
    for (const std::size_t threads : {2U, 7U}) {
        const auto again = data.flips(Metric::kCorrelation, Flips::kRandom, 0, 300, threads);
        CHECK(std::memcmp(whole.data(), again.data(), 300 * sizeof(double)) == 0);
    }
    const auto later = data.flips(Metric::kCorrelation, Flips::kRandom, 131, 169, 2);
    CHECK(std::memcmp(whole.data() + 131, later.data(), 169 * sizeof(double)) == 0);

    // The same flip by its number, on the first ten subjects.
    const Subjects few(10);
    pyexpr::ReplicateWords words(9, 2, 5);
    std::uint64_t number = 0;
    for (unsigned g = 0; g < 10; ++g) number |= (words.next() >> 63U) << g;
    CHECK(few.flips(Metric::kRmse, Flips::kRandom, 5, 1, 1)[0] ==
          few.flips(Metric::kRmse, Flips::kAll, number, 1, 1)[0]);
}

TEST_CASE("what does not differ has no statistic") {
    Subjects data(5);
    data.b = data.a;
    for (const double t : data.flips(Metric::kRmse, Flips::kAll, 0, 32, 1)) CHECK(std::isnan(t));
}

TEST_CASE("shapes are checked") {
    const Subjects data(64);
    CHECK_THROWS_AS(data.flips(Metric::kBias, Flips::kRandom, 0, 4, 1, {63}),
                    std::invalid_argument);
    CHECK_NOTHROW(data.flips(Metric::kBias, Flips::kRandom, 0, 4, 1, {60, 4}));
}

TEST_CASE("subjects beyond the bits of a flip's number are never exchanged") {
    const Subjects data(70);
    const auto found = data.flips(Metric::kBias, Flips::kAll, 0, 2, 1);
    CHECK(std::isfinite(found[0]));
    CHECK(found[0] != found[1]);
}

TEST_SUITE_END();
