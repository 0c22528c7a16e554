// Metrics of predictions, bootstrapped over whole clusters (subjects).
//
// Most metrics depend on the rows only through sums per cluster, so that a replicate
// costs O(clusters) and not O(rows); those of ranks cost O(rows), see ranked_rows.hpp. Resampling
// clusters: Davison and Hinkley (1997), section 3.8; jackknife: Efron (1982). "Column" is one
// column of predictions with its truth, or its rows in one fold; a "level" is the mean of one
// metric over one or more columns, or its logarithm; a "quantity" is a level or the difference of
// two levels.
//
// Bytes: each output is a fixed sequence of operations on fixed inputs, clusters in
// order; it does not depend on the number of threads, on the range of replicates
// asked for, or on what else is computed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "pyexpr/array_view.hpp"
#include "pyexpr/ranked_rows.hpp"

namespace pyexpr {

// The sums of one column over one cluster, with p and t centred at the means of
// the whole column, d = p - t not centred.
enum Sum : std::size_t { kN, kD, kDD, kAbsD, kP, kT, kPP, kTT, kPT, kSums };

// (2 u / .001)^2 with the unit roundoff u = 2^-53: rounding of either variable by u of its
// size moves a correlation by at most u / SD of it.
inline constexpr double kRoundingOfDoubles = 0x1p-104 * 1e6;

// Of classes p and t are 1 where a row is, or is predicted to be, of the column's class, and 0
// elsewhere, not centred; d = p - t.
enum class Metric : int {
    kRmse,
    kMae,
    kCorrelation,
    kConcordance,
    kR2,
    kBias,
    kMse,       // dd / n; of probabilities Brier's score
    kAccuracy,  // 1 - dd / n
    kRecall,    // pt / t: undefined where no row is of the class
    kF1,        // 2 pt / (p + t): undefined where none is, or is predicted to be
    kKappa,     // Cohen (1960): undefined where truth and prediction are one class, the same
    kArea,      // under the ROC curve; of ranked rows, as the next
    kSpearman,
};

[[nodiscard]] constexpr bool is_of_ranks(Metric metric) noexcept {
    return metric == Metric::kArea || metric == Metric::kSpearman;
}

// Which deviations the sums are taken of.
//   kPooled   the rows themselves
//   kWithin   rows minus their cluster's mean (n counts rows; p, t, d sum to 0)
//   kBetween  the clusters' means, each counting once
enum class Part : int { kPooled, kWithin, kBetween };

// Sums of one column per cluster. Rows where prediction or truth is NaN are left out.
//   prediction, truth  (n,)  any unit, the same for both
//   cluster            (n,)  0 .. n_clusters-1
//   sums               (kSums, n_clusters), overwritten; a cluster without rows has n = 0
// Returns {centre of p, centre of t}: the means taken off (summed about the first row, so
// that a large common part costs no digits); for kWithin, where nothing
// is left to take off, the root mean squares, which set what counts as no variance.
// Time O(n), two passes.
std::array<double, 2> cluster_sums(ArrayView<const double, 1> prediction,
                                   ArrayView<const double, 1> truth,
                                   ArrayView<const std::int64_t, 1> cluster, Part part,
                                   ArrayView<double, 2> sums);

// How often each cluster is drawn in replicates first .. first+n-1: exactly G_h draws
// of the G_h clusters of stratum h, strata one after the other on one sequence of words.
//   strata  sizes G_h; clusters are sorted by stratum
//   counts  (n, G), overwritten
void draw_counts(const std::vector<std::size_t>& strata, std::uint64_t seed, std::uint64_t stream,
                 std::uint64_t first, ArrayView<std::int32_t, 2> counts);

struct Column {
    // Row of `sums` that holds each Sum; columns may share rows. Sums that no level of
    // the column needs may be 0.
    std::array<std::size_t, kSums> sum{};
    double centre_p = 0;
    double centre_t = 0;
    // A variance up to this part of the square of the mean may be rounding of the data: of
    // values held as doubles, as deep as leaves a correlation an error bound of .001.
    double least_p = kRoundingOfDoubles;
    double least_t = kRoundingOfDoubles;
    static constexpr std::ptrdiff_t kNoRanks = -1;
    std::ptrdiff_t ranked = kNoRanks;  // which of the ranked rows are its own
};

struct Level {
    Metric metric = Metric::kRmse;
    double divisor = 1;  // of the mean over columns; 7 makes RMSE the paper's NRMSE
    std::vector<std::size_t> columns;
    bool logarithm = false;  // of the divided mean; undefined where that is not above 0
    // So many columns in turn are the folds of one: their metrics are averaged with their
    // rows as weights, a fold of which no row was drawn left out. Of kappa they are the classes
    // of one.
    std::size_t folds = 1;
};

// The scale on which a quantity is studentised; increasing functions.
enum class Scale : int {
    kIdentity,
    kNegativeReciprocal,  // -1/x
    kAtanh,
    kNegativeRootComplement,  // -sqrt(1-x)
};

struct Quantity {
    static constexpr std::ptrdiff_t kNone = -1;
    std::size_t minuend = 0;
    std::ptrdiff_t subtrahend = kNone;  // kNone: the level `minuend` itself
    Scale scale = Scale::kIdentity;     // used by studentized() alone
};

// Undefined values are NaN: a metric of no rows, a correlation or R2 where a variance may
// be rounding: of the data (`least_p`, `least_t` of the square of their mean), or of the
// sums (1e-12 of the mean square about the full sample's mean).
class MetricDesign {
  public:
    // sums (S, G) is copied. Throws std::invalid_argument for an index out of range.
    MetricDesign(ArrayView<const double, 2> sums, std::vector<Column> columns,
                 std::vector<Level> levels, std::vector<Quantity> quantities,
                 std::vector<std::size_t> strata, std::vector<RankedRows> ranked = {});

