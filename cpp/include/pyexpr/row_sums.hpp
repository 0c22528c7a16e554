// Sums of one column of predictions per cluster, of rows that come in batches.
//
// The same sums as `cluster_sums`, byte for byte, of a table that memory does not hold: rows are
// added in their order, so it does not matter where one batch ends and the next begins. They pass
// twice, first for the means and then for the sums about them. Calls from several threads wait for
// each other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "pyexpr/array_view.hpp"
#include "pyexpr/cluster_bootstrap.hpp"

namespace pyexpr {

class RowSums {
  public:
    // Rows are in groups (contexts, folds), each with centres of its own and the same clusters.
    // With `constant` the first pass also records where predictions are constant.
    RowSums(std::size_t n_groups, std::size_t n_clusters, bool constant = false);

    // The first pass. A row's slot is group * n_clusters + cluster; one of -1 is left out, as is a
    // row whose prediction or truth is NaN. Throws std::invalid_argument for other slots, for
    // arrays of different lengths, and after the second pass has begun.
    void add_to_means(ArrayView<const double, 1> prediction, ArrayView<const double, 1> truth,
                      ArrayView<const std::int64_t, 1> slot);

    // The second pass, once for each part but kBetween, which needs none. Throws as above, and if
    // rows are more than in the first pass.
    void add_to_sums(Part part, ArrayView<const double, 1> prediction,
                     ArrayView<const double, 1> truth, ArrayView<const std::int64_t, 1> slot);

    // The sums (kSums, n_clusters) of a group, and its two centres; as `cluster_sums`.
    std::array<double, 2> write(Part part, std::size_t group, ArrayView<double, 2> sums);

    // Of each cluster of a group, into out (4, n_clusters): its rows, its first prediction (NaN
    // without rows), 1 if others differ from it, and the sum of the truth.
    void write_constant(std::size_t group, ArrayView<double, 2> out);

    [[nodiscard]] std::size_t n_clusters() const noexcept { return n_clusters_; }

  private:
    struct Mean {
        double n = 0;
        double p = 0;
        double t = 0;
    };
    struct Constant {
        double prediction = 0;
        double moves = 0;
        double truth = 0;
    };
    struct Group {
        double n = 0;
        double origin_p = 0;
        double origin_t = 0;
        double squares_p = 0;
        double squares_t = 0;
        double centre_p = 0;
        double centre_t = 0;
    };
    using Sums = std::array<double, kSums>;

    void check(ArrayView<const double, 1> p, ArrayView<const double, 1> t,
               ArrayView<const std::int64_t, 1> slot) const;
    void close();

    std::mutex one_at_a_time_;
    std::size_t n_clusters_;
    bool closed_ = false;
    std::vector<Group> groups_;
    std::vector<std::uint32_t> group_of_;  // of each slot, where there are several
    std::vector<Mean> means_;
    std::vector<Constant> constant_;
    std::array<std::vector<Sums>, 2> sums_;  // pooled, within
    std::array<double, 2> rows_{};           // in the second pass
};

}  // namespace pyexpr
