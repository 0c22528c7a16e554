#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <stdexcept>
#include <vector>

#include "pyexpr/interrupts.hpp"
#include "pyexpr/logistic_net.hpp"

namespace {

// The kernel asks for 1e-12; a mean over rows in another order adds rounding.
constexpr double kBreach = 2e-12;

struct Data {
    std::size_t n, p, classes;
    std::vector<double> z;
    std::vector<std::int64_t> label;

    Data(std::size_t rows, std::size_t features, std::size_t n_classes, unsigned seed)
        : n(rows), p(features), classes(n_classes), z(n * p), label(n) {
        std::mt19937_64 random(seed);
        std::normal_distribution<double> normal;
        for (std::size_t i = 0; i < n; ++i) {
            const double common = normal(random);
            for (std::size_t j = 0; j < p; ++j) z[i * p + j] = normal(random) + 0.7 * common;
            const double place = z[i * p] - 0.5 * z[i * p + p - 1] + 2 * normal(random);
            // Every class has rows: the first ones.
            const auto k = i < classes ? i : static_cast<std::size_t>(std::abs(place)) % classes;
            label[i] = static_cast<std::int64_t>(k);
        }
        for (std::size_t j = 0; j < p; ++j) {
            double mean = 0, square = 0;
            for (std::size_t i = 0; i < n; ++i) mean += z[i * p + j] / static_cast<double>(n);
            for (std::size_t i = 0; i < n; ++i) z[i * p + j] -= mean;
            for (std::size_t i = 0; i < n; ++i) {
                square += z[i * p + j] * z[i * p + j] / static_cast<double>(n);
            }
            for (std::size_t i = 0; i < n; ++i) z[i * p + j] /= std::sqrt(square);
        }
    }
};

struct Fits {
    std::size_t a, r, m, p;
    std::vector<double> coef, intercept, breach;

    Fits(std::size_t alphas, std::size_t ratios, std::size_t vectors, std::size_t features)
        : a(alphas),
          r(ratios),
          m(vectors),
          p(features),
          coef(a * r * m * p),
          intercept(a * r * m),
          breach(a * r) {}

    pyexpr::LogisticNetFits view() {
        return {
            {coef.data(), {a, r, m, p}}, {intercept.data(), {a, r, m}}, {breach.data(), {a, r}}};
    }
};

Fits fit(const Data& data, const std::vector<double>& alphas, const std::vector<double>& ratios,
         std::size_t threads = 1, std::size_t max_steps = 200) {
    Fits fits(alphas.size(), ratios.size(), pyexpr::logistic_vectors(data.classes), data.p);
    pyexpr::logistic_net_fits({data.z.data(), {data.n, data.p}}, {data.label.data(), {data.n}},
                              data.classes, {alphas.data(), {alphas.size()}},
                              {ratios.data(), {ratios.size()}}, {1e-12, max_steps, threads},
                              fits.view());
    return fits;
}

// The probability of class k at a row, by the definition.
double chance(const Data& data, Fits& fits, std::size_t i, std::size_t f, std::size_t k) {
    const std::size_t vectors = fits.m;
    std::vector<double> predictor(data.classes, 0.0);
    for (std::size_t m = 0; m < vectors; ++m) {
        double value = fits.intercept[f * vectors + m];
        for (std::size_t j = 0; j < data.p; ++j) {
            value += fits.coef[(f * vectors + m) * data.p + j] * data.z[i * data.p + j];
        }
        predictor[vectors == 1 ? 1 : m] = value;
    }
    double sum = 0;
    for (double one : predictor) sum += std::exp(one);
    return std::exp(predictor[k]) / sum;
}

// The optimality conditions, from the rows themselves: the largest breach.
double breach(const Data& data, Fits& fits, std::size_t f, double l1, double l2) {
    double worst = 0;
    for (std::size_t m = 0; m < fits.m; ++m) {
        const std::size_t k = fits.m == 1 ? 1 : m;
        std::vector<double> slope(data.p + 1, 0.0);
        for (std::size_t i = 0; i < data.n; ++i) {
            const bool own = static_cast<std::size_t>(data.label[i]) == k;
            const double wrong = (chance(data, fits, i, f, k) - (own ? 1 : 0));
            slope[0] += wrong / static_cast<double>(data.n);
            for (std::size_t j = 0; j < data.p; ++j) {
                slope[1 + j] += wrong * data.z[i * data.p + j] / static_cast<double>(data.n);
            }
        }
        worst = std::max(worst, std::abs(slope[0]));
        for (std::size_t j = 0; j < data.p; ++j) {
            const double weight = fits.coef[(f * fits.m + m) * data.p + j];
            const double pull = slope[1 + j] + l2 * weight;
            worst = std::max(worst, weight != 0 ? std::abs(pull + std::copysign(l1, weight))
                                                : std::max(0.0, std::abs(pull) - l1));
        }
    }
    return worst;
}

const std::vector<double> kAlphas{1, 0.5, 0.1, 0.05, 0.01, 0.001};
const std::vector<double> kRatios{0, 0.1, 0.5, 0.9, 1};

void check_grid(const Data& data) {
    Fits fits = fit(data, kAlphas, kRatios);
    for (std::size_t i = 0; i < kAlphas.size(); ++i) {
        for (std::size_t j = 0; j < kRatios.size(); ++j) {
            const std::size_t f = i * kRatios.size() + j;
            const double l1 = kAlphas[i] * kRatios[j];
            CAPTURE(kAlphas[i]);
            CAPTURE(kRatios[j]);
            CHECK(breach(data, fits, f, l1, kAlphas[i] - l1) < kBreach);
            CHECK(fits.breach[f] < kBreach);
            double sum = 0;
            for (std::size_t m = 0; m < fits.m; ++m) sum += fits.intercept[f * fits.m + m];
            if (fits.m > 1) CHECK(std::abs(sum) < 1e-9);
        }
    }
}

}  // namespace

