#include "pyexpr/factor_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "pyexpr/parallel.hpp"

namespace pyexpr {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
// The last digits of F's gradient are noise below this Newton decrement; a step then
// moves a parameter by less than 1e-9 of its standard error at n = 1e6.
constexpr double kDecrement = 1e-24;
// Below this decrement F is quadratic to working precision.
constexpr double kQuadratic = 1e-8;
constexpr int kMaxSteps = 500;
// A pivot below this share of its diagonal is rounding error.
constexpr double kPivot = 1e-13;

// Square matrix in row-major order.
struct Matrix {
    std::size_t n;
    std::vector<double> values;
    explicit Matrix(std::size_t size) : n(size), values(size * size, 0.0) {}
    double& operator()(std::size_t i, std::size_t j) { return values[i * n + j]; }
    double operator()(std::size_t i, std::size_t j) const { return values[i * n + j]; }
};

// Lower Cholesky factor in place; false if not positive definite.
bool cholesky(Matrix& a) {
    for (std::size_t j = 0; j < a.n; ++j) {
        const double diagonal = a(j, j);
        double pivot = diagonal;
        for (std::size_t k = 0; k < j; ++k) pivot -= a(j, k) * a(j, k);
        if (!(pivot > kPivot * diagonal) || !(diagonal > 0.0)) return false;
        const double root = std::sqrt(pivot);
        a(j, j) = root;
        for (std::size_t i = j + 1; i < a.n; ++i) {
            double value = a(i, j);
            for (std::size_t k = 0; k < j; ++k) value -= a(i, k) * a(j, k);
            a(i, j) = value / root;
        }
    }
    return true;
}

void solve(const Matrix& factor, std::vector<double>& b) {
    const std::size_t n = factor.n;
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t k = 0; k < i; ++k) b[i] -= factor(i, k) * b[k];
        b[i] /= factor(i, i);
    }
    for (std::size_t i = n; i-- > 0;) {
        for (std::size_t k = i + 1; k < n; ++k) b[i] -= factor(k, i) * b[k];
        b[i] /= factor(i, i);
    }
}

double log_determinant(const Matrix& factor) {
    double sum = 0.0;
    for (std::size_t i = 0; i < factor.n; ++i) sum += std::log(factor(i, i));
    return 2.0 * sum;
}

void inverse(const Matrix& factor, Matrix& out) {
    std::vector<double> column(factor.n);
    for (std::size_t j = 0; j < factor.n; ++j) {
        std::fill(column.begin(), column.end(), 0.0);
        column[j] = 1.0;
        solve(factor, column);
        for (std::size_t i = 0; i < factor.n; ++i) out(i, j) = column[i];
    }
}

std::vector<double> times(const Matrix& a, const double* x) {
    std::vector<double> result(a.n, 0.0);
    for (std::size_t i = 0; i < a.n; ++i) {
        for (std::size_t j = 0; j < a.n; ++j) result[i] += a(i, j) * x[j];
    }
    return result;
}

double dot(const double* x, const std::vector<double>& y) {
    double sum = 0.0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += x[i] * y[i];
    return sum;
}

Matrix implied(const double* lambda, const double* theta, std::size_t p) {
    Matrix sigma(p);
    for (std::size_t i = 0; i < p; ++i) {
        for (std::size_t j = 0; j < p; ++j) sigma(i, j) = lambda[i] * lambda[j];
        sigma(i, i) += theta[i];
    }
    return sigma;
}

// tr(A dSigma_b B dSigma_a) over all pairs of the 2 p parameters, symmetric A and B,
// made symmetric in (a, b).
void curvature(const Matrix& a, const Matrix& b, const double* lambda, double scale, Matrix& out) {
    const std::size_t p = a.n;
    const std::vector<double> al = times(a, lambda);
    const std::vector<double> bl = times(b, lambda);
    const double lal = dot(lambda, al);
    const double lbl = dot(lambda, bl);
    for (std::size_t i = 0; i < p; ++i) {
        for (std::size_t j = 0; j < p; ++j) {
            out(i, j) += scale * (al[j] * bl[i] + a(i, j) * lbl + lal * b(i, j) + al[i] * bl[j]);
            const double mixed = scale * (b(i, j) * al[j] + bl[j] * a(i, j));
            out(i, p + j) += mixed;
            out(p + j, i) += mixed;
            out(p + i, p + j) += scale * a(i, j) * b(i, j);
        }
    }
}

