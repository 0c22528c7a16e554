#include "pyexpr/ranked_rows.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace pyexpr {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
// Lanes held in registers while the rows go by.
constexpr std::size_t kTile = 8;
// Of the cubed weight of all rows: with weights that are not whole, midranks that are all tied
// differ from the mean rank by rounding. One row apart from N tied ones has 1/(4 N).
constexpr double kAllTied = 1e-12;

using Tile = std::array<double, kTile>;

// The number of distinct ranks, which are to be 0 .. number-1.
std::size_t distinct(ArrayView<const std::int64_t, 1> ranks) {
    const std::size_t n = ranks.shape[0];
    std::vector<bool> seen(n, false);
    std::size_t highest = 0;
    for (std::size_t i = 0; i < n; ++i) {
        if (ranks.data[i] < 0 || static_cast<std::size_t>(ranks.data[i]) >= n) {
            throw std::invalid_argument("ranks must be within 0 .. rows-1");
        }
        const auto rank = static_cast<std::size_t>(ranks.data[i]);
        seen[rank] = true;
        highest = std::max(highest, rank + 1);
    }
    if (std::find(seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(highest), false) !=
        seen.begin() + static_cast<std::ptrdiff_t>(highest)) {
        throw std::invalid_argument("ranks must leave none out");
    }
    return highest;
}

}  // namespace

RankedRows::RankedRows(ArrayView<const std::int64_t, 1> cluster,
                       ArrayView<const std::int64_t, 1> prediction,
                       ArrayView<const std::int64_t, 1> truth, std::size_t n_clusters) {
    const std::size_t n = cluster.shape[0];
    if (prediction.shape[0] != n || truth.shape[0] != n) {
        throw std::invalid_argument("prediction, truth and cluster must have one length");
    }
    if (std::max(n, n_clusters) > std::numeric_limits<std::uint32_t>::max()) {
        throw std::invalid_argument("there are more than 2^32 - 1 rows or clusters");
    }
    n_predictions_ = distinct(prediction);
    // Of two classes one may be missing.
    std::int64_t highest = -1;
    for (std::size_t i = 0; i < n; ++i) {
        if (cluster.data[i] < 0 || static_cast<std::size_t>(cluster.data[i]) >= n_clusters) {
            throw std::invalid_argument("cluster must be within 0 .. n_clusters-1");
        }
        if (truth.data[i] < 0 || truth.data[i] > static_cast<std::int64_t>(n)) {
            throw std::invalid_argument("ranks must be within 0 .. rows");
        }
        highest = std::max(highest, truth.data[i]);
        by_prediction_.push_back({static_cast<std::uint32_t>(cluster.data[i]),
                                  static_cast<std::uint32_t>(prediction.data[i]),
                                  static_cast<std::uint32_t>(truth.data[i])});
    }
    n_truths_ = static_cast<std::size_t>(highest + 1);
    by_truth_ = by_prediction_;
    // Stable, so that the order of sums is that of the rows within ties.
    std::stable_sort(by_prediction_.begin(), by_prediction_.end(),
                     [](const Entry& a, const Entry& b) { return a.prediction < b.prediction; });
    std::stable_sort(by_truth_.begin(), by_truth_.end(),
                     [](const Entry& a, const Entry& b) { return a.truth < b.truth; });
}

void RankedRows::area(const double* counts, std::size_t lanes, double* out, double* weight) const {
    for (std::size_t tile = 0; tile < lanes; tile += kTile) {
        Tile positives{}, negatives{}, pairs{};
        std::size_t i = 0;
        while (i < by_prediction_.size()) {
            const std::uint32_t value = by_prediction_[i].prediction;
            Tile tied_positives{}, tied_negatives{};
            for (; i < by_prediction_.size() && by_prediction_[i].prediction == value; ++i) {
                const Entry& row = by_prediction_[i];
                const double* const count = counts + row.cluster * lanes + tile;
                Tile& to = row.truth > 0 ? tied_positives : tied_negatives;
                for (std::size_t k = 0; k < kTile; ++k) to[k] += count[k];
            }
            for (std::size_t k = 0; k < kTile; ++k) {
                pairs[k] += tied_positives[k] * (negatives[k] + 0.5 * tied_negatives[k]);
                negatives[k] += tied_negatives[k];
                positives[k] += tied_positives[k];
            }
        }
        for (std::size_t k = 0; k < kTile; ++k) {
            const bool defined = positives[k] > 0 && negatives[k] > 0;
            out[tile + k] = defined ? pairs[k] / (positives[k] * negatives[k]) : kNaN;
            weight[tile + k] = positives[k] + negatives[k];
        }
    }
}

void RankedRows::spearman(const double* counts, std::size_t lanes, double* out, double* weight,
                          Scratch& scratch) const {
    scratch.of_prediction.resize(n_predictions_ * kTile);
    scratch.of_truth.resize(n_truths_ * kTile);
    for (std::size_t tile = 0; tile < lanes; tile += kTile) {
        Tile total{};
        // The weight below a value and half of its own: the midrank less 1/2.
        const auto midranks = [&](const std::vector<Entry>& rows, std::uint32_t Entry::* of,
                                  double* ranks) {
            total.fill(0.0);
            std::size_t i = 0;
            while (i < rows.size()) {
                const std::uint32_t value = rows[i].*of;
                Tile tied{};
                for (; i < rows.size() && rows[i].*of == value; ++i) {
                    const double* const count = counts + rows[i].cluster * lanes + tile;
                    for (std::size_t k = 0; k < kTile; ++k) tied[k] += count[k];
                }
                double* const rank = ranks + value * kTile;
                for (std::size_t k = 0; k < kTile; ++k) {
                    rank[k] = total[k] + 0.5 * tied[k];
                    total[k] += tied[k];
                }
            }
        };
        midranks(by_truth_, &Entry::truth, scratch.of_truth.data());
        midranks(by_prediction_, &Entry::prediction, scratch.of_prediction.data());
        Tile var_p{}, var_t{}, covariance{};
        for (const Entry& row : by_prediction_) {
            const double* const count = counts + row.cluster * lanes + tile;
            const double* const p = &scratch.of_prediction[row.prediction * kTile];
            const double* const t = &scratch.of_truth[row.truth * kTile];
            for (std::size_t k = 0; k < kTile; ++k) {
                const double from_mean_p = p[k] - 0.5 * total[k];
                const double from_mean_t = t[k] - 0.5 * total[k];
                var_p[k] += count[k] * (from_mean_p * from_mean_p);
                var_t[k] += count[k] * (from_mean_t * from_mean_t);
                covariance[k] += count[k] * (from_mean_p * from_mean_t);
            }
        }
        for (std::size_t k = 0; k < kTile; ++k) {
            const double least = kAllTied * total[k] * total[k] * total[k];
            const bool defined = var_p[k] > least && var_t[k] > least;
            const double value = covariance[k] / (std::sqrt(var_p[k]) * std::sqrt(var_t[k]));
            out[tile + k] = defined ? std::clamp(value, -1.0, 1.0) : kNaN;
            weight[tile + k] = total[k];
        }
    }
}

}  // namespace pyexpr
