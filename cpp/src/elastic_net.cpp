#include "pyexpr/elastic_net.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "penalised_quadratic.hpp"
#include "pyexpr/parallel.hpp"

namespace pyexpr {
namespace {

// A variance this small beside its mean square is rounding, not spread.
constexpr double kConstant = 1e-12;

void require(bool holds, const char* message) {
    if (!holds) throw std::invalid_argument(message);
}

std::size_t features_of(const ArrayView<const double, 2>& sums) {
    std::size_t p = 0;
    while (cross_product_length(p) < sums.shape[1]) ++p;
    require(cross_product_length(p) == sums.shape[1] && p > 0,
            "sums has a wrong number of columns");
    return p;
}

// Sums of one resample, unpacked and standardised.
struct Moments {
    explicit Moments(std::size_t n_features)
        : p(n_features),
          total(cross_product_length(n_features)),
          mean(p),
          scale(p),
          constant(p),
          gram(p * p),
          product(p) {}

    std::size_t p;
    std::vector<double> total;  // in the layout of cross_product_length
    double n = 0;
    double label_mean = 0;
    double label_variance = 0;
    std::vector<double> mean, scale;
    std::vector<char> constant;
    std::vector<double> gram;     // correlations; 0 beside constant features
    std::vector<double> product;  // Z'y/n, y centred

    // Where sum v_a v_b lies, a <= b; variable p is the label.
    [[nodiscard]] std::size_t at(std::size_t a, std::size_t b) const noexcept {
        const std::size_t q = p + 1;
        return 1 + q + a * q - a * (a + 1) / 2 + b;
    }

    void add_up(const ArrayView<const double, 2>& sums, const std::int64_t* count) {
        std::fill(total.begin(), total.end(), 0.0);
        const std::size_t length = total.size();
        for (std::size_t g = 0; g < sums.shape[0]; ++g) {
            if (count[g] == 0) continue;
            const double times = static_cast<double>(count[g]);
            const double* own = sums.data + g * length;
            for (std::size_t k = 0; k < length; ++k) total[k] += times * own[k];
        }
        n = total[0];
    }

    void standardise() {
        label_mean = total[1 + p] / n;
        label_variance = std::max(0.0, total[at(p, p)] / n - label_mean * label_mean);
        for (std::size_t j = 0; j < p; ++j) {
            mean[j] = total[1 + j] / n;
            const double square = total[at(j, j)] / n;
            const double variance = square - mean[j] * mean[j];
            constant[j] = variance <= kConstant * square;
            scale[j] = constant[j] ? 0.0 : std::sqrt(variance);
        }
        for (std::size_t j = 0; j < p; ++j) {
            for (std::size_t k = j; k < p; ++k) {
                const bool none = constant[j] || constant[k];
                const double covariance = total[at(j, k)] / n - mean[j] * mean[k];
                const double r = none ? 0.0 : j == k ? 1.0 : covariance / (scale[j] * scale[k]);
                gram[j * p + k] = gram[k * p + j] = r;
            }
            const double covariance = total[at(j, p)] / n - mean[j] * label_mean;
            product[j] = constant[j] ? 0.0 : covariance / scale[j];
        }
    }
};

// One fit at a time on the moments of one resample; keeps its memory between fits.
class Solver {
  public:
    Solver(const Moments& moments, const ElasticNetOptions& options)
        : m_(moments), options_(options), p_(moments.p) {
        problem_.resize(p_);
        std::copy(m_.gram.begin(), m_.gram.end(), problem_.gram.begin());
        std::copy(m_.product.begin(), m_.product.end(), problem_.product.begin());
    }

    // Moves `weights` from where they are to the solution; returns the duality gap.
    double solve(double l1, double l2, double* weights) {
        std::fill(problem_.l1.begin(), problem_.l1.end(), l1);
        std::fill(problem_.l2.begin(), problem_.l2.end(), l2);
        for (std::size_t j = 0; j < p_; ++j) {
            if (m_.constant[j]) weights[j] = 0.0;
        }
        if (l1 == 0) {
            // l2 > 0: the matrix is positive definite, but with a tiny l2 not safely so.
            if (!problem_.polish(weights)) problem_.set_gradient(weights);
            return ridge_gap(l2, weights);
        }
        problem_.set_gradient(weights);
        const double largest_gap = options_.tolerance * m_.label_variance;
        bool tried = false;
        for (std::size_t sweep = 0; sweep < options_.max_sweeps; ++sweep) {
            check_();
            const PenalisedQuadratic::Step step = problem_.descend(weights);
            if (step.signs_changed) {
                tried = false;
            } else if (!tried) {
                tried = true;  // Once per set of signs: descent goes on if it fails.
                if (problem_.polish(weights)) return gap(l1, l2, weights);
            }
            if (step.size <= kStandstill * step.largest_weight) {
                problem_.set_gradient(weights);  // Free of the rounding of the updates.
                const double found = gap(l1, l2, weights);
                if (found <= largest_gap) return found;
            }
        }
        problem_.set_gradient(weights);
        return gap(l1, l2, weights);
    }

