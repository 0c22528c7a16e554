#include "pyexpr/logistic_net.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "penalised_quadratic.hpp"
#include "pyexpr/checked_size.hpp"
#include "pyexpr/parallel.hpp"

namespace pyexpr {
namespace {

// Sweeps over the quadratic model of one step: what they miss the next step finds.
constexpr std::size_t kSweeps = 1000;
// Part of its diagonal that is added to the matrix of second derivatives; above kPivot.
constexpr double kDamping = 1e-8;
// Sweeps between two solves: one for so many coordinates.
constexpr std::size_t kSweepsPerSize = 32;
// A sweep's step below this part of the breach to the power of 1.5 ends the sweeps.
constexpr double kNear = 0.01;
// Part of the promised decrease that a step must bring, and how often it may be halved.
constexpr double kDecrease = 1e-4;
constexpr int kHalvings = 40;
// Objectives closer than this (relative) differ by the rounding of a sum over rows.
constexpr double kRounding = 1e-14;
// Rows between two looks for an interrupt.
constexpr std::size_t kRows = 1024;

void require(bool holds, const char* message) {
    if (!holds) throw std::invalid_argument(message);
}

// Rows (1, z) and labels, the same for all penalties.
struct Rows {
    Rows(const ArrayView<const double, 2>& z, const ArrayView<const std::int64_t, 1>& codes,
         std::size_t n_classes)
        : n(z.shape[0]),
          width(z.shape[1] + 1),
          classes(n_classes),
          vectors(logistic_vectors(n_classes)),
          design(n * width),
          label(codes.data),
          share(n_classes),
          empty(width, 1) {
        for (std::size_t i = 0; i < n; ++i) {
            double* row = &design[i * width];
            row[0] = 1.0;
            std::copy_n(z.row(i), width - 1, row + 1);
            for (std::size_t j = 0; j < width; ++j) {
                require(std::isfinite(row[j]), "z must be finite");
                if (row[j] != 0) empty[j] = 0;
            }
            require(codes(i) >= 0 && static_cast<std::size_t>(codes(i)) < classes,
                    "a label is out of range");
            share[static_cast<std::size_t>(codes(i))] += 1.0 / static_cast<double>(n);
        }
        for (double one : share) require(one > 0, "a class has no row");
    }

    std::size_t n, width, classes, vectors;
    std::vector<double> design;  // (n, width)
    const std::int64_t* label;
    std::vector<double> share;  // of each class
    std::vector<char> empty;    // features that are 0 throughout
};

// Fits one penalty after the other, from where it is. Parameters are (vectors, width), the
// intercept of each vector first.
class LogisticSolver {
  public:
    LogisticSolver(const Rows& rows, const LogisticNetOptions& options)
        : rows_(rows),
          options_(options),
          length_(rows.vectors * rows.width),
          parameters_(length_),
          trial_(length_),
          gradient_(length_),
          chance_(checked_product(rows.n, rows.vectors)),
          chosen_(rows.vectors) {
        // Without weights the shares of the classes are the probabilities.
        double centre = 0;
        for (std::size_t k = 0; k < rows.classes; ++k) {
            centre += std::log(rows.share[k]) / static_cast<double>(rows.classes);
        }
        for (std::size_t m = 0; m < rows.vectors; ++m) {
            parameters_[m * rows.width] = rows.vectors == 1
                                              ? std::log(rows.share[1] / rows.share[0])
                                              : std::log(rows.share[m]) - centre;
        }
    }

    // Moves the parameters to the solution; returns the breach that is left.
    double solve(double l1, double l2) {
        l1_ = l1;
        l2_ = l2;
        double loss = evaluate(parameters_);
        double breach = set_gradient();
        for (std::size_t step = 0; step < options_.max_steps; ++step) {
            if (breach <= options_.tolerance) break;
            check_();
            choose();
            set_model();
            minimise_model(breach);
            if (!move(loss)) break;
            breach = set_gradient();
            if (stood_still_) break;
        }
        if (rows_.vectors > 1) {
            centre_intercepts();
            if (l2 == 0) {
                shift();
                evaluate(parameters_);
                breach = set_gradient();
            }
        }
        return breach;
    }

