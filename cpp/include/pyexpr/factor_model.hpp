// One-factor model by maximum likelihood, from means and covariances.
//
//   x = nu + lambda f + e,  var f = 1,  var e_j = theta_j:  Sigma = lambda lambda' + diag(theta)
//
// Minimised is F = log|Sigma| + tr(S Sigma^-1) - log|S| - p, S with divisor n
// (lavaan's likelihood = "normal"); theta is not bounded, so a Heywood case has a
// negative theta as in lavaan. Three indicators have a closed form (S is fitted
// exactly); more are found by Newton's method on (lambda, theta), damped, with the
// expected information in place of an indefinite Hessian.
// Reference: Joereskog (1967), Psychometrika 32, 443-482; Lawley & Maxwell (1971).
#pragma once

#include <cstddef>
#include <vector>

#include "pyexpr/array_view.hpp"

namespace pyexpr {

enum class FactorStatus : int {
    converged = 0,
    singular = 1,             // S is not positive definite
    nonpositive_product = 2,  // three indicators with s12 s13 s23 <= 0: no real loadings
    not_converged = 3,        // no minimum was reached
};

struct FactorFit {
    FactorStatus status = FactorStatus::not_converged;
    double discrepancy = 0.0;  // F at the solution, 0 for three indicators
    int iterations = 0;        // Newton steps
};

// Means and covariances (divisor n) of the rows of x (n, p).
// x must not contain NaN. mean: (p), covariance: (p, p), both written. Two passes, so
// that an offset costs no digits. O(n p^2).
void factor_moments(ArrayView<const double, 2> x, ArrayView<double, 1> mean,
                    ArrayView<double, 2> covariance);

// Fit to covariance (p, p), p >= 3, finite. Written: parameters (2 p): lambda, then
// theta, with sum lambda_j / sqrt(s_jj) > 0. Of a failed fit parameters are NaN.
// O(p^3) a step.
FactorFit fit_factor(ArrayView<const double, 2> covariance, ArrayView<double, 1> parameters);

// Covariance matrix (2 p, 2 p) of (lambda, theta) for n rows by the expected
// information, at the given parameters. False, and NaN written, where it is singular.
bool factor_information_inverse(ArrayView<const double, 1> parameters, std::size_t n_rows,
                                ArrayView<double, 2> vcov);

// Fit each row of `sums` (B, 1 + p + p (p + 1) / 2), laid out as below, on its own.
// Written: parameters (B, 2 p), NaN where undefined, and status (B). The same bytes at
// any number of threads (0: one per core). O(B p^3).
void fit_factor_sums(ArrayView<const double, 2> sums, std::size_t p,
                     ArrayView<double, 2> parameters, ArrayView<int, 1> status,
                     std::size_t n_threads = 1);

// Fit replicates of a resampling of clusters. Each of n_clusters clusters has
// (count, sum of x (p), sum of x x' (p (p + 1) / 2, upper triangle by rows)) in
// `sums` (n_clusters, 1 + p + p (p + 1) / 2), x centred near its mean; `counts`
// (B, n_clusters) says how often each is drawn. Written: parameters (B, 2 p), NaN
// where undefined, and status (B). Replicates are independent: the same bytes at any
// number of threads (0: one per core). O(B (n_clusters p^2 + p^3)).
void fit_factor_resampled(ArrayView<const double, 2> sums, ArrayView<const double, 2> counts,
                          std::size_t p, ArrayView<double, 2> parameters, ArrayView<int, 1> status,
                          std::size_t n_threads = 1);

}  // namespace pyexpr
