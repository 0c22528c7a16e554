#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>
#include <vector>

#include "pyexpr/elastic_net.hpp"

using pyexpr::ArrayView;

namespace {

// Sums of squares and products about the mean lose about p of the 16 digits.
constexpr double kRounding = 1e-11;

struct Data {
    std::size_t n, p, n_clusters;
    std::vector<double> x, y;
    std::vector<std::int64_t> cluster;
    std::vector<double> centre, spread, sums;

    Data(std::size_t rows, std::size_t features, std::size_t clusters, unsigned seed)
        : n(rows), p(features), n_clusters(clusters), x(n * p), y(n), cluster(n) {
        std::mt19937_64 random(seed);
        std::normal_distribution<double> normal;
        for (std::size_t i = 0; i < n; ++i) {
            const double common = normal(random);
            for (std::size_t j = 0; j < p; ++j) x[i * p + j] = normal(random) + 0.7 * common + 2;
            y[i] = x[i * p] - 0.5 * x[i * p + p - 1] + normal(random) + 1;
            cluster[i] = static_cast<std::int64_t>(i % n_clusters);
        }
        centre.assign(p + 1, 1.5);
        spread.assign(p + 1, 1.25);
        spread[p] = 1;
        add_up();
    }

    void add_up() {
        sums.assign(n_clusters * pyexpr::cross_product_length(p), -1.0);
        pyexpr::cross_products({x.data(), {n, p}}, {y.data(), {n}}, {cluster.data(), {n}},
                               {centre.data(), {p + 1}}, {spread.data(), {p + 1}},
                               {sums.data(), {n_clusters, pyexpr::cross_product_length(p)}});
    }

    [[nodiscard]] ArrayView<const double, 2> view() const {
        return {sums.data(), {n_clusters, pyexpr::cross_product_length(p)}};
    }
};

struct Fits {
    std::size_t b, a, r, p;
    std::vector<double> coef, intercept, mean, scale, gap;

    Fits(std::size_t resamples, std::size_t alphas, std::size_t ratios, std::size_t features)
        : b(resamples),
          a(alphas),
          r(ratios),
          p(features),
          coef(b * a * r * p),
          intercept(b),
          mean(b * p),
          scale(b * p),
          gap(b * a * r) {}

    pyexpr::ElasticNetFits view() {
        return {{coef.data(), {b, a, r, p}},
                {intercept.data(), {b}},
                {mean.data(), {b, p}},
                {scale.data(), {b, p}},
                {gap.data(), {b, a, r}}};
    }
};

Fits fit(const Data& data, const std::vector<std::int64_t>& counts, std::vector<double> alphas,
         std::vector<double> ratios, std::size_t threads = 1) {
    const std::size_t b = counts.size() / data.n_clusters;
    Fits fits(b, alphas.size(), ratios.size(), data.p);
    const std::vector<double> start(data.p);
    pyexpr::elastic_net_fits(data.view(), {counts.data(), {b, data.n_clusters}},
                             {alphas.data(), {alphas.size()}}, {ratios.data(), {ratios.size()}},
                             {start.data(), {data.p}}, {1e-12, 100000, threads}, fits.view());
    return fits;
}

// Rows of the resample, standardised by two passes; column p is the centred label.
std::vector<std::vector<double>> expanded(const Data& data, const std::int64_t* counts) {
    std::vector<std::vector<double>> rows;
    for (std::size_t i = 0; i < data.n; ++i) {
        for (std::int64_t k = 0; k < counts[data.cluster[i]]; ++k) {
            std::vector<double> row(&data.x[i * data.p], &data.x[i * data.p] + data.p);
            row.push_back(data.y[i]);
            rows.push_back(row);
        }
    }
    const double n = static_cast<double>(rows.size());
    for (std::size_t j = 0; j <= data.p; ++j) {
        double mean = 0, square = 0;
        for (const auto& row : rows) mean += row[j] / n;
        for (const auto& row : rows) square += (row[j] - mean) * (row[j] - mean) / n;
        for (auto& row : rows) row[j] = (row[j] - mean) / (j < data.p ? std::sqrt(square) : 1);
    }
    return rows;
}

// The optimality conditions, from the rows themselves: the largest breach.
double breach(const std::vector<std::vector<double>>& rows, const double* weights, std::size_t p,
              double l1, double l2) {
    double worst = 0;
    for (std::size_t j = 0; j < p; ++j) {
        double slope = 0;
        for (const auto& row : rows) {
            double residual = row[p];
            for (std::size_t k = 0; k < p; ++k) residual -= row[k] * weights[k];
            slope += row[j] * residual / static_cast<double>(rows.size());
        }
        slope -= l2 * weights[j];
        const double wrong = weights[j] != 0 ? std::abs(slope - std::copysign(l1, weights[j]))
                                             : std::max(0.0, std::abs(slope) - l1);
        worst = std::max(worst, wrong);
    }
    return worst;
}

const std::vector<double> kAlphas{1, 0.5, 0.1, 0.05, 0.01};
const std::vector<double> kRatios{0, 0.1, 0.5, 0.9, 1};

}  // namespace

