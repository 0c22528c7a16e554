#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "pyexpr/cluster_bootstrap.hpp"

namespace pyexpr {

namespace {

// Calls use(row, cluster) for every row whose prediction and truth are defined.
template <typename Use>
void for_each_row(ArrayView<const double, 1> p, ArrayView<const double, 1> t,
                  ArrayView<const std::int64_t, 1> cluster, Use use) {
    for (std::size_t i = 0; i < p.shape[0]; ++i) {
        if (!std::isnan(p.data[i]) && !std::isnan(t.data[i])) {
            use(i, static_cast<std::size_t>(cluster.data[i]));
        }
    }
}

void add(ArrayView<double, 2> sums, std::size_t g, double p, double t, double d) {
    sums(kN, g) += 1;
    sums(kD, g) += d;
    sums(kDD, g) += d * d;
    sums(kAbsD, g) += std::abs(d);
    sums(kP, g) += p;
    sums(kT, g) += t;
    sums(kPP, g) += p * p;
    sums(kTT, g) += t * t;
    sums(kPT, g) += p * t;
}

}  // namespace

std::array<double, 2> cluster_sums(ArrayView<const double, 1> p, ArrayView<const double, 1> t,
                                   ArrayView<const std::int64_t, 1> cluster, Part part,
                                   ArrayView<double, 2> sums) {
    const std::size_t n_clusters = sums.shape[1];
    if (t.shape != p.shape || cluster.shape != p.shape) {
        throw std::invalid_argument("prediction, truth and cluster must have one length");
    }
    if (sums.shape[0] != kSums) throw std::invalid_argument("sums must have 9 rows");
    for (std::size_t i = 0; i < cluster.shape[0]; ++i) {
        if (cluster.data[i] < 0 || static_cast<std::size_t>(cluster.data[i]) >= n_clusters) {
            throw std::invalid_argument("cluster must be within 0 .. n_clusters-1");
        }
    }
    std::fill_n(sums.data, sums.size(), 0.0);

    std::vector<double> count(n_clusters, 0.0);
    std::vector<double> mean_p(n_clusters, 0.0);
    std::vector<double> mean_t(n_clusters, 0.0);
    double n = 0;
    double total_p = 0;
    double total_t = 0;
    double squares_p = 0;
    double squares_t = 0;
    // Means are summed about the first row: of values far from 0 the differences are exact.
    double origin_p = 0;
    double origin_t = 0;
    for_each_row(p, t, cluster, [&](std::size_t i, std::size_t g) {
        if (n == 0) {
            origin_p = p.data[i];
            origin_t = t.data[i];
        }
        n += 1;
        count[g] += 1;
        mean_p[g] += p.data[i] - origin_p;
        mean_t[g] += t.data[i] - origin_t;
        squares_p += p.data[i] * p.data[i];
        squares_t += t.data[i] * t.data[i];
    });
    if (n == 0) return {0.0, 0.0};
    for (std::size_t g = 0; g < n_clusters; ++g) {
        total_p += mean_p[g];
        total_t += mean_t[g];
        mean_p[g] /= count[g];
        mean_t[g] /= count[g];
    }

    if (part == Part::kPooled) {
        const double centre_p = origin_p + total_p / n;
        const double centre_t = origin_t + total_t / n;
        for_each_row(p, t, cluster, [&](std::size_t i, std::size_t g) {
            add(sums, g, p.data[i] - centre_p, t.data[i] - centre_t, p.data[i] - t.data[i]);
        });
        return {centre_p, centre_t};
    }
    if (part == Part::kWithin) {
        for_each_row(p, t, cluster, [&](std::size_t i, std::size_t g) {
            const double within_p = p.data[i] - origin_p - mean_p[g];
            const double within_t = t.data[i] - origin_t - mean_t[g];
            add(sums, g, within_p, within_t, within_p - within_t);
        });
        // Deviations from a mean sum to 0; rounding would leave a trace.
        for (std::size_t g = 0; g < n_clusters; ++g) sums(kD, g) = sums(kP, g) = sums(kT, g) = 0;
        return {std::sqrt(squares_p / n), std::sqrt(squares_t / n)};
    }
    double n_present = 0;
    double centre_p = 0;
    double centre_t = 0;
    for (std::size_t g = 0; g < n_clusters; ++g) {
        if (count[g] == 0) continue;
        n_present += 1;
        centre_p += mean_p[g];
        centre_t += mean_t[g];
    }
    centre_p /= n_present;
    centre_t /= n_present;
    for (std::size_t g = 0; g < n_clusters; ++g) {
        if (count[g] == 0) continue;
        add(sums, g, mean_p[g] - centre_p, mean_t[g] - centre_t,
            mean_p[g] - mean_t[g] + (origin_p - origin_t));
    }
    return {origin_p + centre_p, origin_t + centre_t};
}

}  // namespace pyexpr