// F, its gradient, expected information and Hessian at one point.
struct Point {
    double value = std::numeric_limits<double>::infinity();
    std::vector<double> gradient;
    Matrix expected;
    Matrix hessian;
    explicit Point(std::size_t p) : gradient(2 * p), expected(2 * p), hessian(2 * p) {}
};

double discrepancy(const Matrix& s, double log_s, const std::vector<double>& x, Matrix* weight) {
    const std::size_t p = s.n;
    Matrix factor = implied(x.data(), x.data() + p, p);
    if (!cholesky(factor)) return std::numeric_limits<double>::infinity();
    Matrix w(p);
    inverse(factor, w);
    double trace = 0.0;
    for (std::size_t i = 0; i < p * p; ++i) trace += w.values[i] * s.values[i];
    if (weight != nullptr) *weight = std::move(w);
    return log_determinant(factor) + trace - log_s - static_cast<double>(p);
}

Point evaluate(const Matrix& s, double log_s, const std::vector<double>& x) {
    const std::size_t p = s.n;
    Point point(p);
    Matrix w(p);
    point.value = discrepancy(s, log_s, x, &w);
    if (!std::isfinite(point.value)) return point;
    // v = W S W; the gradient of F is that of tr((W - v) dSigma).
    Matrix v(p);
    Matrix ws(p);
    for (std::size_t i = 0; i < p; ++i) {
        for (std::size_t j = 0; j < p; ++j) {
            for (std::size_t k = 0; k < p; ++k) ws(i, j) += w(i, k) * s(k, j);
        }
    }
    for (std::size_t i = 0; i < p; ++i) {
        for (std::size_t j = 0; j < p; ++j) {
            for (std::size_t k = 0; k < p; ++k) v(i, j) += ws(i, k) * w(k, j);
        }
    }
    Matrix m(p);
    for (std::size_t i = 0; i < p * p; ++i) m.values[i] = w.values[i] - v.values[i];
    const std::vector<double> ml = times(m, x.data());
    for (std::size_t i = 0; i < p; ++i) {
        point.gradient[i] = 2.0 * ml[i];
        point.gradient[p + i] = m(i, i);
    }
    curvature(w, w, x.data(), 1.0, point.expected);
    // d(W - v) = -W D W + W D v + v D W
    curvature(w, w, x.data(), -1.0, point.hessian);
    curvature(w, v, x.data(), 1.0, point.hessian);
    curvature(v, w, x.data(), 1.0, point.hessian);
    for (std::size_t i = 0; i < p; ++i) {
        for (std::size_t j = 0; j < p; ++j) point.hessian(i, j) += 2.0 * m(i, j);
    }
    return point;
}

// The Newton direction, from the Hessian if it is positive definite, else from the
// expected information with a growing ridge; false if neither can be factored.
bool direction(const Point& point, std::vector<double>& step, bool& newton) {
    step = point.gradient;
    Matrix factor = point.hessian;
    bool usable = cholesky(factor);
    newton = usable;
    // The ridge is no counter: it grows tenfold.
    // NOLINTNEXTLINE(bugprone-float-loop-counter)
    for (double ridge = 0.0; !usable && ridge < 1e3; ridge = ridge == 0.0 ? 1e-8 : 10.0 * ridge) {
        factor = point.expected;
        for (std::size_t i = 0; i < factor.n; ++i) factor(i, i) *= 1.0 + ridge;
        usable = cholesky(factor);
    }
    if (!usable) return false;
    solve(factor, step);
    return true;
}

// Loadings of one factor that reproduce the covariances of three indicators.
bool closed_form(const Matrix& s, std::vector<double>& x) {
    const double a = s(0, 1);
    const double b = s(0, 2);
    const double c = s(1, 2);
    if (!(a * b * c > 0.0)) return false;
    // The signs of the covariances fix those of the loadings up to one common sign.
    x[0] = std::sqrt(a * b / c);
    x[1] = a / x[0];
    x[2] = b / x[0];
    for (std::size_t j = 0; j < 3; ++j) x[3 + j] = s(j, j) - x[j] * x[j];
    return true;
}