TEST_SUITE_BEGIN("elastic_net");

TEST_CASE("sums per cluster equal those of the rows") {
    const Data data(23, 3, 4, 1);
    const std::size_t length = pyexpr::cross_product_length(3);
    REQUIRE(length == 15);
    for (std::size_t g = 0; g < 4; ++g) {
        std::vector<double> expected(length);
        for (std::size_t i = g; i < 23; i += 4) {
            std::vector<double> v;
            for (std::size_t j = 0; j < 3; ++j) v.push_back((data.x[i * 3 + j] - 1.5) / 1.25);
            v.push_back(data.y[i] - 1.5);
            std::size_t k = 0;
            expected[k++] += 1;
            for (double a : v) expected[k++] += a;
            for (std::size_t a = 0; a < 4; ++a) {
                for (std::size_t b = a; b < 4; ++b) expected[k++] += v[a] * v[b];
            }
        }
        for (std::size_t k = 0; k < length; ++k) {
            CHECK(data.sums[g * length + k] == doctest::Approx(expected[k]).epsilon(1e-14));
        }
    }
}

TEST_CASE("one feature has a closed solution") {
    // z = (-1, 1), y - mean = (-1, 1): z'y/n = 1, so b = (1 - l1)/(1 + l2).
    Data data(2, 1, 2, 1);
    data.x = {3, 7};
    data.y = {0, 2};
    data.add_up();
    Fits fits = fit(data, {1, 1}, {0.4}, {0.5, 0, 1});
    CHECK(fits.coef[0] == doctest::Approx(0.8 / 1.2).epsilon(1e-14));
    CHECK(fits.coef[1] == doctest::Approx(1 / 1.4).epsilon(1e-14));
    CHECK(fits.coef[2] == doctest::Approx(0.6).epsilon(1e-14));
    CHECK(fits.intercept[0] == doctest::Approx(1 - 1.5));
    CHECK(fits.mean[0] == doctest::Approx((5 - 1.5) / 1.25));
    CHECK(fits.scale[0] == doctest::Approx(2 / 1.25));
}

TEST_CASE("resamples meet the optimality conditions on their own rows") {
    const Data data(60, 6, 12, 2);
    std::mt19937_64 random(5);
    std::vector<std::int64_t> counts(8 * 12, 0);
    for (std::size_t b = 0; b < 8; ++b) {
        for (std::size_t g = 0; g < 12; ++g) ++counts[b * 12 + random() % 12];
    }
    Fits fits = fit(data, counts, kAlphas, kRatios);
    for (std::size_t b = 0; b < 8; ++b) {
        const auto rows = expanded(data, &counts[b * 12]);
        for (std::size_t i = 0; i < kAlphas.size(); ++i) {
            for (std::size_t j = 0; j < kRatios.size(); ++j) {
                const double l1 = kAlphas[i] * kRatios[j];
                const double l2 = kAlphas[i] - l1;
                CHECK(breach(rows, &fits.view().coef(b, i, j, 0), 6, l1, l2) < kRounding);
                CHECK(std::abs(fits.view().gap(b, i, j)) < kRounding);
            }
        }
    }
}

TEST_CASE("more features than rows") {
    const Data data(8, 12, 8, 3);
    const std::vector<std::int64_t> counts(8, 1);
    Fits fits = fit(data, counts, kAlphas, kRatios);
    const auto rows = expanded(data, counts.data());
    for (std::size_t i = 0; i < kAlphas.size(); ++i) {
        for (std::size_t j = 0; j < kRatios.size(); ++j) {
            const double l1 = kAlphas[i] * kRatios[j];
            // Of a singular problem the gap is small; the solution may not be one point.
            CHECK(fits.view().gap(0, i, j) < 1e-10);
            CHECK(breach(rows, &fits.view().coef(0, i, j, 0), 12, l1, kAlphas[i] - l1) < 1e-5);
        }
    }
}

TEST_CASE("a copied feature under the lasso: the gap closes though the matrix is singular") {
    Data data(40, 3, 10, 4);
    for (std::size_t i = 0; i < data.n; ++i) data.x[i * 3 + 1] = data.x[i * 3];
    data.add_up();
    Fits fits = fit(data, std::vector<std::int64_t>(10, 1), {0.1}, {1});
    CHECK(fits.gap[0] < 1e-10);
    CHECK(fits.coef[0] + fits.coef[1] > 0.1);
}