    [[nodiscard]] const std::vector<double>& parameters() const noexcept { return parameters_; }

  private:
    // Sets the probabilities; returns the mean of -log P(y | z).
    double evaluate(const std::vector<double>& parameters) {
        const std::size_t vectors = rows_.vectors;
        double total = 0;
        for (std::size_t i = 0; i < rows_.n; ++i) {
            if (i % kRows == 0) check_();
            const double* row = &rows_.design[i * rows_.width];
            double* chance = &chance_[i * vectors];
            for (std::size_t m = 0; m < vectors; ++m) {
                const double* own = &parameters[m * rows_.width];
                double value = 0;
                for (std::size_t j = 0; j < rows_.width; ++j) value += row[j] * own[j];
                chance[m] = value;
            }
            const auto label = static_cast<std::size_t>(rows_.label[i]);
            total += vectors == 1 ? two_classes(chance, label) : several_classes(chance, label);
        }
        return total / static_cast<double>(rows_.n);
    }

    // From the linear predictor to the probability of class 1; returns -log P(label).
    static double two_classes(double* chance, std::size_t label) {
        const double away = std::exp(-std::abs(*chance));
        const double against = label == 1 ? -*chance : *chance;
        *chance = *chance >= 0 ? 1 / (1 + away) : away / (1 + away);
        return std::max(0.0, against) + std::log1p(away);
    }

    double several_classes(double* chance, std::size_t label) const {
        const std::size_t vectors = rows_.vectors;
        const double own = chance[label];
        const double largest = *std::max_element(chance, chance + vectors);
        double sum = 0;
        for (std::size_t m = 0; m < vectors; ++m) {
            chance[m] = std::exp(chance[m] - largest);
            sum += chance[m];
        }
        for (std::size_t m = 0; m < vectors; ++m) chance[m] /= sum;
        return std::log(sum) + largest - own;
    }

    [[nodiscard]] double residual(std::size_t i, std::size_t m) const {
        const auto label = static_cast<std::size_t>(rows_.label[i]);
        return chance_[i * rows_.vectors + m] - (label == (rows_.vectors == 1 ? 1 : m) ? 1.0 : 0.0);
    }

    // Of the mean loss, without the penalty; returns the largest breach.
    double set_gradient() {
        std::fill(gradient_.begin(), gradient_.end(), 0.0);
        for (std::size_t i = 0; i < rows_.n; ++i) {
            if (i % kRows == 0) check_();
            const double* row = &rows_.design[i * rows_.width];
            for (std::size_t m = 0; m < rows_.vectors; ++m) {
                const double wrong = residual(i, m);
                double* own = &gradient_[m * rows_.width];
                for (std::size_t j = 0; j < rows_.width; ++j) own[j] += wrong * row[j];
            }
        }
        double worst = 0;
        for (std::size_t c = 0; c < length_; ++c) {
            gradient_[c] /= static_cast<double>(rows_.n);
            worst = std::max(worst, breach(c));
        }
        return worst;
    }

    [[nodiscard]] bool penalised(std::size_t c) const { return c % rows_.width != 0; }

    [[nodiscard]] double breach(std::size_t c) const {
        if (!penalised(c)) return std::abs(gradient_[c]);
        const double weight = parameters_[c];
        const double slope = gradient_[c] + l2_ * weight;
        if (weight != 0) return std::abs(slope + std::copysign(l1_, weight));
        return std::max(0.0, std::abs(slope) - l1_);
    }

    // The coordinates that may move: intercepts, weights that are not 0 or should not be.
    void choose() {
        for (std::size_t m = 0; m < rows_.vectors; ++m) {
            chosen_[m].clear();
            for (std::size_t j = 0; j < rows_.width; ++j) {
                const std::size_t c = m * rows_.width + j;
                const bool moves =
                    j == 0 || l1_ == 0 || parameters_[c] != 0 || std::abs(gradient_[c]) > l1_;
                if (moves && !rows_.empty[j]) chosen_[m].push_back(j);
            }
        }
    }