// Start: half of each variance is the factor's, signs from the first eigenvector of
// the correlations (power iteration), so that reversed items start reversed.
void start_values(const Matrix& s, std::vector<double>& x) {
    const std::size_t p = s.n;
    std::vector<double> vector(p);
    for (std::size_t j = 0; j < p; ++j) vector[j] = 1.0 + 0.01 * static_cast<double>(j);
    for (int turn = 0; turn < 200; ++turn) {
        std::vector<double> next(p, 0.0);
        double norm = 0.0;
        for (std::size_t i = 0; i < p; ++i) {
            for (std::size_t j = 0; j < p; ++j) {
                next[i] += s(i, j) / std::sqrt(s(i, i) * s(j, j)) * vector[j];
            }
            norm += next[i] * next[i];
        }
        norm = std::sqrt(norm);
        for (std::size_t i = 0; i < p; ++i) vector[i] = next[i] / norm;
    }
    double largest = 0.0;
    for (double value : vector) largest = std::max(largest, std::abs(value));
    for (std::size_t j = 0; j < p; ++j) {
        const double share = 0.7 * vector[j] / largest;
        x[j] = share * std::sqrt(s(j, j));
        x[p + j] = s(j, j) * (1.0 - share * share);
    }
}

FactorFit minimise(const Matrix& s, double log_s, std::vector<double>& x) {
    FactorFit fit;
    std::vector<double> step;
    std::vector<double> trial(x.size());
    Point point = evaluate(s, log_s, x);
    for (fit.iterations = 0; fit.iterations < kMaxSteps; ++fit.iterations) {
        bool newton = false;
        if (!direction(point, step, newton)) return fit;
        double decrement = 0.0;
        for (std::size_t i = 0; i < x.size(); ++i) decrement += step[i] * point.gradient[i];
        fit.discrepancy = point.value;
        double length = 1.0;
        double value = std::numeric_limits<double>::infinity();
        for (int halving = 0; halving < 60; ++halving, length *= 0.5) {
            for (std::size_t i = 0; i < x.size(); ++i) trial[i] = x[i] - length * step[i];
            value = discrepancy(s, log_s, trial, nullptr);
            // This near the minimum rounding hides the decrease, and Newton needs no search.
            if (newton && decrement < kQuadratic && std::isfinite(value)) break;
            if (value <= point.value - 1e-4 * length * decrement) break;
            value = std::numeric_limits<double>::infinity();
        }
        if (!std::isfinite(value)) return fit;
        x = trial;
        point = evaluate(s, log_s, x);
        if (newton && decrement < kDecrement) {
            fit.status = FactorStatus::converged;
            fit.discrepancy = point.value;
            return fit;
        }
    }
    return fit;
}

FactorFit fit_matrix(const Matrix& s, std::vector<double>& x) {
    FactorFit fit;
    const std::size_t p = s.n;
    Matrix factor = s;
    if (!cholesky(factor)) {
        fit.status = FactorStatus::singular;
        return fit;
    }
    if (p == 3) {
        fit.status =
            closed_form(s, x) ? FactorStatus::converged : FactorStatus::nonpositive_product;
    } else {
        start_values(s, x);
        fit = minimise(s, log_determinant(factor), x);
    }
    if (fit.status != FactorStatus::converged) return fit;
    double sum = 0.0;
    for (std::size_t j = 0; j < p; ++j) sum += x[j] / std::sqrt(s(j, j));
    if (sum < 0.0) {
        for (std::size_t j = 0; j < p; ++j) x[j] = -x[j];
    }
    return fit;
}

// Fit (count, sums, products) of one replicate and write row r of the results.
void fit_totals(const double* total, std::size_t r, Matrix& s, std::vector<double>& x,
                ArrayView<double, 2> parameters, ArrayView<int, 1> status) {
    const std::size_t p = s.n;
    const double n = total[0];
    std::size_t at = 1 + p;
    for (std::size_t i = 0; i < p; ++i) {
        for (std::size_t j = i; j < p; ++j, ++at) {
            s(i, j) = total[at] / n - total[1 + i] / n * (total[1 + j] / n);
            s(j, i) = s(i, j);
        }
    }
    const FactorFit fit = fit_matrix(s, x);
    const bool found = fit.status == FactorStatus::converged;
    status(r) = static_cast<int>(fit.status);
    for (std::size_t i = 0; i < 2 * p; ++i) parameters(r, i) = found ? x[i] : kNaN;
}

void require(bool holds, const char* message) {
    if (!holds) throw std::invalid_argument(message);
}

void require_sums(const ArrayView<const double, 2>& sums, std::size_t p, std::size_t n,
                  const ArrayView<double, 2>& parameters, const ArrayView<int, 1>& status) {
    require(p >= 3 && p < sums.shape[1] && sums.shape[1] == 1 + p + p * (p + 1) / 2,
            "sums need 1 + p + p (p + 1)/2 columns, p at least 3");
    require(parameters.shape[0] == n && parameters.shape[1] == 2 * p && status.shape[0] == n,
            "parameters (n, 2 p), status (n)");
}

}  // namespace

