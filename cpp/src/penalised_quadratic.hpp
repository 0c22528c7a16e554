// Minimum of 1/2 w'Gw - c'w + sum_j l1_j |w_j| + 1/2 l2_j w_j^2, which every elastic net here
// comes down to: coordinate descent finds the signs, a Cholesky solve the weights.
//
// G is symmetric and positive semidefinite; a coordinate with G_jj = 0 is left at 0.
// Reference: Friedman, Hastie and Tibshirani (2010), J. Stat. Software 33(1), section 2.2.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace pyexpr {

// Slack of the optimality conditions, relative to the L1 penalty: rounding of p products.
inline constexpr double kSlack = 1e-12;
// A sweep whose largest step is this small beside the largest weight has stood still.
inline constexpr double kStandstill = 1e-14;
// A pivot below this part of its diagonal is mostly rounding.
inline constexpr double kPivot = 1e-10;

// One problem at a time; keeps its memory between problems. The caller fills `gram`
// (rows of length `size`), `product`, `l1` and `l2`, of the first `size` coordinates.
class PenalisedQuadratic {
  public:
    // What a sweep over the coordinates did.
    struct Step {
        double size = 0;
        double largest_weight = 0;
        bool signs_changed = false;
    };

    void resize(std::size_t n) {
        size_ = n;
        if (gram.size() < n * n) gram.resize(n * n), factor_.resize(n * n);
        for (auto* one : {&product, &l1, &l2, &gradient, &trial_, &solution_}) {
            if (one->size() < n) one->resize(n);
        }
        active_.reserve(n);
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    // gradient = c - G w.
    void set_gradient(const double* weights) {
        for (std::size_t j = 0; j < size_; ++j) {
            double value = product[j];
            for (std::size_t k = 0; k < size_; ++k) value -= gram[j * size_ + k] * weights[k];
            gradient[j] = value;
        }
    }

    // One sweep; `gradient` must be that of `weights`, and stays so but for rounding.
    Step descend(double* weights) {
        Step step;
        for (std::size_t j = 0; j < size_; ++j) {
            const double curvature = gram[j * size_ + j];
            if (curvature == 0) continue;
            const double before = weights[j];
            const double rho = gradient[j] + curvature * before;
            const double size = std::abs(rho) - l1[j];
            const double after = size > 0 ? std::copysign(size, rho) / (curvature + l2[j]) : 0.0;
            step.largest_weight = std::max(step.largest_weight, std::abs(after));
            if (after == before) continue;
            step.size = std::max(step.size, std::abs(after - before));
            if ((after > 0) != (before > 0) || (after < 0) != (before < 0)) {
                step.signs_changed = true;
            }
            const double change = after - before;
            const double* row = gram.data() + j * size_;
            for (std::size_t k = 0; k < size_; ++k) gradient[k] -= row[k] * change;
            weights[j] = after;
        }
        return step;
    }

    // Solves (G + l2 I) w = c - l1 sign(w) on the coordinates that are not 0, or have no L1
    // penalty. Takes the solution and returns true if it is optimal: same signs, no other
    // coordinate wants in.
    bool polish(double* weights) {
        if (!solve_signs(weights) || !same_signs(weights) || !none_wants_in(weights)) return false;
        take(trial_.data(), weights);
        return true;
    }

    // The same; where signs differ, it goes towards that solution as far as the objective
    // falls, which is where some coordinate becomes 0, or further.
    bool polish_or_approach(double* weights) {
        if (!solve_signs(weights)) return false;
        if (same_signs(weights)) {
            const bool optimal = none_wants_in(weights);
            take(trial_.data(), weights);
            return optimal;
        }
        search(weights);
        return false;
    }

    std::vector<double> gram, product, l1, l2;
    std::vector<double> gradient;

  private:
    // The solution with the signs of `weights`, in `trial_`; false if it is not safe.
    bool solve_signs(const double* weights) {
        active_.clear();
        for (std::size_t j = 0; j < size_; ++j) {
            if ((weights[j] != 0 || l1[j] == 0) && gram[j * size_ + j] != 0) active_.push_back(j);
        }
        const std::size_t n = active_.size();
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t j = active_[i];
            solution_[i] = product[j] - (l1[j] == 0 ? 0.0 : std::copysign(l1[j], weights[j]));
            double* row = &factor_[i * size_];
            for (std::size_t k = i; k < n; ++k) {
                row[k] = gram[j * size_ + active_[k]] + (i == k ? l2[j] : 0.0);
            }
        }
        if (!cholesky_solve(n)) return false;
        std::fill_n(trial_.begin(), size_, 0.0);
        for (std::size_t i = 0; i < n; ++i) trial_[active_[i]] = solution_[i];
        return true;
    }

