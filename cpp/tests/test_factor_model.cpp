#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "pyexpr/factor_model.hpp"

namespace {

using pyexpr::FactorFit;
using pyexpr::FactorStatus;

std::vector<double> covariance_of(const std::vector<double>& lambda,
                                  const std::vector<double>& theta) {
    const std::size_t p = lambda.size();
    std::vector<double> s(p * p);
    for (std::size_t i = 0; i < p; ++i) {
        for (std::size_t j = 0; j < p; ++j) s[i * p + j] = lambda[i] * lambda[j];
        s[i * p + i] += theta[i];
    }
    return s;
}

FactorFit fit(const std::vector<double>& s, std::size_t p, std::vector<double>& x) {
    x.assign(2 * p, 0.0);
    return pyexpr::fit_factor({s.data(), {p, p}}, {x.data(), {2 * p}});
}

}  // namespace

TEST_SUITE_BEGIN("factor_model");

TEST_CASE("three indicators: the closed form, a Heywood case and a reversed item included") {
    for (double last : {0.9, -0.5}) {
        const std::vector<double> lambda{0.8, 1.7, last};
        const std::vector<double> theta{0.3, -0.2, 0.6};
        std::vector<double> x;
        const FactorFit found = fit(covariance_of(lambda, theta), 3, x);
        CHECK(found.status == FactorStatus::converged);
        for (std::size_t j = 0; j < 3; ++j) {
            CHECK(x[j] == doctest::Approx(lambda[j]).epsilon(1e-12));
            CHECK(x[3 + j] == doctest::Approx(theta[j]).epsilon(1e-12));
        }
    }
}

TEST_CASE("an exact model of six indicators is found, and its discrepancy is 0") {
    const std::vector<double> lambda{0.9, 2.0, 0.1, 0.4, -0.6, 30.0};
    const std::vector<double> theta{0.2, 3.0, 1e-3, 0.5, 0.7, 100.0};
    std::vector<double> x;
    const FactorFit found = fit(covariance_of(lambda, theta), 6, x);
    CHECK(found.status == FactorStatus::converged);
    CHECK(found.discrepancy == doctest::Approx(0.0).epsilon(1e-12));
    for (std::size_t j = 0; j < 6; ++j) {
        CHECK(x[j] == doctest::Approx(lambda[j]).epsilon(1e-9));
        CHECK(x[6 + j] == doctest::Approx(theta[j]).epsilon(1e-9));
    }
}

TEST_CASE("Lawley and Maxwell: at the minimum the implied variances equal the observed") {
    // Heads of equations (2.13): diag(Sigma - S) = 0 at an interior minimum.
    const std::vector<double> s{1.0, 0.6, 0.5, 0.3, 0.6, 1.0, 0.2, 0.4,
                                0.5, 0.2, 1.0, 0.5, 0.3, 0.4, 0.5, 1.0};
    std::vector<double> x;
    const FactorFit found = fit(s, 4, x);
    CHECK(found.status == FactorStatus::converged);
    CHECK(found.discrepancy > 0.05);
    for (std::size_t j = 0; j < 4; ++j) CHECK(x[j] * x[j] + x[4 + j] == doctest::Approx(1.0));
}

TEST_CASE("degenerate matrices are named and leave NaN") {
    std::vector<double> x;
    const std::vector<double> opposed{1.0, 0.5, 0.5, 0.5, 1.0, -0.2, 0.5, -0.2, 1.0};
    CHECK(fit(opposed, 3, x).status == FactorStatus::nonpositive_product);
    CHECK(std::isnan(x[0]));
    const std::vector<double> copied{1.0, 1.0, 0.5, 1.0, 1.0, 0.5, 0.5, 0.5, 1.0};
    CHECK(fit(copied, 3, x).status == FactorStatus::singular);
    const std::vector<double> constant{0.0, 0.0, 0.0, 0.0, 1.0, 0.5, 0.0, 0.5, 1.0};
    CHECK(fit(constant, 3, x).status == FactorStatus::singular);
}

TEST_CASE("moments keep their digits under an offset of 1e9") {
    const std::vector<double> base{1.0, 2.0, 4.0, 2.0, 3.0, 9.0, 6.0, 5.0, 5.0, 3.0, 2.0, 2.0};
    std::vector<double> shifted = base;
    for (double& value : shifted) value += 1e9;
    std::vector<double> mean(3);
    std::vector<double> near(9);
    std::vector<double> far(9);
    pyexpr::factor_moments({base.data(), {4, 3}}, {mean.data(), {3}}, {near.data(), {3, 3}});
    CHECK(mean[0] == doctest::Approx(3.0).epsilon(1e-15));
    CHECK(near[0] == doctest::Approx(3.5).epsilon(1e-15));
    pyexpr::factor_moments({shifted.data(), {4, 3}}, {mean.data(), {3}}, {far.data(), {3, 3}});
    for (std::size_t k = 0; k < 9; ++k) CHECK(far[k] == doctest::Approx(near[k]).epsilon(1e-12));
}

