#include "pyexpr/compiled_statistic.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "pyexpr/checked_size.hpp"
#include "pyexpr/parallel.hpp"
#include "pyexpr/rng.hpp"

namespace pyexpr {

namespace {

// Calls every statistic on replicate r's counts, which `count(r, counts)` fills in.
template <typename Count>
void call_all(const std::vector<CompiledStatistic>& statistics, const ClusteredRows& data,
              ArrayView<double, 2> values, ArrayView<std::uint8_t, 2> failed, std::size_t n_threads,
              Count count) {
    const std::size_t n_rows = data.rows.shape[1];
    const std::size_t n_clusters = checked_total(data.strata);
    if (data.cluster.shape[0] != n_rows) throw std::invalid_argument("one cluster per row");
    for (std::size_t i = 0; i < n_rows; ++i) {
        if (data.cluster.data[i] < 0 ||
            static_cast<std::size_t>(data.cluster.data[i]) >= n_clusters) {
            throw std::invalid_argument("cluster must be within 0 .. n_clusters-1");
        }
    }
    std::size_t n_values = 0;
    for (const CompiledStatistic& statistic : statistics) {
        n_values = checked_sum(n_values, statistic.n_values);
    }
    if (values.shape[0] != n_values || failed.shape[0] != statistics.size() ||
        failed.shape[1] != values.shape[1]) {
        throw std::invalid_argument("values (all values, n) and failed (statistics, n)");
    }
    parallel_for(values.shape[1], n_threads, [&] {
        return [&, counts = std::vector<double>(n_clusters), weights = std::vector<double>(n_rows),
                found = std::vector<double>(n_values)](std::size_t r) mutable {
            count(r, counts);
            std::fill(found.begin(), found.end(), std::numeric_limits<double>::quiet_NaN());
            std::size_t at = 0;
            for (std::size_t s = 0; s < statistics.size(); ++s) {
                // Anew for each: a statistic may use its weights as scratch.
                for (std::size_t i = 0; i < n_rows; ++i) {
                    weights[i] = counts[static_cast<std::size_t>(data.cluster.data[i])];
                }
                const auto status = statistics[s].function(
                    data.rows.data, static_cast<std::int64_t>(data.rows.shape[0]),
                    static_cast<std::int64_t>(n_rows), weights.data(), found.data() + at);
                failed(s, r) = status != 0;
                for (const std::size_t end = at + statistics[s].n_values; at < end; ++at) {
                    values(at, r) =
                        status != 0 ? std::numeric_limits<double>::quiet_NaN() : found[at];
                }
            }
        };
    });
}

}  // namespace

void statistic_replicates(const std::vector<CompiledStatistic>& statistics,
                          const ClusteredRows& data, std::uint64_t seed, std::uint64_t stream,
                          std::uint64_t first, ArrayView<double, 2> values,
                          ArrayView<std::uint8_t, 2> failed, std::size_t n_threads) {
    check_replicates(first, values.shape[1]);
    call_all(statistics, data, values, failed, n_threads,
             [&](std::size_t r, std::vector<double>& counts) {
                 std::fill(counts.begin(), counts.end(), 0.0);
                 ReplicateWords words(seed, stream, first + r);
                 std::size_t start = 0;
                 for (const std::size_t size : data.strata) {
                     for (std::size_t j = 0; j < size; ++j) {
                         counts[start + high_product(words.next(), size)] += 1.0;
                     }
                     start += size;
                 }
             });
}

void statistic_leave_one_out(const std::vector<CompiledStatistic>& statistics,
                             const ClusteredRows& data, ArrayView<double, 2> values,
                             ArrayView<std::uint8_t, 2> failed, std::size_t n_threads) {
    const std::size_t n_clusters = checked_total(data.strata);
    if (values.shape[1] != n_clusters) throw std::invalid_argument("one value per cluster");
    const bool several = data.strata.size() > 1;
    call_all(statistics, data, values, failed, n_threads,
             [&](std::size_t r, std::vector<double>& counts) {
                 std::size_t start = 0;
                 std::size_t stratum = 0;
                 while (r >= start + data.strata[stratum]) start += data.strata[stratum++];
                 const std::size_t size = data.strata[stratum];
                 // Whole numbers in which the stratum keeps its weight: G_h, G_h - 1 elsewhere.
                 const bool weighs = several && size > 1;
                 std::fill(counts.begin(), counts.end(),
                           weighs ? static_cast<double>(size - 1) : 1.0);
                 std::fill_n(counts.begin() + static_cast<std::ptrdiff_t>(start), size,
                             weighs ? static_cast<double>(size) : 1.0);
                 counts[r] = 0.0;
             });
}

}  // namespace pyexpr