    [[nodiscard]] std::size_t n_clusters() const noexcept { return n_clusters_; }
    [[nodiscard]] std::size_t n_quantities() const noexcept { return quantities_.size(); }

    // Every quantity on all clusters: out (quantities,).
    void estimate(ArrayView<double, 1> out) const;

    // Every quantity on cluster i alone: out (quantities, G).
    void alone(ArrayView<double, 2> out) const;

    // Every quantity without cluster i: out (quantities, G). O(G (sums + quantities)). Of
    // several strata the others of its own weigh G_h/(G_h-1) instead, so that each stratum
    // keeps its weight, as it does in every draw.
    void jackknife(ArrayView<double, 2> out) const;

    // Every quantity with cluster g counted counts(i, g) times: out (quantities, m) for counts (m,
    // G), which are not negative. O(m (G sums + quantities)).
    void weighted(ArrayView<const double, 2> counts, ArrayView<double, 2> out,
                  std::size_t n_threads) const;

    // Replicates first .. first+n-1 of quantity q into out(rows[q], offset + 0 .. n-1).
    // O(n G sums) multiplications, (quantities + sums) x 64 doubles of memory per thread.
    void replicates(std::uint64_t seed, std::uint64_t stream, std::uint64_t first, std::size_t n,
                    const std::vector<std::size_t>& rows, std::size_t offset,
                    ArrayView<double, 2> out, std::size_t n_threads) const;

    // The standard error of each quantity within each replicate, on its scale: the G drawn
    // copies are G distinct subjects, and one copy at a time is left out, as in jackknife(),
    // SE*^2 = sum over strata (G_h-1)/G_h sum_i c_i (T*_(i) - mean*)^2.
    // Laid out as replicates(); O(n G quantities).
    void standard_errors(std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
                         std::size_t n, const std::vector<std::size_t>& rows, std::size_t offset,
                         ArrayView<double, 2> out, std::size_t n_threads) const;

  private:
    struct Workspace;
    void sum_up(Workspace& work) const;
    void draw_block(std::uint64_t seed, std::uint64_t stream, std::uint64_t first, std::size_t n,
                    Workspace& work) const;
    template <std::size_t Lanes>
    void draw_lanes(std::uint64_t seed, std::uint64_t stream, std::uint64_t first, std::size_t lane,
                    Workspace& work) const;
    template <std::size_t Sums>
    void add_up(std::size_t first, Workspace& work) const;
    void evaluate(const double* sums, const double* counts, Workspace& work) const;
    void write(std::size_t first, std::size_t n, const Workspace& work,
               ArrayView<double, 2> out) const;
    void leave_one_copy(std::size_t g, std::size_t start, std::size_t size, double more,
                        Workspace& work) const;
    void kappa(const Level& level, std::size_t first, const double* sums, double* out) const;
    void ranks(const Level& level, const Column& column, const double* counts, Workspace& work,
               double* out) const;
    [[nodiscard]] double rest_weight(std::size_t size) const;
    void stratum_sums(std::size_t start, std::size_t size, const Workspace& work,
                      std::vector<double>& to) const;
    void average_folds(const Level& level, std::size_t first, const double* sums,
                       const double* counts, Workspace& work, double* out) const;

    std::size_t n_sums_;
    std::size_t n_clusters_;
    std::size_t block_;  // replicates computed side by side
    std::vector<double> sums_;
    std::vector<Column> columns_;
    std::vector<Level> levels_;
    std::vector<Quantity> quantities_;
    std::vector<std::size_t> strata_;
    std::vector<RankedRows> ranked_;
    // Where the stratum begins that each draw of a replicate is from, and its size.
    std::vector<std::pair<std::size_t, std::size_t>> drawn_from_;
    // For every two sums: the clusters that add to them, where these are few (sums of a fold).
    std::vector<std::vector<std::size_t>> adding_;
};

// What a row of replicates amounts to; NaN entries are left out and not counted.
struct ReplicateSummary {
    std::size_t n_defined = 0;
    std::size_t n_below_estimate = 0;  // strictly
    std::size_t n_at_most_null = 0;
    std::size_t n_at_least_null = 0;
    double mean = 0;
    double sd = 0;  // divisor n_defined - 1; NaN under two
};

// One summary per row of values (rows, n). O(rows n).
std::vector<ReplicateSummary> summarise(ArrayView<const double, 2> values,
                                        ArrayView<const double, 1> estimate,
                                        ArrayView<const double, 1> null, std::size_t n_threads);

// The ranks(row, k)-th smallest defined value of each row, counted from 0, without
// sorting; NaN for a rank outside the defined values. out has the shape of ranks.
void order_statistics(ArrayView<const double, 2> values, ArrayView<const std::int64_t, 2> ranks,
                      ArrayView<double, 2> out, std::size_t n_threads);

}  // namespace pyexpr