TEST_CASE("the information's inverse scales with n, and is refused at a singular model") {
    const std::vector<double> x{0.8, 0.7, 0.6, 0.3, 0.4, 0.5};
    std::vector<double> once(36);
    std::vector<double> ten(36);
    CHECK(pyexpr::factor_information_inverse({x.data(), {6}}, 10, {once.data(), {6, 6}}));
    CHECK(pyexpr::factor_information_inverse({x.data(), {6}}, 100, {ten.data(), {6, 6}}));
    for (std::size_t k = 0; k < 36; ++k) CHECK(once[k] == doctest::Approx(10 * ten[k]));
    const std::vector<double> nothing{0.0, 0.0, 0.0, 1.0, 1.0, 1.0};
    CHECK(!pyexpr::factor_information_inverse({nothing.data(), {6}}, 10, {once.data(), {6, 6}}));
    CHECK(std::isnan(once[0]));
}

TEST_CASE("resampled fits equal fits of the repeated rows") {
    const std::vector<double> rows{1, 2, 2, 0, -1, 1, 3, 2, 4, -2, -3, -1, 1, 0, 0, -1, 1, -3};
    std::vector<double> sums;
    for (std::size_t g = 0; g < 6; ++g) {
        sums.push_back(1.0);
        for (std::size_t i = 0; i < 3; ++i) sums.push_back(rows[3 * g + i]);
        for (std::size_t i = 0; i < 3; ++i) {
            for (std::size_t j = i; j < 3; ++j) sums.push_back(rows[3 * g + i] * rows[3 * g + j]);
        }
    }
    const std::vector<double> counts{2, 1, 1, 1, 1, 0, 6, 0, 0, 0, 0, 0};
    std::vector<double> found(12);
    std::vector<int> status(2);
    pyexpr::fit_factor_resampled({sums.data(), {6, 10}}, {counts.data(), {2, 6}}, 3,
                                 {found.data(), {2, 6}}, {status.data(), {2}});
    std::vector<double> drawn;
    for (std::size_t g : {0, 0, 1, 2, 3, 4}) {
        for (std::size_t i = 0; i < 3; ++i) drawn.push_back(rows[3 * g + i]);
    }
    std::vector<double> mean(3);
    std::vector<double> s(9);
    pyexpr::factor_moments({drawn.data(), {6, 3}}, {mean.data(), {3}}, {s.data(), {3, 3}});
    std::vector<double> x;
    CHECK(fit(s, 3, x).status == FactorStatus::converged);
    CHECK(status[0] == static_cast<int>(FactorStatus::converged));
    for (std::size_t k = 0; k < 6; ++k) CHECK(found[k] == doctest::Approx(x[k]).epsilon(1e-12));
    CHECK(status[1] == static_cast<int>(FactorStatus::singular));
    CHECK(std::isnan(found[6]));
    // The drawn rows summed beforehand.
    std::vector<double> totals(20);
    for (std::size_t r = 0; r < 2; ++r) {
        for (std::size_t g = 0; g < 6; ++g) {
            for (std::size_t k = 0; k < 10; ++k) {
                totals[10 * r + k] += counts[6 * r + g] * sums[10 * g + k];
            }
        }
    }
    std::vector<double> alone(12);
    std::vector<int> why(2);
    pyexpr::fit_factor_sums({totals.data(), {2, 10}}, 3, {alone.data(), {2, 6}}, {why.data(), {2}},
                            2);
    for (std::size_t k = 0; k < 6; ++k) CHECK(alone[k] == found[k]);
    CHECK(why == status);
}

TEST_CASE("arrays of the wrong shape are refused") {
    const std::vector<double> square(9, 1.0);
    std::vector<double> out(6);
    std::vector<int> status(1);
    CHECK_THROWS_AS(pyexpr::fit_factor({square.data(), {2, 2}}, {out.data(), {4}}),
                    std::invalid_argument);
    CHECK_THROWS_AS(pyexpr::fit_factor({square.data(), {3, 3}}, {out.data(), {5}}),
                    std::invalid_argument);
    // Three indicators need a count, three sums and six products.
    CHECK_THROWS_AS(pyexpr::fit_factor_sums({square.data(), {1, 9}}, 3, {out.data(), {1, 6}},
                                            {status.data(), {1}}, 1),
                    std::invalid_argument);
    const std::vector<double> sums(20, 1.0);
    CHECK_THROWS_AS(pyexpr::fit_factor_resampled({sums.data(), {2, 10}}, {square.data(), {1, 3}}, 3,
                                                 {out.data(), {1, 6}}, {status.data(), {1}}, 1),
                    std::invalid_argument);
}

TEST_SUITE_END();
