#include "pyexpr/sign_flip.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "lane_metrics.hpp"
#include "pyexpr/checked_size.hpp"
#include "pyexpr/parallel.hpp"
#include "pyexpr/rng.hpp"

namespace pyexpr {

namespace {

// Flips stand side by side, as replicates do in cluster_bootstrap.cpp.
constexpr std::size_t kLanes = 64;
constexpr std::size_t kBits = 64;  // of a flip's number

using Lanes = std::array<double, kLanes>;
using LaneSums = std::array<Lanes, kSums>;

void mark_exchanged(Flips which, std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
                    std::size_t n, std::size_t n_clusters, std::vector<unsigned char>& exchanged) {
    std::fill(exchanged.begin(), exchanged.end(), static_cast<unsigned char>(0));
    for (std::size_t r = 0; r < n; ++r) {
        ReplicateWords words(seed, stream, first + r);
        for (std::size_t g = 0; g < n_clusters; ++g) {
            const std::uint64_t number = g < kBits ? (first + r) >> g : 0;
            const std::uint64_t bit = which == Flips::kAll ? number & 1U : words.next() >> 63U;
            exchanged[g * kLanes + r] = static_cast<unsigned char>(bit);
        }
    }
}

// The difference of the two models' metric in every lane; `other` is the second's metric.
void difference(const FlipPair& pair, const Column& column, const LaneSums& a, const LaneSums& b,
                Lanes& out, Lanes& other) {
    std::array<const double*, kSums> of_a{};
    std::array<const double*, kSums> of_b{};
    for (std::size_t k = 0; k < kSums; ++k) {
        of_a[k] = a[k].data();
        of_b[k] = b[k].data();
    }
    lanes::column_metric(pair.metric, of_a, column, kLanes, out.data());
    lanes::column_metric(pair.metric, of_b, column, kLanes, other.data());
    for (std::size_t r = 0; r < kLanes; ++r) out[r] -= other[r];
}

struct Workspace {
    explicit Workspace(std::size_t n_clusters) : exchanged(n_clusters * kLanes) {}

    std::vector<unsigned char> exchanged;  // (clusters, lanes)
    LaneSums a{}, b{}, without_a{}, without_b{};
    Lanes whole{}, value{}, total{}, squares{}, variance{}, level{}, other{};
};

// Fills the lanes of one pair: work.whole / sqrt(work.variance).
void studentise(const FlipPair& pair, const double* sums_a, const double* sums_b,
                const std::vector<std::size_t>& strata, std::size_t n_clusters, Workspace& work) {
    Column column;
    column.centre_p = pair.centre_p;
    column.centre_t = pair.centre_t;
    for (std::size_t k = 0; k < kSums; ++k) {
        work.a[k].fill(0.0);
        work.b[k].fill(0.0);
        for (std::size_t g = 0; g < n_clusters; ++g) {
            const double x = sums_a[k * n_clusters + g];
            const double y = sums_b[k * n_clusters + g];
            const unsigned char* const flip = &work.exchanged[g * kLanes];
            for (std::size_t r = 0; r < kLanes; ++r) {
                work.a[k][r] += flip[r] ? y : x;
                work.b[k][r] += flip[r] ? x : y;
            }
        }
    }
    difference(pair, column, work.a, work.b, work.whole, work.other);
    for (std::size_t r = 0; r < kLanes; ++r) {
        work.level[r] = std::abs(work.whole[r]) + std::abs(work.other[r]);
    }
    work.variance.fill(0.0);
    std::size_t g = 0;
    for (const std::size_t size : strata) {
        work.total.fill(0.0);
        work.squares.fill(0.0);
        for (const std::size_t end = g + size; g < end; ++g) {
            const unsigned char* const flip = &work.exchanged[g * kLanes];
            for (std::size_t k = 0; k < kSums; ++k) {
                const double x = sums_a[k * n_clusters + g];
                const double y = sums_b[k * n_clusters + g];
                for (std::size_t r = 0; r < kLanes; ++r) {
                    work.without_a[k][r] = work.a[k][r] - (flip[r] ? y : x);
                    work.without_b[k][r] = work.b[k][r] - (flip[r] ? x : y);
                }
            }
            difference(pair, column, work.without_a, work.without_b, work.value, work.other);
            for (std::size_t r = 0; r < kLanes; ++r) {
                const double e = work.value[r] - work.whole[r];
                work.total[r] += e;
                work.squares[r] += e * e;
            }
        }
        const double G = static_cast<double>(size);
        for (std::size_t r = 0; r < kLanes; ++r) {
            const double spread = work.squares[r] - work.total[r] * work.total[r] / G;
            // A NaN stays one: std::max would hide it.
            work.variance[r] += (G - 1.0) / G * (spread < 0.0 ? 0.0 : spread);
        }
    }
}

}  // namespace

void sign_flips(ArrayView<const double, 3> a, ArrayView<const double, 3> b,
                const std::vector<FlipPair>& pairs, const std::vector<std::size_t>& strata,
                Flips which, std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
                ArrayView<double, 2> out, std::size_t n_threads) {
    const std::size_t n_clusters = a.shape[2];
    const std::size_t n = out.shape[1];
    const std::size_t total = checked_total(strata);
    if (std::find(strata.begin(), strata.end(), std::size_t{0}) != strata.end()) {
        throw std::invalid_argument("a stratum needs a cluster");
    }
    if (n_clusters == 0) throw std::invalid_argument("there must be a cluster");
    check_replicates(first, n);
    if (a.shape != b.shape || a.shape[0] != pairs.size() || a.shape[1] != kSums ||
        out.shape[0] != pairs.size() || total != n_clusters) {
        throw std::invalid_argument("sums (pairs, 9, G), out (pairs, n), strata adding up to G");
    }
    parallel_for((n + kLanes - 1) / kLanes, n_threads, [&] {
        return [&, work = Workspace(n_clusters)](std::size_t block) mutable {
            const std::size_t start = block * kLanes;
            const std::size_t filled = std::min(kLanes, n - start);
            mark_exchanged(which, seed, stream, first + start, filled, n_clusters, work.exchanged);
            for (std::size_t q = 0; q < pairs.size(); ++q) {
                studentise(pairs[q], a.row(q), b.row(q), strata, n_clusters, work);
                for (std::size_t r = 0; r < filled; ++r) {
                    const double error = std::sqrt(work.variance[r]);
                    // Zero but for the rounding of the metric itself, as where both models agree.
                    const bool still = error <= 1e-14 * work.level[r];
                    out(q, start + r) = still ? lanes::kUndefined : work.whole[r] / error;
                }
            }
        };
    });
}

}  // namespace pyexpr
