// The cluster bootstrap of statistics that someone else has compiled: C functions of the
// rows and of how often each row counts, called from several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyexpr/array_view.hpp"

namespace pyexpr {

// rows (n_columns, n_rows) and weights (n_rows,) in, values out; not 0 if it failed.
// Must not write into rows, nor throw.
using StatisticFunction = std::int64_t (*)(const double* rows, std::int64_t n_columns,
                                           std::int64_t n_rows, const double* weights,
                                           double* values);

struct CompiledStatistic {
    StatisticFunction function = nullptr;
    std::size_t n_values = 1;
};

// The rows, and the cluster 0 .. G-1 of each; clusters are sorted by stratum.
struct ClusteredRows {
    ArrayView<const double, 2> rows;  // (n_columns, n_rows), NaN passed on
    ArrayView<const std::int64_t, 1> cluster;
    std::vector<std::size_t> strata;  // sizes G_h
};

// Every statistic in replicates first .. first+n-1: values (all values of all statistics, n),
// failed (statistics, n). A failed call leaves NaN and marks 1. The draws are those of
// draw_counts(); a row weighs as often as its cluster was drawn. O(n) calls, n_rows doubles of
// memory per thread. Same bytes for any number of threads and any cut of the range.
void statistic_replicates(const std::vector<CompiledStatistic>& statistics,
                          const ClusteredRows& data, std::uint64_t seed, std::uint64_t stream,
                          std::uint64_t first, ArrayView<double, 2> values,
                          ArrayView<std::uint8_t, 2> failed, std::size_t n_threads);

// The same without each cluster in turn: weights 1, and 0 for the cluster left out;
// values (all values, G), failed (statistics, G).
void statistic_leave_one_out(const std::vector<CompiledStatistic>& statistics,
                             const ClusteredRows& data, ArrayView<double, 2> values,
                             ArrayView<std::uint8_t, 2> failed, std::size_t n_threads);

}  // namespace pyexpr
