// The metrics, from sums of many replicates that stand side by side. Private to the
// kernels that resample: bootstrap and sign flips evaluate the same code.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "pyexpr/cluster_bootstrap.hpp"

namespace pyexpr::lanes {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
constexpr double kNoVariance = 1e-12;  // of the mean square about the full sample's mean

struct Moments {
    double mean_p, mean_t, var_p, var_t, covariance, least_p, least_t;
};

// What a variance must exceed: what rounding of the data and of the sums may amount to. A
// replicate of zeros alone has a mean of 0, but its variance is a trace of rounding of the
// square about the full sample's mean.
[[gnu::always_inline]] inline double least_variance(double variance, double raw, double centred,
                                                    double of_data) {
    return of_data * raw * raw + kNoVariance * (variance + centred * centred);
}

// Inlined into the lane loops below, which then vectorise.
[[gnu::always_inline]] inline Moments moments(double n, double p, double t, double pp, double tt,
                                              double pt, const Column& column) {
    const double inverse = 1.0 / n;
    Moments m{};
    m.mean_p = p * inverse;
    m.mean_t = t * inverse;
    m.var_p = pp * inverse - m.mean_p * m.mean_p;
    m.var_t = tt * inverse - m.mean_t * m.mean_t;
    m.covariance = pt * inverse - m.mean_p * m.mean_t;
    const double raw_p = m.mean_p + column.centre_p;
    const double raw_t = m.mean_t + column.centre_t;
    m.least_p = least_variance(m.var_p, raw_p, m.mean_p, column.least_p);
    m.least_t = least_variance(m.var_t, raw_t, m.mean_t, column.least_t);
    return m;
}

inline void correlation(const std::array<const double*, kSums>& s, const Column& column,
                        std::size_t lanes, double* out) {
    for (std::size_t r = 0; r < lanes; ++r) {
        const Moments m =
            moments(s[kN][r], s[kP][r], s[kT][r], s[kPP][r], s[kTT][r], s[kPT][r], column);
        // & and not &&: no branch within the lanes. Comparisons with NaN are false.
        const bool defined = (m.var_p > m.least_p) & (m.var_t > m.least_t);
        double value = m.covariance / (std::sqrt(m.var_p) * std::sqrt(m.var_t));
        value = value > 1.0 ? 1.0 : value;
        value = value < -1.0 ? -1.0 : value;
        out[r] = defined ? value : kUndefined;
    }
}

inline void concordance(const std::array<const double*, kSums>& s, const Column& column,
                        std::size_t lanes, double* out) {
    for (std::size_t r = 0; r < lanes; ++r) {
        const Moments m =
            moments(s[kN][r], s[kP][r], s[kT][r], s[kPP][r], s[kTT][r], s[kPT][r], column);
        const double shift = s[kD][r] / s[kN][r];
        const bool defined = (m.var_p > m.least_p) | (m.var_t > m.least_t);
        const double value = 2.0 * m.covariance / (m.var_p + m.var_t + shift * shift);
        out[r] = defined ? value : kUndefined;
    }
}

inline void r_squared(const std::array<const double*, kSums>& s, const Column& column,
                      std::size_t lanes, double* out) {
    for (std::size_t r = 0; r < lanes; ++r) {
        const double inverse = 1.0 / s[kN][r];
        const double mean = s[kT][r] * inverse;
        const double variance = s[kTT][r] * inverse - mean * mean;
        const double raw = mean + column.centre_t;
        const bool defined = variance > least_variance(variance, raw, mean, column.least_t);
        const double value = 1.0 - s[kDD][r] * inverse / variance;
        out[r] = defined ? value : kUndefined;
    }
}

inline void ratio(const double* part, double times, const double* of, const double* and_of,
                  std::size_t lanes, double* out) {
    for (std::size_t r = 0; r < lanes; ++r) {
        const double whole = of[r] + (and_of ? and_of[r] : 0.0);
        out[r] = whole > 0.0 ? times * part[r] / whole : kUndefined;
    }
}

// Of sums of one column; kappa takes several, and ranks have none.
inline void column_metric(Metric metric, const std::array<const double*, kSums>& s,
                          const Column& column, std::size_t lanes, double* out) {
    switch (metric) {
        case Metric::kRmse:
            for (std::size_t r = 0; r < lanes; ++r) out[r] = std::sqrt(s[kDD][r] / s[kN][r]);
            return;
        case Metric::kMae:
            for (std::size_t r = 0; r < lanes; ++r) out[r] = s[kAbsD][r] / s[kN][r];
            return;
        case Metric::kBias:
            for (std::size_t r = 0; r < lanes; ++r) out[r] = s[kD][r] / s[kN][r];
            return;
        case Metric::kCorrelation:
            return correlation(s, column, lanes, out);
        case Metric::kConcordance:
            return concordance(s, column, lanes, out);
        case Metric::kR2:
            return r_squared(s, column, lanes, out);
        case Metric::kMse:
            for (std::size_t r = 0; r < lanes; ++r) out[r] = s[kDD][r] / s[kN][r];
            return;
        case Metric::kAccuracy:
            for (std::size_t r = 0; r < lanes; ++r) out[r] = 1.0 - s[kDD][r] / s[kN][r];
            return;
        case Metric::kRecall:
            return ratio(s[kPT], 1.0, s[kT], nullptr, lanes, out);
        case Metric::kF1:
            return ratio(s[kPT], 2.0, s[kP], s[kT], lanes, out);
        case Metric::kKappa:
        case Metric::kArea:
        case Metric::kSpearman:
            break;
    }
    for (std::size_t r = 0; r < lanes; ++r) out[r] = kUndefined;
}

}  // namespace pyexpr::lanes
