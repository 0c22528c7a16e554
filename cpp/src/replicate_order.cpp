// What is read off finished replicates: counts, moments, order statistics.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <stdexcept>

#include "pyexpr/cluster_bootstrap.hpp"
#include "pyexpr/parallel.hpp"

namespace pyexpr {

std::vector<ReplicateSummary> summarise(ArrayView<const double, 2> values,
                                        ArrayView<const double, 1> estimate,
                                        ArrayView<const double, 1> null, std::size_t n_threads) {
    const std::size_t n_rows = values.shape[0];
    const std::size_t n = values.shape[1];
    if (estimate.shape[0] != n_rows || null.shape[0] != n_rows) {
        throw std::invalid_argument("one estimate and one null value per row");
    }
    std::vector<ReplicateSummary> summaries(n_rows);
    parallel_for(n_rows, n_threads, [&] {
        return [&](std::size_t row) {
            const double* const x = values.data + row * n;
            ReplicateSummary& summary = summaries[row];
            // Sums of deviations from the estimate, which lies amid them; from 0 if there
            // is none. Four sums at a time, in a fixed order, because one would wait for
            // its own last addition.
            const double centre = std::isnan(estimate.data[row]) ? 0.0 : estimate.data[row];
            constexpr std::size_t kWays = 4;
            std::array<double, kWays> total{};
            std::array<double, kWays> squares{};
            std::array<std::int64_t, kWays> defined{};
            std::array<std::int64_t, kWays> below{};
            std::array<std::int64_t, kWays> at_most{};
            std::array<std::int64_t, kWays> at_least{};
            const auto take = [&](std::size_t way, double value) {
                const bool is_defined = value == value;
                const double deviation = is_defined ? value - centre : 0.0;
                total[way] += deviation;
                squares[way] += deviation * deviation;
                defined[way] += is_defined;
                below[way] += value < estimate.data[row];
                at_most[way] += value <= null.data[row];
                at_least[way] += value >= null.data[row];
            };
            std::size_t i = 0;
            for (; i + kWays <= n; i += kWays) {
                for (std::size_t way = 0; way < kWays; ++way) take(way, x[i + way]);
            }
            for (; i < n; ++i) take(0, x[i]);
            const auto count = [](const std::array<std::int64_t, kWays>& parts) {
                return static_cast<std::size_t>((parts[0] + parts[1]) + (parts[2] + parts[3]));
            };
            summary.n_defined = count(defined);
            summary.n_below_estimate = count(below);
            summary.n_at_most_null = count(at_most);
            summary.n_at_least_null = count(at_least);
            const double m = static_cast<double>(summary.n_defined);
            const double shift = ((total[0] + total[1]) + (total[2] + total[3])) / m;
            const double spread =
                ((squares[0] + squares[1]) + (squares[2] + squares[3])) - m * shift * shift;
            summary.mean = centre + shift;
            summary.sd = summary.n_defined < 2 ? std::numeric_limits<double>::quiet_NaN()
                                               : std::sqrt(std::max(spread, 0.0) / (m - 1.0));
        };
    });
    return summaries;
}

namespace {

using Values = std::vector<double>;

// Values of rank `first` to `last` of a row, unsorted, and the rank of the smallest of
// them: those between two marks read off a sorted sample, set so far apart that the
// wanted ranks lie between them in all but a few of 10,000 rows. Empty if they do not.
class Narrowing {
  public:
    static constexpr std::size_t kWorthIt = 1024;

    explicit Narrowing(const double* values, std::size_t n) : values_(values), n_(n) {
        const std::size_t size = std::min<std::size_t>(n / 16, 1024);
        sample_.reserve(size);
        for (std::size_t i = 0; i < size; ++i) sample_.push_back(values[i * n / size]);
        std::sort(sample_.begin(), sample_.end());
    }