TEST_CASE("a feature constant in the resample gets no weight") {
    Data data(30, 3, 3, 6);
    for (std::size_t i = 0; i < data.n; ++i) {
        if (data.cluster[i] != 2) data.x[i * 3 + 1] = 0.1;
    }
    data.add_up();
    Fits fits = fit(data, {2, 1, 0, 1, 1, 1}, kAlphas, kRatios);
    CHECK(fits.scale[1] == 0);
    CHECK(fits.scale[3 + 1] > 0);
    for (std::size_t i = 0; i < kAlphas.size() * kRatios.size(); ++i) {
        CHECK(fits.coef[i * 3 + 1] == 0);
    }
}

TEST_CASE("a constant label has no weights") {
    Data data(12, 2, 3, 7);
    for (double& value : data.y) value = 4;
    data.add_up();
    Fits fits = fit(data, {1, 1, 1}, {0.1}, {0, 0.5});
    for (double weight : fits.coef) CHECK(std::abs(weight) < 1e-14);
    CHECK(fits.intercept[0] == 2.5);
}

TEST_CASE("a resample of no rows is NaN and leaves its neighbours alone") {
    const Data data(20, 2, 4, 8);
    Fits fits = fit(data, {0, 0, 0, 0, 1, 1, 1, 1}, {0.1}, {0.5});
    CHECK(std::isnan(fits.coef[0]));
    CHECK(std::isnan(fits.gap[0]));
    Fits alone = fit(data, {1, 1, 1, 1}, {0.1}, {0.5});
    CHECK(fits.coef[2] == alone.coef[0]);
}

TEST_CASE("the same bytes with any number of threads") {
    const Data data(60, 5, 12, 9);
    std::mt19937_64 random(5);
    std::vector<std::int64_t> counts(40 * 12, 0);
    for (std::size_t b = 0; b < 40; ++b) {
        for (std::size_t g = 0; g < 12; ++g) ++counts[b * 12 + random() % 12];
    }
    const Fits one = fit(data, counts, kAlphas, kRatios, 1);
    for (std::size_t threads : {2U, 7U}) {
        const Fits many = fit(data, counts, kAlphas, kRatios, threads);
        CHECK(std::memcmp(one.coef.data(), many.coef.data(), one.coef.size() * sizeof(double)) ==
              0);
        CHECK(std::memcmp(one.gap.data(), many.gap.data(), one.gap.size() * sizeof(double)) == 0);
    }
}

TEST_CASE("squared errors equal those of the rows") {
    const Data data(40, 3, 8, 10);
    const std::vector<std::int64_t> train{1, 2, 1, 0, 0, 1, 1, 1};
    const std::vector<std::int64_t> test{0, 0, 0, 2, 1, 0, 0, 0};
    Fits fits = fit(data, train, kAlphas, kRatios);
    std::vector<double> errors(25), n_rows(1);
    pyexpr::elastic_net_squared_errors(data.view(), {test.data(), {1, 8}}, fits.view(), 1,
                                       {errors.data(), {1, 5, 5}}, {n_rows.data(), {1}});
    CHECK(n_rows[0] == 15);
    for (std::size_t f = 0; f < 25; ++f) {
        double expected = 0;
        for (std::size_t i = 0; i < data.n; ++i) {
            double prediction = fits.intercept[0] + 1.5;
            for (std::size_t j = 0; j < 3; ++j) {
                const double v = (data.x[i * 3 + j] - 1.5) / 1.25;
                prediction += fits.coef[f * 3 + j] * (v - fits.mean[j]) / fits.scale[j];
            }
            const double times =
                static_cast<double>(test[static_cast<std::size_t>(data.cluster[i])]);
            expected += times * (data.y[i] - prediction) * (data.y[i] - prediction);
        }
        CHECK(errors[f] == doctest::Approx(expected).epsilon(1e-12));
    }
}

TEST_CASE("too few sweeps leave a gap that says so") {
    const Data data(8, 12, 8, 3);
    const std::vector<std::int64_t> counts(8, 1);
    const std::vector<double> alpha{0.001}, ratio{1}, start(12);
    Fits fits(1, 1, 1, 12);
    pyexpr::elastic_net_fits(data.view(), {counts.data(), {1, 8}}, {alpha.data(), {1}},
                             {ratio.data(), {1}}, {start.data(), {12}}, {1e-12, 1, 1}, fits.view());
    CHECK(fits.gap[0] > 1e-6);
}

TEST_CASE("wrong arguments are refused") {
    const Data data(20, 2, 4, 8);
    CHECK_THROWS_AS(fit(data, {1, 1, 1, 1}, {0.0}, {0.5}), std::invalid_argument);
    CHECK_THROWS_AS(fit(data, {1, 1, 1, 1}, {0.1, 0.5}, {0.5}), std::invalid_argument);
    CHECK_THROWS_AS(fit(data, {1, 1, 1, 1}, {0.1}, {1.5}), std::invalid_argument);
    Data wrong(20, 2, 4, 8);
    wrong.cluster[3] = 4;
    CHECK_THROWS_AS(wrong.add_up(), std::invalid_argument);
}

TEST_SUITE_END();