TEST_SUITE_BEGIN("logistic_net");

TEST_CASE("the optimality conditions hold on the rows themselves") {
    for (std::size_t classes : {2U, 3U, 4U}) {
        CAPTURE(classes);
        check_grid(Data(120, 6, classes, static_cast<unsigned>(classes)));
    }
}

TEST_CASE("more features than rows") {
    check_grid(Data(20, 30, 2, 5));
    check_grid(Data(20, 30, 3, 6));
}

TEST_CASE("one feature of two values without a penalty is the odds ratio") {
    // z = -1: 3 of 4 in class 0; z = 1: 4 of 6 in class 1.
    Data data(10, 1, 2, 1);
    data.z = {-1, -1, -1, -1, 1, 1, 1, 1, 1, 1};
    data.label = {0, 0, 0, 1, 0, 0, 1, 1, 1, 1};
    Fits fits = fit(data, {0}, {0.5});
    const double low = std::log(1.0 / 3), high = std::log(4.0 / 2);
    CHECK(fits.coef[0] == doctest::Approx((high - low) / 2).epsilon(1e-11));
    CHECK(fits.intercept[0] == doctest::Approx((high + low) / 2).epsilon(1e-11));
}

TEST_CASE("one feature of three values tells three classes as their shares do") {
    // A group per value of two indicators: the fitted probabilities are the observed shares.
    Data data(12, 2, 3, 1);
    const std::int64_t labels[3][4] = {{0, 0, 1, 2}, {0, 1, 1, 2}, {0, 1, 2, 2}};
    for (std::size_t i = 0; i < 12; ++i) {
        data.z[2 * i] = i / 4 == 1 ? 1 : 0;
        data.z[2 * i + 1] = i / 4 == 2 ? 1 : 0;
        data.label[i] = labels[i / 4][i % 4];
    }
    Fits fits = fit(data, {0}, {0});
    for (std::size_t i = 0; i < 12; ++i) {
        for (std::size_t k = 0; k < 3; ++k) {
            CHECK(chance(data, fits, i, 0, k) ==
                  doctest::Approx(i / 4 == k ? 0.5 : 0.25).epsilon(1e-10));
        }
    }
    for (std::size_t j = 0; j < 2; ++j) {
        CHECK(std::abs(fits.coef[j] + fits.coef[2 + j] + fits.coef[4 + j]) < 1e-11);
    }
}

TEST_CASE("a large L1 penalty leaves the shares of the classes") {
    const Data data(50, 4, 2, 7);
    Fits fits = fit(data, {1}, {1});
    double share = 0;
    for (std::int64_t one : data.label) share += static_cast<double>(one) / 50;
    for (double weight : fits.coef) CHECK(weight == 0);
    CHECK(fits.intercept[0] == doctest::Approx(std::log(share / (1 - share))).epsilon(1e-13));
}