    // Returns how many values lie below those put into `kept`; kept is empty on failure.
    std::size_t keep(std::size_t first, std::size_t last, Values& kept) const {
        constexpr double kErrors = 4.0;  // standard errors of the sample's quantile
        const double size = static_cast<double>(sample_.size());
        const auto mark = [&](std::size_t rank, double direction) {
            const double share = static_cast<double>(rank) / static_cast<double>(n_);
            const double at = share * size +
                              direction * (kErrors * std::sqrt(size * share * (1.0 - share)) + 2.0);
            if (at < 0) return -std::numeric_limits<double>::infinity();
            if (at >= size) return std::numeric_limits<double>::infinity();
            return sample_[static_cast<std::size_t>(at)];
        };
        const double low = mark(first, -1.0);
        const double high = mark(last, 1.0);
        kept.resize(n_);
        std::size_t below = 0;
        std::size_t m = 0;
        for (std::size_t i = 0; i < n_; ++i) {
            kept[m] = values_[i];
            // No branch: whether a value is kept cannot be foreseen.
            m += static_cast<std::size_t>((values_[i] >= low) & (values_[i] <= high));
            below += static_cast<std::size_t>(values_[i] < low);
        }
        kept.resize(below <= first && last < below + m ? m : 0);
        return below;
    }

  private:
    const double* values_;
    std::size_t n_;
    Values sample_;
};

}  // namespace

void order_statistics(ArrayView<const double, 2> values, ArrayView<const std::int64_t, 2> ranks,
                      ArrayView<double, 2> out, std::size_t n_threads) {
    const std::size_t n = values.shape[1];
    const std::size_t n_ranks = ranks.shape[1];
    if (ranks.shape[0] != values.shape[0] || out.shape != ranks.shape) {
        throw std::invalid_argument("values, ranks and output must have the same rows");
    }
    parallel_for(values.shape[0], n_threads, [&] {
        return [&, defined = Values(), kept = Values(),
                order = std::vector<std::size_t>()](std::size_t row) mutable {
            const double* const x = values.data + row * n;
            defined.clear();
            defined.reserve(n);
            std::copy_if(x, x + n, std::back_inserter(defined),
                         [](double value) { return !std::isnan(value); });
            order.clear();
            for (std::size_t k = 0; k < n_ranks; ++k) {
                const std::int64_t rank = ranks(row, k);
                out(row, k) = std::numeric_limits<double>::quiet_NaN();
                if (rank >= 0 && static_cast<std::size_t>(rank) < defined.size()) {
                    order.push_back(k);
                }
            }
            std::sort(order.begin(), order.end(),
                      [&](std::size_t a, std::size_t b) { return ranks(row, a) < ranks(row, b); });
            const auto rank_of = [&](std::size_t i) {
                return static_cast<std::size_t>(ranks(row, order[i]));
            };
            std::optional<Narrowing> narrowing;
            if (defined.size() >= Narrowing::kWorthIt) {
                narrowing.emplace(defined.data(), defined.size());
            }
            for (std::size_t i = 0; i < order.size();) {
                // Ranks side by side, as the two that an interpolation needs, go together.
                std::size_t end = i + 1;
                while (end < order.size() && rank_of(end) - rank_of(end - 1) <= 1) ++end;
                std::size_t below = 0;
                kept.clear();
                if (narrowing) below = narrowing->keep(rank_of(i), rank_of(end - 1), kept);
                if (kept.empty()) {
                    below = 0;
                    kept = defined;
                }
                auto from = kept.begin();
                for (; i < end; ++i) {
                    const auto wanted =
                        kept.begin() + static_cast<std::ptrdiff_t>(rank_of(i) - below);
                    // What lies before a chosen one needs no second look.
                    if (wanted >= from) {
                        std::nth_element(from, wanted, kept.end());
                        from = wanted + 1;
                    }
                    out(row, order[i]) = *wanted;
                }
            }
        };
    });
}

}  // namespace pyexpr