    // The objective to second order about the parameters, as a function of the parameters.
    void set_model() {
        std::size_t size = 0;
        offset_.clear();
        for (const auto& own : chosen_) {
            offset_.push_back(size);
            size += own.size();
        }
        model_.resize(size);
        std::fill_n(model_.gram.begin(), size * size, 0.0);
        point_.resize(size);
        picked_.resize(kBlock * size);
        for (std::size_t first = 0; first < rows_.n; first += kBlock) {
            if (first % kRows == 0) check_();
            add_block(first, std::min(kBlock, rows_.n - first));
        }
        finish_model();
    }

    // Adds some rows to the matrix of second derivatives.
    void add_block(std::size_t first, std::size_t count) {
        const std::size_t size = model_.size();
        for (std::size_t m = 0; m < rows_.vectors; ++m) {
            for (std::size_t r = 0; r < kBlock; ++r) {
                double* out = &picked_[r * size + offset_[m]];
                // Rows beyond the end of the last block count as 0.
                const double* row = &rows_.design[(first + (r < count ? r : 0)) * rows_.width];
                for (std::size_t j : chosen_[m]) *out++ = r < count ? row[j] : 0.0;
            }
        }
        for (std::size_t m = 0; m < rows_.vectors; ++m) {
            for (std::size_t l = 0; l <= m; ++l) {
                double curvature[kBlock];
                for (std::size_t r = 0; r < kBlock; ++r) {
                    curvature[r] = r < count ? second_derivative(first + r, m, l) : 0.0;
                }
                add_products(m, l, curvature);
            }
        }
    }

    [[nodiscard]] double second_derivative(std::size_t i, std::size_t m, std::size_t l) const {
        const double* chance = &chance_[i * rows_.vectors];
        if (m != l) return -chance[m] * chance[l];
        if (rows_.vectors == 1) return chance[0] * (1 - chance[0]);
        double others = 0;  // keeps its digits where 1 - p does not
        for (std::size_t k = 0; k < rows_.vectors; ++k) others += k == m ? 0.0 : chance[k];
        return chance[m] * others;
    }

    void add_products(std::size_t m, std::size_t l, const double* curvature) {
        const std::size_t size = model_.size();
        const std::size_t height = chosen_[m].size();
        const double* right = &picked_[offset_[l]];
        for (std::size_t a = 0; a < height; ++a) {
            const double* left = &picked_[offset_[m] + a];
            const double f0 = curvature[0] * left[0];
            const double f1 = curvature[1] * left[size];
            const double f2 = curvature[2] * left[2 * size];
            const double f3 = curvature[3] * left[3 * size];
            double* out = &model_.gram[(offset_[m] + a) * size + offset_[l]];
            const std::size_t end = m == l ? a + 1 : chosen_[l].size();
            for (std::size_t b = 0; b < end; ++b) {
                out[b] += f0 * right[b] + f1 * right[size + b] + f2 * right[2 * size + b] +
                          f3 * right[3 * size + b];
            }
        }
    }