TEST_CASE("a copied feature under the lasso: the matrix is singular, the conditions hold") {
    Data data(80, 3, 2, 8);
    for (std::size_t i = 0; i < data.n; ++i) data.z[i * 3 + 1] = data.z[i * 3];
    Fits fits = fit(data, {0.02}, {1});
    CHECK(breach(data, fits, 0, 0.02, 0) < kBreach);
    CHECK(std::abs(fits.coef[0] + fits.coef[1]) > 0.05);
}

TEST_CASE("a feature that is 0 throughout gets no weight") {
    Data data(60, 3, 3, 9);
    for (std::size_t i = 0; i < data.n; ++i) data.z[i * 3 + 1] = 0;
    Fits fits = fit(data, {0.1, 0}, {0, 0.5});
    for (std::size_t f = 0; f < 4; ++f) {
        for (std::size_t m = 0; m < 3; ++m) CHECK(fits.coef[(f * 3 + m) * 3 + 1] == 0);
        CHECK(fits.breach[f] < kBreach);
    }
}

TEST_CASE("four classes under the lasso get the weights nearest to a mean of 0") {
    const Data data(200, 3, 4, 10);
    Fits lasso = fit(data, {0.005}, {1});
    Fits almost = fit(data, {0.005}, {1 - 1e-6});
    for (std::size_t c = 0; c < lasso.coef.size(); ++c) {
        CHECK(lasso.coef[c] == doctest::Approx(almost.coef[c]).epsilon(1e-3));
    }
}

TEST_CASE("separated classes have finite weights under any penalty") {
    Data data(40, 2, 2, 11);
    for (std::size_t i = 0; i < data.n; ++i) data.label[i] = data.z[2 * i] > 0 ? 1 : 0;
    for (double alpha : {1e-3, 1e-6, 1e-9}) {
        Fits fits = fit(data, {alpha}, {0, 0.5, 1});
        for (std::size_t j = 0; j < 3; ++j) {
            CHECK(fits.breach[j] < kBreach);
            CHECK(std::isfinite(fits.coef[2 * j]));
        }
    }
}

TEST_CASE("the same bytes with any number of threads") {
    const Data data(80, 5, 3, 12);
    const Fits one = fit(data, kAlphas, kRatios, 1);
    for (std::size_t threads : {2U, 7U}) {
        const Fits many = fit(data, kAlphas, kRatios, threads);
        CHECK(std::memcmp(one.coef.data(), many.coef.data(), one.coef.size() * sizeof(double)) ==
              0);
        CHECK(std::memcmp(one.breach.data(), many.breach.data(),
                          one.breach.size() * sizeof(double)) == 0);
    }
}

TEST_CASE("too few steps leave a breach that says so") {
    Fits fits = fit(Data(60, 5, 2, 13), {0.001}, {0.5}, 1, 1);
    CHECK(fits.breach[0] > 1e-6);
}

TEST_CASE("an interrupt ends a fit") {
    const Data data(20000, 30, 4, 14);
    struct Stopped {};
    struct Question {
        Question() {
            pyexpr::interrupt_question = [] { throw Stopped(); };
        }
        ~Question() { pyexpr::interrupt_question = nullptr; }
    } const options;
    CHECK_THROWS_AS(fit(data, kAlphas, kRatios), Stopped);
}

TEST_CASE("wrong arguments are refused") {
    const Data data(20, 2, 2, 15);
    CHECK_THROWS_AS(fit(data, {-0.1}, {0.5}), std::invalid_argument);
    CHECK_THROWS_AS(fit(data, {0.1, 0.5}, {0.5}), std::invalid_argument);
    CHECK_THROWS_AS(fit(data, {0.1}, {1.5}), std::invalid_argument);
    Data wrong(20, 2, 2, 15);
    wrong.label[3] = 2;
    CHECK_THROWS_AS(fit(wrong, {0.1}, {0.5}), std::invalid_argument);
    Data without_class(20, 2, 3, 15);
    for (auto& one : without_class.label) one = one == 1 ? 0 : one;
    CHECK_THROWS_AS(fit(without_class, {0.1}, {0.5}), std::invalid_argument);
}

TEST_SUITE_END();
