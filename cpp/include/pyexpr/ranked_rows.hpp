// Metrics of ranks under weights of whole clusters: the area under the ROC curve, and
// Spearman's correlation. Rows are sorted once; a replicate then costs O(rows).
//
// Area: Mann and Whitney (1947), ties count one half. Ranks of tied rows are their mean
// (midranks). A weight w stands for w copies of every row of the cluster; weights need not be
// whole. With whole weights every sum below is a multiple of 1/4, and exact up to 2^53.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyexpr/array_view.hpp"

namespace pyexpr {

class RankedRows {
  public:
    //   cluster      (n,)  0 .. n_clusters-1
    //   prediction   (n,)  dense rank from 0 on: equal values have equal ranks
    //   truth        (n,)  dense rank; of two classes 0, and 1 for the positive one
    // Throws std::invalid_argument for ranks that leave one out, or clusters out of range.
    RankedRows(ArrayView<const std::int64_t, 1> cluster,
               ArrayView<const std::int64_t, 1> prediction, ArrayView<const std::int64_t, 1> truth,
               std::size_t n_clusters);

    // What a call needs to work in; one per thread.
    struct Scratch {
        std::vector<double> of_prediction, of_truth;
    };

    // For every lane: the metric, and the weight of all rows.
    //   counts  (clusters, lanes): the clusters' weights; lanes a multiple of 8
    //   out, weight  (lanes,)
    // The area is undefined (NaN) where a class has no weight; truth above 0 is positive.
    void area(const double* counts, std::size_t lanes, double* out, double* weight) const;
    // Undefined where all ranks of truth or of prediction are tied.
    void spearman(const double* counts, std::size_t lanes, double* out, double* weight,
                  Scratch& scratch) const;

  private:
    struct Entry {
        std::uint32_t cluster;
        std::uint32_t prediction;
        std::uint32_t truth;
    };
    std::vector<Entry> by_prediction_;
    std::vector<Entry> by_truth_;
    std::size_t n_predictions_ = 0;  // distinct values
    std::size_t n_truths_ = 0;
};

}  // namespace pyexpr