    void finish_model() {
        const std::size_t size = model_.size();
        const double n = static_cast<double>(rows_.n);
        for (std::size_t a = 0; a < size; ++a) {
            for (std::size_t b = 0; b <= a; ++b) {
                model_.gram[b * size + a] = model_.gram[a * size + b] /= n;
            }
        }
        // Where the loss is flat (copied features; a number added to a feature's weights in all
        // classes) the matrix is singular: this keeps steps finite and moves no solution.
        for (std::size_t a = 0; a < size; ++a) model_.gram[a * size + a] *= 1 + kDamping;
        for (std::size_t m = 0; m < rows_.vectors; ++m) {
            for (std::size_t a = 0; a < chosen_[m].size(); ++a) {
                const std::size_t c = m * rows_.width + chosen_[m][a];
                const std::size_t at = offset_[m] + a;
                point_[at] = parameters_[c];
                model_.l1[at] = penalised(c) ? l1_ : 0.0;
                model_.l2[at] = penalised(c) ? l2_ : 0.0;
            }
        }
        for (std::size_t m = 0; m < rows_.vectors; ++m) {
            for (std::size_t a = 0; a < chosen_[m].size(); ++a) {
                const std::size_t at = offset_[m] + a;
                double value = -gradient_[m * rows_.width + chosen_[m][a]];
                for (std::size_t b = 0; b < size; ++b) {
                    value += model_.gram[at * size + b] * point_[b];
                }
                model_.product[at] = value;
            }
        }
    }

    // Moves `point_` to the minimum of the model, or so near that the next step is a good one:
    // far from the solution the model is no better than that.
    void minimise_model(double breach) {
        model_.set_gradient(point_.data());
        const double near = kNear * breach * std::sqrt(breach);
        // A solve costs many sweeps where there are many coordinates.
        const std::size_t wait = model_.size() / kSweepsPerSize;
        std::size_t since = 0;
        for (std::size_t sweep = 0; sweep < kSweeps; ++sweep) {
            check_();
            const PenalisedQuadratic::Step step = model_.descend(point_.data());
            if (step.size <= std::max(near, kStandstill * step.largest_weight)) return;
            if (++since <= wait) continue;
            if (model_.polish_or_approach(point_.data())) return;
            since = 0;
        }
    }

    // Goes towards `point_` as far as the objective falls; false if it does not.
    bool move(double& loss) {
        std::vector<double> goal = parameters_;
        double step = 0, largest = 0;
        for (std::size_t m = 0; m < rows_.vectors; ++m) {
            for (std::size_t a = 0; a < chosen_[m].size(); ++a) {
                const std::size_t c = m * rows_.width + chosen_[m][a];
                goal[c] = point_[offset_[m] + a];
                step = std::max(step, std::abs(goal[c] - parameters_[c]));
                largest = std::max(largest, std::abs(goal[c]));
            }
        }
        stood_still_ = step <= kStandstill * largest;
        const double now = loss + penalty(parameters_);
        double promised = penalty(goal) - penalty(parameters_);
        for (std::size_t c = 0; c < length_; ++c) {
            promised += gradient_[c] * (goal[c] - parameters_[c]);
        }
        double part = 1;
        for (int halving = 0; halving < kHalvings; ++halving, part /= 2) {
            for (std::size_t c = 0; c < length_; ++c) {
                // The goal itself, not a sum that rounds: its zeros stay zeros.
                trial_[c] =
                    part == 1 ? goal[c] : parameters_[c] + part * (goal[c] - parameters_[c]);
            }
            const double found = evaluate(trial_);
            if (found + penalty(trial_) <= now + kDecrease * part * promised + kRounding * now) {
                parameters_.swap(trial_);
                loss = found;
                return true;
            }
        }
        evaluate(parameters_);
        return false;
    }

    [[nodiscard]] double penalty(const std::vector<double>& parameters) const {
        double absolute = 0, square = 0;
        for (std::size_t c = 0; c < length_; ++c) {
            if (!penalised(c)) continue;
            absolute += std::abs(parameters[c]);
            square += parameters[c] * parameters[c];
        }
        return l1_ * absolute + 0.5 * l2_ * square;
    }

    // The loss is the same; steps that stop early let the sum drift.
    void centre_intercepts() {
        double mean = 0;
        for (std::size_t m = 0; m < rows_.vectors; ++m) {
            mean += parameters_[m * rows_.width] / static_cast<double>(rows_.vectors);
        }
        for (std::size_t m = 0; m < rows_.vectors; ++m) parameters_[m * rows_.width] -= mean;
    }

