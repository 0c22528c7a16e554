// Logistic regression with the penalty of the elastic net, two classes or more.
//
// The objective, over the weights b of the features z and the intercepts a, is
//
//   1/n sum_i -log P(y_i | z_i) + alpha l1_ratio |b|_1 + alpha (1 - l1_ratio)/2 |b|^2
//
// With two classes there is one vector of weights: P(1 | z) = 1 / (1 + exp(-a - z'b)). With
// K > 2 there are K, symmetrically: P(k | z) = exp(a_k + z'b_k) / sum_l exp(a_l + z'b_l).
// Intercepts are not penalised; K > 2 of them sum to 0.
//
// Missing values: none may reach these functions.
// Reference: Friedman, Hastie and Tibshirani (2010), J. Stat. Software 33(1), sections 3
// and 4; steps and line search as in Lee, Sun and Saunders (2014), SIAM J. Optim. 24,
// 1420-1443.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyexpr/array_view.hpp"

namespace pyexpr {

// What a fit is given beside the data.
struct LogisticNetOptions {
    double tolerance = 1e-12;     // breach of the optimality conditions to stop at
    std::size_t max_steps = 200;  // of Newton's method, per fit
    std::size_t n_threads = 0;    // 0: one per core
};

// Where the fits are written. A alphas, R l1_ratios, M vectors of weights (1 for two
// classes, else one per class), p features.
struct LogisticNetFits {
    ArrayView<double, 4> coef;       // (A, R, M, p); features that are 0 in every row get 0
    ArrayView<double, 3> intercept;  // (A, R, M)
    ArrayView<double, 2> breach;     // (A, R), of the optimality conditions
};

// Vectors of weights for so many classes.
[[nodiscard]] constexpr std::size_t logistic_vectors(std::size_t n_classes) noexcept {
    return n_classes == 2 ? 1 : n_classes;
}

// Fits every (alpha, l1_ratio).
//   z (n, p), the features, best with mean 0 and standard deviation 1; label (n,) codes in
//   [0, n_classes), each of them present; alphas (A,) descending, not negative; l1_ratios
//   (R,) in [0, 1]. Each ratio begins from no weights at its first alpha and goes on from
//   the alpha before.
// The breach is the largest distance of 0 from the objective's subgradient, over all weights
// and intercepts: of the mean over rows of residual times feature, where residuals are
// between -1 and 1. Steps are Newton's, on the weights that are not 0 or want to leave it,
// with a line search on the objective, until the breach is within the tolerance or a step
// is no more than rounding; the caller decides about a larger breach.
// Where the minimum is not one point: under an L1 penalty alone (l1_ratio 1) the weights of
// a feature in K > 2 classes are those nearest to a mean of 0, the limit of a vanishing L2
// penalty; without any penalty they sum to 0. Without any penalty the minimum may be at
// infinity (separated classes), which the caller has to find out.
// O(A R steps n (s^2 + p M)) with s weights that are not 0; each ratio is computed alone and
// rows add up in their order, so the bytes do not depend on the number of threads.
// Throws std::invalid_argument if shapes, codes or penalties are wrong.
void logistic_net_fits(const ArrayView<const double, 2>& z,
                       const ArrayView<const std::int64_t, 1>& label, std::size_t n_classes,
                       const ArrayView<const double, 1>& alphas,
                       const ArrayView<const double, 1>& l1_ratios,
                       const LogisticNetOptions& options, const LogisticNetFits& fits);

}  // namespace pyexpr