void factor_moments(ArrayView<const double, 2> x, ArrayView<double, 1> mean,
                    ArrayView<double, 2> covariance) {
    const std::size_t n = x.shape[0];
    const std::size_t p = x.shape[1];
    require(mean.shape[0] == p && covariance.shape[0] == p && covariance.shape[1] == p,
            "mean (p), covariance (p, p)");
    std::vector<double> sum(p, 0.0);
    std::vector<double> products(p * p, 0.0);
    std::vector<double> deviation(p);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < p; ++j) sum[j] += x(i, j);
    }
    const double rows = static_cast<double>(n);
    for (std::size_t j = 0; j < p; ++j) mean(j) = sum[j] / rows;
    std::fill(sum.begin(), sum.end(), 0.0);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < p; ++j) {
            deviation[j] = x(i, j) - mean(j);
            sum[j] += deviation[j];
            for (std::size_t k = 0; k <= j; ++k) products[j * p + k] += deviation[j] * deviation[k];
        }
    }
    // The deviations' own sums are what rounding of the mean left over.
    for (std::size_t j = 0; j < p; ++j) {
        for (std::size_t k = 0; k <= j; ++k) {
            const double value = (products[j * p + k] - sum[j] * sum[k] / rows) / rows;
            covariance(j, k) = value;
            covariance(k, j) = value;
        }
    }
    for (std::size_t j = 0; j < p; ++j) mean(j) += sum[j] / rows;
}

FactorFit fit_factor(ArrayView<const double, 2> covariance, ArrayView<double, 1> parameters) {
    const std::size_t p = covariance.shape[0];
    require(p >= 3 && covariance.shape[1] == p && parameters.shape[0] == 2 * p,
            "covariance (p, p) with p of at least 3, parameters (2 p)");
    Matrix s(p);
    for (std::size_t i = 0; i < p; ++i) {
        for (std::size_t j = 0; j < p; ++j) s(i, j) = covariance(i, j);
    }
    std::vector<double> x(2 * p);
    const FactorFit fit = fit_matrix(s, x);
    const bool found = fit.status == FactorStatus::converged;
    for (std::size_t i = 0; i < 2 * p; ++i) parameters(i) = found ? x[i] : kNaN;
    return fit;
}

bool factor_information_inverse(ArrayView<const double, 1> parameters, std::size_t n_rows,
                                ArrayView<double, 2> vcov) {
    const std::size_t p = parameters.shape[0] / 2;
    Matrix factor = implied(parameters.data, parameters.data + p, p);
    Matrix result(2 * p);
    bool usable = cholesky(factor);
    if (usable) {
        Matrix w(p);
        inverse(factor, w);
        Matrix information(2 * p);
        curvature(w, w, parameters.data, 0.5 * static_cast<double>(n_rows), information);
        usable = cholesky(information);
        if (usable) inverse(information, result);
    }
    for (std::size_t i = 0; i < 2 * p; ++i) {
        for (std::size_t j = 0; j < 2 * p; ++j) vcov(i, j) = usable ? result(i, j) : kNaN;
    }
    return usable;
}

void fit_factor_sums(ArrayView<const double, 2> sums, std::size_t p,
                     ArrayView<double, 2> parameters, ArrayView<int, 1> status,
                     std::size_t n_threads) {
    require_sums(sums, p, sums.shape[0], parameters, status);
    parallel_for(sums.shape[0], n_threads, [&] {
        return [&, x = std::vector<double>(2 * p), s = Matrix(p)](std::size_t r) mutable {
            fit_totals(sums.row(r), r, s, x, parameters, status);
        };
    });
}

void fit_factor_resampled(ArrayView<const double, 2> sums, ArrayView<const double, 2> counts,
                          std::size_t p, ArrayView<double, 2> parameters, ArrayView<int, 1> status,
                          std::size_t n_threads) {
    const std::size_t width = sums.shape[1];
    require_sums(sums, p, counts.shape[0], parameters, status);
    require(counts.shape[1] == sums.shape[0], "counts need a column per cluster");
    parallel_for(counts.shape[0], n_threads, [&] {
        return [&, total = std::vector<double>(width), x = std::vector<double>(2 * p),
                s = Matrix(p)](std::size_t r) mutable {
            std::fill(total.begin(), total.end(), 0.0);
            for (std::size_t g = 0; g < sums.shape[0]; ++g) {
                const double times_drawn = counts(r, g);
                if (times_drawn == 0.0) continue;
                for (std::size_t k = 0; k < width; ++k) total[k] += times_drawn * sums(g, k);
            }
            fit_totals(total.data(), r, s, x, parameters, status);
        };
    });
}

}  // namespace pyexpr
