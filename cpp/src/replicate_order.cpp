// What is read off finished replicates: counts, moments, order statistics.
#include <algorithm>
#include <cmath>
#include <limits>
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

void order_statistics(ArrayView<const double, 2> values, ArrayView<const std::int64_t, 2> ranks,
                      ArrayView<double, 2> out, std::size_t n_threads) {
    const std::size_t n = values.shape[1];
    const std::size_t n_ranks = ranks.shape[1];
    if (ranks.shape[0] != values.shape[0] || out.shape != ranks.shape) {
        throw std::invalid_argument("values, ranks and output must have the same rows");
    }
    parallel_for(values.shape[0], n_threads, [&] {
        return [&, scratch = std::vector<double>(n),
                order = std::vector<std::size_t>(n_ranks)](std::size_t row) mutable {
            const double* const x = values.data + row * n;
            const auto end = std::copy_if(x, x + n, scratch.begin(),
                                          [](double value) { return !std::isnan(value); });
            for (std::size_t k = 0; k < n_ranks; ++k) order[k] = k;
            std::sort(order.begin(), order.end(),
                      [&](std::size_t a, std::size_t b) { return ranks(row, a) < ranks(row, b); });
            // Ranks upwards: what lies before a chosen one needs no second look.
            auto begin = scratch.begin();
            for (const std::size_t k : order) {
                const std::int64_t rank = ranks(row, k);
                if (rank < 0 || rank >= end - scratch.begin()) {
                    out(row, k) = std::numeric_limits<double>::quiet_NaN();
                    continue;
                }
                const auto wanted = scratch.begin() + rank;
                if (wanted >= begin) {
                    std::nth_element(begin, wanted, end);
                    begin = wanted + 1;
                }
                out(row, k) = *wanted;
            }
        };
    });
}

}  // namespace pyexpr
