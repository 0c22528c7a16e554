// Elastic net refitted on resampled clusters, from sums per cluster.
//
// The objective, over the weights b of standardised features z (mean 0 and
// standard deviation 1 with divisor n, on the rows fitted) and an intercept a, is
//
//   1/(2n) sum (y - a - z'b)^2 + alpha l1_ratio |b|_1 + alpha (1 - l1_ratio)/2 |b|^2
//
// and depends on the rows only through n, their sums, and their sums of squares and
// products. Those of a resample are the clusters' own, weighted by how often each
// was drawn: a refit costs O(G p^2), however many rows a cluster has.
//
// Missing values: none may reach these functions.
// Reference: Friedman, Hastie and Tibshirani (2010), J. Stat. Software 33(1),
// section 2.2 (covariance updates); duality gap as in Kim et al. (2007),
// IEEE J. Sel. Top. Signal Process. 1, 606-617, with the ridge term as extra rows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyexpr/array_view.hpp"
#include "pyexpr/checked_size.hpp"

namespace pyexpr {

// Length of one cluster's sums: n, then sum v_a, then sum v_a v_b for a <= b row by
// row, with v = (x_1 .. x_p, y).
[[nodiscard]] constexpr std::size_t cross_product_length(std::size_t n_features) {
    const std::size_t n_variables = checked_sum(n_features, 1);
    const std::size_t pairs = checked_product(n_variables, checked_sum(n_variables, 1)) / 2;
    return checked_sum(1 + n_variables, pairs);
}

// Sums per cluster of v_a = (value - centre_a) / spread_a, which keeps digits that
// raw sums of products would lose.
//   x (n, p), y (n,), cluster (n,) codes in [0, G), centre and spread (p + 1,), the
//   label's last; sums (G, cross_product_length(p)), overwritten.
// O(n p^2) time, no memory beyond `sums`. Rows add up in their order.
// Throws std::invalid_argument if shapes disagree or a code is out of range.
void cross_products(const ArrayView<const double, 2>& x, const ArrayView<const double, 1>& y,
                    const ArrayView<const std::int64_t, 1>& cluster,
                    const ArrayView<const double, 1>& centre,
                    const ArrayView<const double, 1>& spread, const ArrayView<double, 2>& sums);

// What a fit is given beside the data.
struct ElasticNetOptions {
    double tolerance = 1e-12;         // largest duality gap, as a part of the label's variance
    std::size_t max_sweeps = 100000;  // over all features, per fit
    std::size_t n_threads = 0;        // 0: one per core
};

// Where the fits are written. B resamples, A alphas, R l1_ratios, p features.
struct ElasticNetFits {
    ArrayView<double, 4> coef;       // (B, A, R, p), of the standardised features; constants 0
    ArrayView<double, 1> intercept;  // (B,), the mean of v_y
    ArrayView<double, 2> mean;       // (B, p), of v
    ArrayView<double, 2> scale;      // (B, p), divisor n; 0 for constant features
    ArrayView<double, 3> gap;        // (B, A, R), duality gap of the objective
};

// Fits every (alpha, l1_ratio) on every resample.
//   sums (G, cross_product_length(p)) from `cross_products`; counts (B, G), how often each
//   cluster was drawn; alphas (A,) descending and above 0; l1_ratios (R,) in [0, 1];
//   start (p,), weights to begin from at the first alpha of each ratio; the next alphas
//   begin from the one before.
// At l1_ratio 0 the solution is closed. Otherwise coordinate descent finds the signs and
// a Cholesky solve on the nonzero features the weights, accepted if the optimality
// conditions hold; where that fails (singular), descent goes on to the tolerance.
// A feature is constant if its variance is at most 1e-12 of its mean square. A gap above
// the caller decides about the tolerance. A resample of no rows gives NaN throughout.
// O(B (G p^2 + A R sweeps p^2)); each resample is computed alone, in the order of the
// clusters, so the bytes do not depend on the number of threads.
// Throws std::invalid_argument if shapes or penalties are wrong.
void elastic_net_fits(const ArrayView<const double, 2>& sums,
                      const ArrayView<const std::int64_t, 2>& counts,
                      const ArrayView<const double, 1>& alphas,
                      const ArrayView<const double, 1>& l1_ratios,
                      const ArrayView<const double, 1>& start, const ElasticNetOptions& options,
                      const ElasticNetFits& fits);

// Sums of squared errors of those fits on other clusters, or other draws of them.
//   counts (B, G): the rows to predict; squared_errors (B, A, R), n_rows (B,), overwritten.
// O(B (G p^2 + A R p^2)).
void elastic_net_squared_errors(const ArrayView<const double, 2>& sums,
                                const ArrayView<const std::int64_t, 2>& counts,
                                const ElasticNetFits& fits, std::size_t n_threads,
                                const ArrayView<double, 3>& squared_errors,
                                const ArrayView<double, 1>& n_rows);

}  // namespace pyexpr
