// Mean squares of one-way and two-way layouts, for intraclass correlations.
//
// Values are shifted before they are summed (a mean square does not change, and
// near values subtract without rounding), then read once. A sum of squares of at
// most 64 eps times the shifted sum of all squares is rounding, and set to 0.
//
// McGraw, K. O. and Wong, S. P. (1996). Forming inferences about some intraclass
// correlation coefficients. Psychological Methods, 1, 30-46.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyexpr/array_view.hpp"

namespace pyexpr::icc {

// The targets that have the same number of ratings: what Wald's interval needs of them.
struct SizeClass {
    double size;         // ratings per target
    double count;        // targets
    double mean;         // of the targets' means, shifted
    double sum_squares;  // of the targets' means about `mean`
};

// Targets without a rating are not counted. A mean square without degrees of
// freedom is NaN.
struct OneWay {
    std::size_t n_targets = 0;
    std::size_t n_ratings = 0;
    std::size_t n_single = 0;      // targets with one rating
    double n0 = 0;                 // (n - sum n_i^2 / n) / (N - 1); NaN for N < 2
    double n_harmonic = 0;         // harmonic mean of the n_i
    double ms_between = 0;         // sum n_i (m_i - m)^2 / (N - 1)
    double ms_within = 0;          // sum (x_ij - m_i)^2 / (n - N)
    double signal = 0;             // sigma^2_target / sigma^2_error, see below
    std::vector<SizeClass> sizes;  // ascending by size
};

// Every target rated once by every rater.
struct TwoWay {
    std::size_t n_targets = 0;
    std::size_t n_raters = 0;
    double ms_targets = 0;
    double ms_raters = 0;
    double ms_error = 0;
    double signal_agreement = 0;    // sigma^2_target / (sigma^2_rater + sigma^2_error)
    double signal_consistency = 0;  // sigma^2_target / sigma^2_error
};

struct MatrixSquares {
    OneWay one_way;
    bool complete = false;  // no NaN, two rows and two columns at least: two_way is filled
    TwoWay two_way;
};

// values: (targets, raters), NaN where there is no rating. Rows of NaN alone are
// not targets. O(values), one pass, O(raters) memory.
[[nodiscard]] MatrixSquares matrix_squares(ArrayView<const double, 2> values);

// values: (ratings,), NaN ratings are left out; targets: (ratings,), codes in
// [0, n_targets) in any order. O(values + n_targets), one pass over the values.
// Throws std::invalid_argument for a code outside the range or unequal lengths.
[[nodiscard]] OneWay long_squares(ArrayView<const double, 1> values,
                                  ArrayView<const std::int64_t, 1> targets, std::size_t n_targets);

// Puts long ratings into `cells` (targets, raters), NaN where none; NaN ratings
// are left out. Returns the number of ratings that fell on a cell already taken
// (which keeps its first rating). Throws as long_squares.
[[nodiscard]] std::size_t fill_cells(ArrayView<const double, 1> values,
                                     ArrayView<const std::int64_t, 1> targets,
                                     ArrayView<const std::int64_t, 1> raters,
                                     ArrayView<double, 2> cells);

// Wald's (1940) exact limit: the theta > -1/max n_i with
//   sum_i w_i (m_i - m_w)^2 / ((N - 1) ms_within) = quantile,  w_i = n_i / (1 + n_i theta),
// or -1/max n_i itself where there is none. Bisection to the last bit in
// rho = theta / (1 + theta). Needs ms_within > 0 and quantile > 0.
// Wald, A. (1940). A note on the analysis of variance with unequal class
// frequencies. Annals of Mathematical Statistics, 11, 96-100.
[[nodiscard]] double wald_limit(ArrayView<const double, 2> sizes, double ms_within,
                                double quantile);

}  // namespace pyexpr::icc