  private:
    // Of the smooth objective, at least l2 strongly convex: |gradient|^2 / (2 l2).
    [[nodiscard]] double ridge_gap(double l2, const double* weights) const {
        double square = 0;
        for (std::size_t j = 0; j < p_; ++j) {
            const double slope = problem_.gradient[j] - l2 * weights[j];
            square += slope * slope;
        }
        return square / (2 * l2);
    }

    // With the ridge term as rows sqrt(n l2) I of the design, and labels 0 there.
    [[nodiscard]] double gap(double l1, double l2, const double* weights) const {
        double fitted = 0, squares = 0, absolute = 0, dual_norm = 0, against = 0;
        for (std::size_t j = 0; j < p_; ++j) {
            const double gradient = problem_.gradient[j];
            fitted += weights[j] * m_.product[j];
            against += weights[j] * gradient;
            squares += weights[j] * weights[j];
            absolute += std::abs(weights[j]);
            dual_norm = std::max(dual_norm, std::abs(gradient - l2 * weights[j]));
        }
        // Residual r: r'r = y'r - b'Z'r, and y'r = y'y - y'Zb.
        const double label_residual = m_.label_variance - fitted;
        const double residual = label_residual - against;
        const double shrink = dual_norm > l1 ? l1 / dual_norm : 1.0;
        return 0.5 * (1 + shrink * shrink) * (residual + l2 * squares) + l1 * absolute -
               shrink * label_residual;
    }

