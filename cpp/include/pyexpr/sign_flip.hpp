// Sign flips: two models' predictions exchanged for whole clusters (subjects).
//
// Under the hypothesis that the two are exchangeable within subjects, every choice of
// subjects for which they are exchanged is as likely as the one observed (Fisher, 1935).
// The statistic is the difference of a metric over its jackknife standard error, both
// computed anew in each flip, from sums per subject: exchanging the models of a subject
// exchanges its sums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyexpr/array_view.hpp"
#include "pyexpr/cluster_bootstrap.hpp"

namespace pyexpr {

// Which flips are meant by number r.
//   kAll     subject g is exchanged if bit g of r is set, from subject 64 on never;
//            r = 0 is what was observed
//   kRandom  if the highest bit of word g of replicate r is set (see rng.hpp)
enum class Flips : int { kAll, kRandom };

// One comparison: the sums of both models over the same rows with the same truth,
// rows in the order of Sum, p centred alike in both.
struct FlipPair {
    Metric metric = Metric::kRmse;
    double centre_p = 0;
    double centre_t = 0;
};

// Studentised differences first .. first+n-1 of every pair, out (pairs, n):
// (m_a - m_b) / SE, SE^2 = sum over strata (G_h-1)/G_h sum_i (T_(i) - mean_h)^2 with T_(i)
// the difference without subject i. NaN where a metric is undefined or SE is 0 but for
// rounding.
//   a, b    (pairs, kSums, G)  sums per subject, subjects sorted by stratum
//   strata  sizes G_h, adding up to G
// O(pairs n G) evaluations of the metric. Same bytes for any number of threads and any
// cut of the range. Throws std::invalid_argument for shapes that do not fit.
void sign_flips(ArrayView<const double, 3> a, ArrayView<const double, 3> b,
                const std::vector<FlipPair>& pairs, const std::vector<std::size_t>& strata,
                Flips which, std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
                ArrayView<double, 2> out, std::size_t n_threads);

}  // namespace pyexpr