    [[nodiscard]] bool same_signs(const double* weights) const {
        return std::none_of(active_.begin(), active_.end(), [&](std::size_t j) {
            return l1[j] > 0 && trial_[j] * weights[j] <= 0;
        });
    }

    // Whether the coordinates that are 0 stay so beside `trial_`.
    [[nodiscard]] bool none_wants_in(const double* weights) const {
        for (std::size_t j = 0; j < size_; ++j) {
            if (l1[j] == 0 || gram[j * size_ + j] == 0 || weights[j] != 0) continue;
            double wanted = product[j];
            for (std::size_t k = 0; k < size_; ++k) wanted -= gram[j * size_ + k] * trial_[k];
            if (std::abs(wanted) > l1[j] * (1 + kSlack)) return false;
        }
        return true;
    }

    void take(const double* found, double* weights) {
        std::copy_n(found, size_, weights);
        set_gradient(weights);
    }

    // Moves `weights` to the lowest point between them and `trial_`. Along that line the
    // objective is convex, and quadratic between the places where a coordinate is 0.
    void search(double* weights) {
        double slope = 0, curvature = 0;
        crossings_.clear();
        for (std::size_t j : active_) {
            const double move = trial_[j] - weights[j];
            double along = l2[j] * move;
            for (std::size_t k : active_) along += gram[j * size_ + k] * (trial_[k] - weights[k]);
            curvature += move * along;
            slope += move * (l2[j] * weights[j] - gradient[j]);
            if (l1[j] == 0) continue;
            slope += move * std::copysign(l1[j], weights[j]);
            if (trial_[j] * weights[j] <= 0) crossings_.emplace_back(-weights[j] / move, j);
        }
        std::sort(crossings_.begin(), crossings_.end());
        double part = 1;
        std::size_t zero = size_;  // the coordinate that becomes 0, if one does
        for (const auto& [place, j] : crossings_) {
            if (slope + curvature * place >= 0) break;
            slope += 2 * l1[j] * std::abs(trial_[j] - weights[j]);
            if (slope + curvature * place < 0) continue;
            part = place;
            zero = j;
            break;
        }
        if (zero == size_ && curvature > 0) part = std::clamp(-slope / curvature, 0.0, 1.0);
        for (std::size_t j : active_) weights[j] += part * (trial_[j] - weights[j]);
        if (zero < size_) weights[zero] = 0.0;
        set_gradient(weights);
    }

    // Overwrites factor_ (its upper half, row by row) and solution_; false if the matrix is
    // not safely positive definite.
    bool cholesky_solve(std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) {
            double* row = &factor_[i * size_];
            for (std::size_t h = 0; h < i; ++h) {
                subtract(&factor_[h * size_], factor_[h * size_ + i], i, n, row);
            }
            const std::size_t j = active_[i];
            if (row[i] <= kPivot * gram[j * size_ + j]) return false;
            row[i] = std::sqrt(row[i]);
            for (std::size_t k = i + 1; k < n; ++k) row[k] /= row[i];
        }
        for (std::size_t i = 0; i < n; ++i) {
            const double* row = &factor_[i * size_];
            solution_[i] /= row[i];
            subtract(row, solution_[i], i + 1, n, solution_.data());
        }
        for (std::size_t i = n; i-- > 0;) {
            const double* row = &factor_[i * size_];
            for (std::size_t k = i + 1; k < n; ++k) solution_[i] -= row[k] * solution_[k];
            solution_[i] /= row[i];
        }
        return true;
    }

    static void subtract(const double* row, double times, std::size_t first, std::size_t last,
                         double* out) {
        for (std::size_t k = first; k < last; ++k) out[k] -= times * row[k];
    }

    std::size_t size_ = 0;
    std::vector<double> factor_, trial_, solution_;
    std::vector<std::size_t> active_;
    std::vector<std::pair<double, std::size_t>> crossings_;
};

}  // namespace pyexpr