    const Moments& m_;
    const ElasticNetOptions& options_;
    std::size_t p_;
    PenalisedQuadratic problem_;  // its gradient is Z'(y - Zb)/n
    InterruptCheck check_;
};

void check_fits(const ElasticNetFits& fits, std::size_t n_resamples, std::size_t p) {
    const auto& shape = fits.coef.shape;
    require(shape[0] == n_resamples && shape[3] == p, "coef has a wrong shape");
    require(fits.intercept.shape[0] == n_resamples, "intercept has a wrong shape");
    require(fits.mean.shape[0] == n_resamples && fits.mean.shape[1] == p, "mean has a wrong shape");
    require(fits.scale.shape[0] == n_resamples && fits.scale.shape[1] == p,
            "scale has a wrong shape");
}

}  // namespace

void cross_products(const ArrayView<const double, 2>& x, const ArrayView<const double, 1>& y,
                    const ArrayView<const std::int64_t, 1>& cluster,
                    const ArrayView<const double, 1>& centre,
                    const ArrayView<const double, 1>& spread, const ArrayView<double, 2>& sums) {
    const std::size_t n = x.shape[0];
    const std::size_t p = x.shape[1];
    const std::size_t length = cross_product_length(p);
    require(y.shape[0] == n && cluster.shape[0] == n, "x, y and cluster must have the same rows");
    require(centre.shape[0] == p + 1 && spread.shape[0] == p + 1, "centre and spread need p + 1");
    require(sums.shape[1] == length, "sums has a wrong number of columns");
    std::fill(sums.data, sums.data + sums.size(), 0.0);
    std::vector<double> row(p + 1);
    InterruptCheck check;
    for (std::size_t i = 0; i < n; ++i) {
        if (i % 1024 == 0) check();
        const std::int64_t code = cluster(i);
        require(code >= 0 && static_cast<std::size_t>(code) < sums.shape[0],
                "a cluster code is out of range");
        for (std::size_t j = 0; j <= p; ++j) {
            row[j] = ((j < p ? x(i, j) : y(i)) - centre(j)) / spread(j);
        }
        double* own = sums.data + static_cast<std::size_t>(code) * length;
        *own++ += 1.0;
        for (std::size_t a = 0; a <= p; ++a) *own++ += row[a];
        for (std::size_t a = 0; a <= p; ++a) {
            for (std::size_t b = a; b <= p; ++b) *own++ += row[a] * row[b];
        }
    }
}

void elastic_net_fits(const ArrayView<const double, 2>& sums,
                      const ArrayView<const std::int64_t, 2>& counts,
                      const ArrayView<const double, 1>& alphas,
                      const ArrayView<const double, 1>& l1_ratios,
                      const ArrayView<const double, 1>& start, const ElasticNetOptions& options,
                      const ElasticNetFits& fits) {
    const std::size_t p = features_of(sums);
    const std::size_t n_alphas = alphas.shape[0];
    const std::size_t n_ratios = l1_ratios.shape[0];
    require(counts.shape[1] == sums.shape[0], "counts must have one column per cluster");
    require(start.shape[0] == p, "start must have one weight per feature");
    check_fits(fits, counts.shape[0], p);
    require(fits.coef.shape[1] == n_alphas && fits.coef.shape[2] == n_ratios,
            "coef has a wrong shape");
    require(fits.gap.shape[0] == counts.shape[0] && fits.gap.shape[1] == n_alphas &&
                fits.gap.shape[2] == n_ratios,
            "gap has a wrong shape");
    for (std::size_t i = 0; i < n_alphas; ++i) {
        require(alphas(i) > 0 && std::isfinite(alphas(i)) && (i == 0 || alphas(i) < alphas(i - 1)),
                "alphas must be above 0 and descending");
    }
    for (std::size_t j = 0; j < n_ratios; ++j) {
        require(l1_ratios(j) >= 0 && l1_ratios(j) <= 1, "l1_ratios must be between 0 and 1");
    }

    parallel_for(counts.shape[0], options.n_threads, [&] {
        return [&, moments = Moments(p), weights = std::vector<double>(p)](std::size_t r) mutable {
            moments.add_up(sums, counts.row(r));
            if (moments.n <= 0) {
                const double nan = std::numeric_limits<double>::quiet_NaN();
                const std::size_t n_fits = n_alphas * n_ratios;
                std::fill_n(fits.coef.row(r), n_fits * p, nan);
                std::fill_n(fits.gap.row(r), n_fits, nan);
                std::fill_n(fits.mean.row(r), p, nan);
                std::fill_n(fits.scale.row(r), p, nan);
                fits.intercept(r) = nan;
                return;
            }
            moments.standardise();
            fits.intercept(r) = moments.label_mean;
            std::copy(moments.mean.begin(), moments.mean.end(), fits.mean.row(r));
            std::copy(moments.scale.begin(), moments.scale.end(), fits.scale.row(r));
            Solver solver(moments, options);
            for (std::size_t j = 0; j < n_ratios; ++j) {
                std::copy(start.data, start.data + p, weights.begin());
                for (std::size_t i = 0; i < n_alphas; ++i) {
                    const double l1 = alphas(i) * l1_ratios(j);
                    fits.gap(r, i, j) = solver.solve(l1, alphas(i) - l1, weights.data());
                    std::copy(weights.begin(), weights.end(), fits.coef.row(r, i, j));
                }
            }
        };
    });
}

void elastic_net_squared_errors(const ArrayView<const double, 2>& sums,
                                const ArrayView<const std::int64_t, 2>& counts,
                                const ElasticNetFits& fits, std::size_t n_threads,
                                const ArrayView<double, 3>& squared_errors,
                                const ArrayView<double, 1>& n_rows) {
    const std::size_t p = features_of(sums);
    const std::size_t n_alphas = fits.coef.shape[1];
    const std::size_t n_ratios = fits.coef.shape[2];
    require(counts.shape[1] == sums.shape[0], "counts must have one column per cluster");
    check_fits(fits, counts.shape[0], p);
    require(squared_errors.shape[0] == counts.shape[0] && squared_errors.shape[1] == n_alphas &&
                squared_errors.shape[2] == n_ratios && n_rows.shape[0] == counts.shape[0],
            "squared_errors has a wrong shape");
    parallel_for(counts.shape[0], n_threads, [&] {
        return [&, moments = Moments(p), slope = std::vector<double>(p)](std::size_t r) mutable {
            moments.add_up(sums, counts.row(r));
            const std::vector<double>& total = moments.total;
            n_rows(r) = moments.n;
            for (std::size_t i = 0; i < n_alphas; ++i) {
                for (std::size_t j = 0; j < n_ratios; ++j) {
                    // Prediction: level + sum slope_k v_k.
                    double level = fits.intercept(r);
                    for (std::size_t k = 0; k < p; ++k) {
                        const double scale = fits.scale(r, k);
                        slope[k] = scale > 0 ? fits.coef(r, i, j, k) / scale : 0.0;
                        level -= slope[k] * fits.mean(r, k);
                    }
                    double error = total[moments.at(p, p)] - 2 * level * total[1 + p] +
                                   level * level * moments.n;
                    for (std::size_t k = 0; k < p; ++k) {
                        double inner = 2 * (level * total[1 + k] - total[moments.at(k, p)]) +
                                       slope[k] * total[moments.at(k, k)];
                        for (std::size_t h = k + 1; h < p; ++h) {
                            inner += 2 * slope[h] * total[moments.at(k, h)];
                        }
                        error += slope[k] * inner;
                    }
                    squared_errors(r, i, j) = std::max(0.0, error);
                }
            }
        };
    });
}

}  // namespace pyexpr
