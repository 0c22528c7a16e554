// What is read off finished replicates: counts, moments, order statistics.
#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
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

// Chooses by rank without branching on a comparison: its outcome cannot be foreseen, and a
// wrong guess costs as much as looking at a dozen values.
class Selection {
  public:
    // Returns the value of rank `rank`, counted from 0; `values` hold no NaN and are mixed up.
    double choose(std::span<const double> values, std::size_t rank) {
        here_.resize(std::max(here_.size(), values.size()));
        other_.resize(here_.size());
        for (std::size_t round = 0; values.size() > kFew; ++round) {
            if (round == kRounds) return by_library(values, rank);
            const double pivot = middle(values.front(), values[values.size() / 2], values.back());
            const std::size_t n_less = split(values, [=](double value) { return value < pivot; });
            if (rank < n_less) {
                values = {here_.data(), n_less};
                continue;
            }
            rank -= n_less;
            values = {other_.data(), values.size() - n_less};
            std::swap(here_, other_);
            if (n_less > 0) continue;
            // The pivot is the least, which may be there many times.
            const std::size_t n_same = split(values, [=](double value) { return value <= pivot; });
            if (rank < n_same) return pivot;
            rank -= n_same;
            values = {other_.data(), values.size() - n_same};
            std::swap(here_, other_);
        }
        for (const double value : values) {
            std::size_t less = 0;
            std::size_t same = 0;
            for (const double one : values) {
                less += static_cast<std::size_t>(one < value);
                same += static_cast<std::size_t>(one == value);
            }
            if (less <= rank && rank < less + same) return value;
        }
        return std::numeric_limits<double>::quiet_NaN();
    }

  private:
    static constexpr std::size_t kFew = 12;
    // Far more than a million values need, unless every pivot is a bad one.
    static constexpr std::size_t kRounds = 100;

    static double middle(double a, double b, double c) {
        return std::max(std::min(a, b), std::min(std::max(a, b), c));
    }

    // Puts what `wanted` is true of into here_, the rest into other_; returns how many it is
    // true of. `values` may be here_ itself: what is written is never ahead of what is read.
    template <typename Wanted>
    std::size_t split(std::span<const double> values, Wanted wanted) {
        double* const to = here_.data();
        double* const rest = other_.data();
        std::size_t m = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            const double value = values[i];
            to[m] = value;
            rest[i - m] = value;
            m += static_cast<std::size_t>(wanted(value));
        }
        return m;
    }

    double by_library(std::span<const double> values, std::size_t rank) {
        other_.assign(values.begin(), values.end());
        const auto wanted = other_.begin() + static_cast<std::ptrdiff_t>(rank);
        std::nth_element(other_.begin(), wanted, other_.end());
        return *wanted;
    }

    Values here_;
    Values other_;
};

// One row of replicates, of which a few ranks are wanted; NaN has none.
//
// Values between two marks, order statistics of a sample, are all that is chosen from, the
// marks set so far apart that the wanted ranks lie between them in all but a few of
// 10,000 rows. If they do not, or a row is short, all values are chosen from.
class RowOfValues {
  public:
    void look_at(const double* values, std::size_t n) {
        values_ = values;
        n_ = n;
        kept_.resize(n);
        sample_.clear();
        n_defined_ = 0;
        for (std::size_t i = 0; i < n; ++i) {
            n_defined_ += static_cast<std::size_t>(values[i] == values[i]);
        }
        if (n_defined_ < kWorthIt) return;
        const std::size_t size = std::min<std::size_t>(n / 16, 1024);
        for (std::size_t i = 0; i < size; ++i) {
            const double value = values[i * n / size];
            if (value == value) sample_.push_back(value);
        }
    }

    [[nodiscard]] std::size_t n_defined() const noexcept { return n_defined_; }

    // Keeps the values among which those of rank `first` to `last` are.
    void keep(std::size_t first, std::size_t last) {
        if (!sample_.empty()) {
            constexpr double kInfinity = std::numeric_limits<double>::infinity();
            const double low = mark(first, -1.0);
            const double high = mark(last, 1.0);
            n_below_ = 0;
            if (low == -kInfinity) {
                filter([high](double value) { return value <= high; });
            } else if (high == kInfinity) {
                filter([low](double value) { return value >= low; });
                n_below_ = n_defined_ - n_kept_;
            } else {
                filter([low, high, this](double value) {
                    n_below_ += static_cast<std::size_t>(value < low);
                    return (value >= low) & (value <= high);
                });
            }
            if (n_below_ <= first && last < n_below_ + n_kept_) return;
        }
        n_below_ = 0;
        filter([](double value) { return value == value; });
    }

    // Returns the value of a rank that is among those kept.
    double choose(std::size_t rank) {
        return selection_.choose({kept_.data(), n_kept_}, rank - n_below_);
    }

  private:
    static constexpr std::size_t kWorthIt = 1024;

    // A value that rank `rank` lies above (direction -1) or below (1), all but surely.
    [[nodiscard]] double mark(std::size_t rank, double direction) {
        constexpr double kErrors = 4.0;  // standard errors of the sample's quantile
        const double size = static_cast<double>(sample_.size());
        const double share = static_cast<double>(rank) / static_cast<double>(n_defined_);
        const double at =
            share * size + direction * (kErrors * std::sqrt(size * share * (1.0 - share)) + 2.0);
        if (at < 0) return -std::numeric_limits<double>::infinity();
        if (at >= size) return std::numeric_limits<double>::infinity();
        return selection_.choose(sample_, static_cast<std::size_t>(at));
    }

    // Keeps what `wanted` is true of; of NaN it must be false.
    template <typename Wanted>
    void filter(Wanted wanted) {
        double* const to = kept_.data();
        std::size_t m = 0;
        for (std::size_t i = 0; i < n_; ++i) {
            const double value = values_[i];
            to[m] = value;
            m += static_cast<std::size_t>(wanted(value));
        }
        n_kept_ = m;
    }

    const double* values_ = nullptr;
    std::size_t n_ = 0;
    std::size_t n_defined_ = 0;
    std::size_t n_kept_ = 0;
    std::size_t n_below_ = 0;
    Values sample_;
    Values kept_;
    Selection selection_;
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
        return [&, those = RowOfValues(),
                order = std::vector<std::size_t>()](std::size_t row) mutable {
            those.look_at(values.data + row * n, n);
            order.clear();
            for (std::size_t k = 0; k < n_ranks; ++k) {
                const std::int64_t rank = ranks(row, k);
                out(row, k) = std::numeric_limits<double>::quiet_NaN();
                if (rank >= 0 && static_cast<std::size_t>(rank) < those.n_defined()) {
                    order.push_back(k);
                }
            }
            std::sort(order.begin(), order.end(),
                      [&](std::size_t a, std::size_t b) { return ranks(row, a) < ranks(row, b); });
            const auto rank_of = [&](std::size_t i) {
                return static_cast<std::size_t>(ranks(row, order[i]));
            };
            for (std::size_t i = 0; i < order.size();) {
                // Ranks side by side, as the two that an interpolation needs, go together.
                std::size_t end = i + 1;
                while (end < order.size() && rank_of(end) - rank_of(end - 1) <= 1) ++end;
                those.keep(rank_of(i), rank_of(end - 1));
                for (; i < end; ++i) out(row, order[i]) = those.choose(rank_of(i));
            }
        };
    });
}

}  // namespace pyexpr