    // Without an L2 penalty a number may be added to a feature's weights in all classes; under
    // an L1 penalty as long as as many are above 0 as below. Takes those nearest to a mean of 0.
    void shift() {
        std::vector<double> sorted(rows_.vectors);
        for (std::size_t j = 1; j < rows_.width; ++j) {
            double mean = 0;
            for (std::size_t m = 0; m < rows_.vectors; ++m) {
                sorted[m] = parameters_[m * rows_.width + j];
                mean += sorted[m] / static_cast<double>(rows_.vectors);
            }
            std::sort(sorted.begin(), sorted.end());
            const double low = sorted[(rows_.vectors - 1) / 2];
            const double high = sorted[rows_.vectors / 2];
            const double moved = l1_ == 0 ? mean : std::clamp(mean, low, high);
            if (moved == 0) continue;
            for (std::size_t m = 0; m < rows_.vectors; ++m) {
                parameters_[m * rows_.width + j] -= moved;
            }
        }
    }

    // Rows whose products are added up at a time.
    static constexpr std::size_t kBlock = 4;

    const Rows& rows_;
    const LogisticNetOptions& options_;
    std::size_t length_;
    double l1_ = 0, l2_ = 0;
    bool stood_still_ = false;  // the last step was rounding
    std::vector<double> parameters_, trial_;
    std::vector<double> gradient_;
    std::vector<double> chance_;                    // (n, vectors)
    std::vector<std::vector<std::size_t>> chosen_;  // of each vector, ascending
    std::vector<std::size_t> offset_;               // where each vector's begin in the model
    std::vector<double> picked_, point_;
    PenalisedQuadratic model_;
    InterruptCheck check_;
};

}  // namespace

void logistic_net_fits(const ArrayView<const double, 2>& z,
                       const ArrayView<const std::int64_t, 1>& label, std::size_t n_classes,
                       const ArrayView<const double, 1>& alphas,
                       const ArrayView<const double, 1>& l1_ratios,
                       const LogisticNetOptions& options, const LogisticNetFits& fits) {
    const std::size_t n_alphas = alphas.shape[0];
    const std::size_t n_ratios = l1_ratios.shape[0];
    const std::size_t p = z.shape[1];
    require(n_classes >= 2, "there must be at least two classes");
    require(label.shape[0] == z.shape[0], "z and label must have the same rows");
    require(n_classes <= z.shape[0], "a class has no row");
    const std::size_t vectors = logistic_vectors(n_classes);
    require(fits.coef.shape == std::array<std::size_t, 4>{n_alphas, n_ratios, vectors, p},
            "coef has a wrong shape");
    require(fits.intercept.shape == std::array<std::size_t, 3>{n_alphas, n_ratios, vectors},
            "intercept has a wrong shape");
    require(fits.breach.shape == std::array<std::size_t, 2>{n_alphas, n_ratios},
            "breach has a wrong shape");
    for (std::size_t i = 0; i < n_alphas; ++i) {
        require(alphas(i) >= 0 && std::isfinite(alphas(i)) && (i == 0 || alphas(i) < alphas(i - 1)),
                "alphas must be at least 0 and descending");
    }
    for (std::size_t j = 0; j < n_ratios; ++j) {
        require(l1_ratios(j) >= 0 && l1_ratios(j) <= 1, "l1_ratios must be between 0 and 1");
    }
    const Rows rows(z, label, n_classes);

    parallel_for(n_ratios, options.n_threads, [&] {
        return [&](std::size_t j) {
            LogisticSolver solver(rows, options);
            for (std::size_t i = 0; i < n_alphas; ++i) {
                const double l1 = alphas(i) * l1_ratios(j);
                fits.breach(i, j) = solver.solve(l1, alphas(i) - l1);
                const std::vector<double>& found = solver.parameters();
                for (std::size_t m = 0; m < vectors; ++m) {
                    fits.intercept(i, j, m) = found[m * (p + 1)];
                    std::copy_n(found.data() + m * (p + 1) + 1, p, fits.coef.row(i, j, m));
                }
            }
        };
    });
}

}  // namespace pyexpr
