#include "pyexpr/cluster_bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "lane_metrics.hpp"
#include "pyexpr/checked_size.hpp"
#include "pyexpr/parallel.hpp"
#include "pyexpr/rng.hpp"

namespace pyexpr {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Replicates (or left-out clusters) stand side by side, so that each loop below runs
// over lanes and vectorises; a lane never sees its neighbours. 64 lanes of a few dozen
// sums stay in the first-level cache, fewer lanes do where clusters are many.
constexpr std::size_t kLanes = 64;
constexpr std::size_t kLanesManyClusters = 16;
constexpr std::size_t kManyClusters = 128;
// Lanes held in registers while one sum runs over the clusters.
constexpr std::size_t kTile = 8;
// Replicates whose random numbers are computed side by side.
constexpr std::size_t kBeside = 2;

double scaled(double value, Scale scale) {
    switch (scale) {
        case Scale::kIdentity:
            return value;
        case Scale::kNegativeReciprocal:
            return -1.0 / value;
        case Scale::kAtanh:
            return std::atanh(value);
        case Scale::kNegativeRootComplement:
            return -std::sqrt(1.0 - value);
    }
    return kNaN;
}

std::array<const double*, kSums> sums_of(const Column& column, const double* sums,
                                         std::size_t lanes) {
    std::array<const double*, kSums> s{};
    for (std::size_t k = 0; k < kSums; ++k) s[k] = sums + column.sum[k] * lanes;
    return s;
}

void check_output(const ArrayView<double, 2>& out, const std::vector<std::size_t>& rows,
                  std::size_t n_quantities, std::size_t offset, std::size_t n) {
    if (rows.size() != n_quantities) throw std::invalid_argument("one row per quantity");
    std::vector<bool> taken(out.shape[0], false);
    for (const std::size_t row : rows) {
        if (row >= out.shape[0]) throw std::invalid_argument("row beyond the output");
        if (taken[row]) throw std::invalid_argument("two quantities in one row");
        taken[row] = true;
    }
    if (offset > out.shape[1] || n > out.shape[1] - offset) {
        throw std::invalid_argument("replicates beyond the output");
    }
}

}  // namespace

struct MetricDesign::Workspace {
    Workspace(const MetricDesign& design)
        : counts(design.n_clusters_ * design.block_),
          sums(design.n_sums_ * design.block_),
          levels(design.levels_.size() * design.block_),
          column(design.block_),
          fold(design.block_),
          fold_weight(design.block_),
          weight(design.block_),
          one_out(design.ranked_.empty() ? 0 : design.n_clusters_ * design.block_) {}

    std::vector<double> counts;       // (clusters, lanes)
    std::vector<double> sums;         // (sums, lanes)
    std::vector<double> levels;       // (levels, lanes)
    std::vector<double> column;       // (lanes,)
    std::vector<double> fold;         // (lanes,)
    std::vector<double> fold_weight;  // (lanes,)
    std::vector<double> weight;       // (lanes,)
    std::vector<double> one_out;      // (clusters, lanes), where there are ranks
    RankedRows::Scratch ranking;
};

void draw_counts(const std::vector<std::size_t>& strata, std::uint64_t seed, std::uint64_t stream,
                 std::uint64_t first, ArrayView<std::int32_t, 2> counts) {
    const std::size_t n_clusters = checked_total(strata);
    if (n_clusters != counts.shape[1]) throw std::invalid_argument("strata must add up to G");
    if (n_clusters > std::numeric_limits<std::int32_t>::max()) {
        throw std::invalid_argument("there are more than 2^31 - 1 clusters");
    }
    check_replicates(first, counts.shape[0]);
    InterruptCheck check;
    for (std::size_t r = 0; r < counts.shape[0]; ++r) {
        if (r % 64 == 0) check();
        // Row by row: a gigabyte is given by the system in seconds, in which to ask, too.
        std::fill_n(counts.row(r), n_clusters, 0);
        ReplicateWords words(seed, stream, first + r);
        std::size_t start = 0;
        for (const std::size_t size : strata) {
            for (std::size_t j = 0; j < size; ++j) {
                ++counts(r, start + high_product(words.next(), size));
            }
            start += size;
        }
    }
}

MetricDesign::MetricDesign(ArrayView<const double, 2> sums, std::vector<Column> columns,
                           std::vector<Level> levels, std::vector<Quantity> quantities,
                           std::vector<std::size_t> strata, std::vector<RankedRows> ranked)
    : n_sums_(sums.shape[0]),
      n_clusters_(sums.shape[1]),
      block_(sums.shape[1] > kManyClusters ? kLanesManyClusters : kLanes),
      sums_(sums.data, sums.data + sums.size()),
      columns_(std::move(columns)),
      levels_(std::move(levels)),
      quantities_(std::move(quantities)),
      strata_(std::move(strata)),
      ranked_(std::move(ranked)) {
    if (n_clusters_ == 0) throw std::invalid_argument("there must be a cluster");
    // Before anything is as long as they say.
    if (checked_total(strata_) != n_clusters_) {
        throw std::invalid_argument("strata must add up to the clusters");
    }
    for (const std::size_t size : strata_) {
        if (size == 0) throw std::invalid_argument("a stratum needs a cluster");
        drawn_from_.insert(drawn_from_.end(), size, {drawn_from_.size(), size});
    }
    for (const Column& column : columns_) {
        for (const std::size_t index : column.sum) {
            if (index >= n_sums_)
                throw std::invalid_argument("column names a sum that is not there");
        }
    }
    for (const Level& level : levels_) {
        if (level.columns.empty()) throw std::invalid_argument("a level needs a column");
        if (level.folds == 0 || level.columns.size() % level.folds != 0) {
            throw std::invalid_argument("a level needs all folds of each of its columns");
        }
        for (const std::size_t index : level.columns) {
            if (index >= columns_.size()) {
                throw std::invalid_argument("level names a column that is not there");
            }
            const std::ptrdiff_t ranks = columns_[index].ranked;
            if (is_of_ranks(level.metric) &&
                (ranks < 0 || static_cast<std::size_t>(ranks) >= ranked_.size())) {
                throw std::invalid_argument("a metric of ranks needs ranked rows");
            }
        }
    }
    for (const Quantity& quantity : quantities_) {
        if (quantity.minuend >= levels_.size() || quantity.subtrahend < Quantity::kNone ||
            (quantity.subtrahend != Quantity::kNone &&
             static_cast<std::size_t>(quantity.subtrahend) >= levels_.size())) {
            throw std::invalid_argument("quantity names a level that is not there");
        }
    }
    for (std::size_t s = 0; s < n_sums_; s += 2) {
        std::vector<std::size_t> adding;
        for (std::size_t g = 0; g < n_clusters_; ++g) {
            const bool second = s + 1 < n_sums_ && sums_[(s + 1) * n_clusters_ + g] != 0.0;
            if (sums_[s * n_clusters_ + g] != 0.0 || second) adding.push_back(g);
        }
        const bool few = adding.size() <= n_clusters_ / 2;
        adding_.push_back(few ? std::move(adding) : std::vector<std::size_t>{});
    }
}

// From sums (n_sums, lanes), and for ranks counts (clusters, lanes), to work.levels (levels,
// lanes).
void MetricDesign::evaluate(const double* sums, const double* counts, Workspace& work) const {
    for (std::size_t l = 0; l < levels_.size(); ++l) {
        const Level& level = levels_[l];
        double* const out = &work.levels[l * block_];
        for (std::size_t c = 0; c < level.columns.size(); c += level.folds) {
            double* const value = c == 0 ? out : work.column.data();
            const Column& column = columns_[level.columns[c]];
            if (level.metric == Metric::kKappa) {
                kappa(level, c, sums, value);
            } else if (level.folds > 1) {
                average_folds(level, c, sums, counts, work, value);
            } else if (is_of_ranks(level.metric)) {
                ranks(level, column, counts, work, value);
            } else {
                lanes::column_metric(level.metric, sums_of(column, sums, block_), column, block_,
                                     value);
            }
            if (c > 0) {
                for (std::size_t r = 0; r < block_; ++r) out[r] += value[r];
            }
        }
        const std::size_t n_columns = level.columns.size() / level.folds;
        const double divisor = level.divisor * static_cast<double>(n_columns);
        if (divisor != 1.0) {
            for (std::size_t r = 0; r < block_; ++r) out[r] /= divisor;
        }
        if (level.logarithm) {
            for (std::size_t r = 0; r < block_; ++r) out[r] = out[r] > 0 ? std::log(out[r]) : kNaN;
        }
    }
}

// A metric of ranks in every lane; the rows' weight goes to work.fold_weight.
void MetricDesign::ranks(const Level& level, const Column& column, const double* counts,
                         Workspace& work, double* out) const {
    const RankedRows& rows = ranked_[static_cast<std::size_t>(column.ranked)];
    double* const weight = work.fold_weight.data();
    if (level.metric == Metric::kArea) {
        rows.area(counts, block_, out, weight);
    } else {
        rows.spearman(counts, block_, out, weight, work.ranking);
    }
}

// Cohen's kappa of one column, whose classes begin at `first`.
void MetricDesign::kappa(const Level& level, std::size_t first, const double* sums,
                         double* out) const {
    for (std::size_t r = 0; r < block_; ++r) {
        double agreed = 0;
        double by_chance = 0;
        double n = 0;
        for (std::size_t k = 0; k < level.folds; ++k) {
            const auto s = sums_of(columns_[level.columns[first + k]], sums, block_);
            n = s[kN][r];
            agreed += s[kPT][r];
            by_chance += s[kP][r] * s[kT][r];
        }
        const double room = n * n - by_chance;
        out[r] = room > lanes::kNoVariance * n * n ? (n * agreed - by_chance) / room : kNaN;
    }
}

// The mean of a metric over the folds of one column, which begin at `first`.
void MetricDesign::average_folds(const Level& level, std::size_t first, const double* sums,
                                 const double* counts, Workspace& work, double* out) const {
    std::fill_n(out, block_, 0.0);
    std::fill(work.weight.begin(), work.weight.end(), 0.0);
    for (std::size_t f = 0; f < level.folds; ++f) {
        const Column& column = columns_[level.columns[first + f]];
        const double* n = nullptr;
        if (is_of_ranks(level.metric)) {
            ranks(level, column, counts, work, work.fold.data());
            n = work.fold_weight.data();
        } else {
            const auto s = sums_of(column, sums, block_);
            lanes::column_metric(level.metric, s, column, block_, work.fold.data());
            n = s[kN];
        }
        for (std::size_t r = 0; r < block_; ++r) {
            out[r] += n[r] > 0 ? n[r] * work.fold[r] : 0.0;
            work.weight[r] += n[r];
        }
    }
    for (std::size_t r = 0; r < block_; ++r) out[r] /= work.weight[r];
}

// Draws replicates first .. first+n-1 (n <= lanes) and adds up their sums.
void MetricDesign::draw_block(std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
                              std::size_t n, Workspace& work) const {
    std::fill(work.counts.begin(), work.counts.end(), 0.0);
    std::size_t r = 0;
    for (; r + kBeside <= n; r += kBeside) draw_lanes<kBeside>(seed, stream, first, r, work);
    for (; r < n; ++r) draw_lanes<1>(seed, stream, first, r, work);
    sum_up(work);
}

void MetricDesign::sum_up(Workspace& work) const {
    // Two sums at a time: the counts, read once, serve both.
    std::size_t s = 0;
    for (; s + 2 <= n_sums_; s += 2) add_up<2>(s, work);
    if (s < n_sums_) add_up<1>(s, work);
}

// Draws replicates first + lane on, one for each of `Lanes` lanes, with the words that
// ReplicateWords hands out.
template <std::size_t Lanes>
void MetricDesign::draw_lanes(std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
                              std::size_t lane, Workspace& work) const {
    std::size_t draw = 0;
    for (std::uint64_t block = 0; draw < n_clusters_; ++block) {
        std::array<std::array<std::uint64_t, 4>, Lanes> words{};
        for (std::size_t r = 0; r < Lanes; ++r) {
            words[r] = replicate_counter(first + lane + r, block);
        }
        words = philox_lanes<Lanes>(words, {seed, stream});
        for (std::size_t k = 0; k < 4 && draw < n_clusters_; ++k, ++draw) {
            const auto [start, size] = drawn_from_[draw];
            for (std::size_t r = 0; r < Lanes; ++r) {
                work.counts[(start + high_product(words[r][k], size)) * block_ + lane + r] += 1.0;
            }
        }
    }
}

// From counts to sums `first` to first + Sums - 1. Each adds its clusters in their order,
// whatever stands beside it.
template <std::size_t Sums>
void MetricDesign::add_up(std::size_t first, Workspace& work) const {
    const double* const x = &sums_[first * n_clusters_];
    const std::vector<std::size_t>& adding = adding_[first / 2];
    for (std::size_t tile = 0; tile < block_; tile += kTile) {
        std::array<std::array<double, kTile>, Sums> total{};
        const auto add = [&](std::size_t g, const double* count) {
            for (std::size_t s = 0; s < Sums; ++s) {
                const double value = x[s * n_clusters_ + g];
// Else GCC takes two clusters at a time, and their totals to memory and back.
#pragma omp simd
                for (std::size_t k = 0; k < kTile; ++k) total[s][k] += count[k] * value;
            }
        };
        const double* count = work.counts.data() + tile;
        if (adding.empty()) {
            for (std::size_t g = 0; g < n_clusters_; ++g, count += block_) add(g, count);
        } else {
            // The others would add 0: the bytes are the same.
            for (const std::size_t g : adding) add(g, count + g * block_);
        }
        for (std::size_t s = 0; s < Sums; ++s) {
            std::copy(total[s].begin(), total[s].end(), &work.sums[(first + s) * block_ + tile]);
        }
    }
}

void MetricDesign::estimate(ArrayView<double, 1> out) const {
    if (out.shape[0] != quantities_.size()) throw std::invalid_argument("one value per quantity");
    Workspace work(*this);
    for (std::size_t s = 0; s < n_sums_; ++s) {
        double total = 0;
        for (std::size_t g = 0; g < n_clusters_; ++g) total += sums_[s * n_clusters_ + g];
        std::fill_n(&work.sums[s * block_], block_, total);
    }
    std::fill(work.counts.begin(), work.counts.end(), 1.0);
    evaluate(work.sums.data(), work.counts.data(), work);
    for (std::size_t q = 0; q < quantities_.size(); ++q) {
        double value = work.levels[quantities_[q].minuend * block_];
        if (quantities_[q].subtrahend != Quantity::kNone) {
            value -= work.levels[static_cast<std::size_t>(quantities_[q].subtrahend) * block_];
        }
        out.data[q] = value;
    }
}

// The quantities of lanes 0 .. n-1 to clusters `first` to first + n - 1.
void MetricDesign::write(std::size_t first, std::size_t n, const Workspace& work,
                         ArrayView<double, 2> out) const {
    for (std::size_t q = 0; q < quantities_.size(); ++q) {
        const Quantity& quantity = quantities_[q];
        const double* const a = &work.levels[quantity.minuend * block_];
        const double* const b =
            quantity.subtrahend == Quantity::kNone
                ? nullptr
                : &work.levels[static_cast<std::size_t>(quantity.subtrahend) * block_];
        for (std::size_t r = 0; r < n; ++r) out(q, first + r) = b ? a[r] - b[r] : a[r];
    }
}

void MetricDesign::alone(ArrayView<double, 2> out) const {
    if (out.shape[0] != quantities_.size() || out.shape[1] != n_clusters_) {
        throw std::invalid_argument("output must be (quantities, clusters)");
    }
    Workspace work(*this);
    for (std::size_t first = 0; first < n_clusters_; first += block_) {
        const std::size_t n = std::min(block_, n_clusters_ - first);
        std::fill(work.counts.begin(), work.counts.end(), 0.0);
        for (std::size_t r = 0; r < n; ++r) {
            work.counts[(first + r) * block_ + r] = 1.0;
            for (std::size_t s = 0; s < n_sums_; ++s) {
                work.sums[s * block_ + r] = sums_[s * n_clusters_ + first + r];
            }
        }
        evaluate(work.sums.data(), work.counts.data(), work);
        write(first, n, work, out);
    }
}

void MetricDesign::jackknife(ArrayView<double, 2> out) const {
    if (out.shape[0] != quantities_.size() || out.shape[1] != n_clusters_) {
        throw std::invalid_argument("jackknife output must be (quantities, clusters)");
    }
    Workspace work(*this);
    std::vector<double> before(n_sums_);
    std::vector<double> others(n_sums_);
    std::size_t start = 0;
    for (const std::size_t size : strata_) {
        const std::size_t end = start + size;
        // The sum of the stratum's clusters before i plus that of those after it: nothing cancels.
        std::vector<double> after(n_sums_ * (size + 1), 0.0);
        for (std::size_t s = 0; s < n_sums_; ++s) {
            const double* const x = &sums_[s * n_clusters_];
            for (std::size_t g = size; g-- > 0;) {
                after[g * n_sums_ + s] = after[(g + 1) * n_sums_ + s] + x[start + g];
            }
            before[s] = others[s] = 0.0;
            for (std::size_t g = 0; g < start; ++g) others[s] += x[g];
            for (std::size_t g = end; g < n_clusters_; ++g) others[s] += x[g];
        }
        const double weight = rest_weight(size);
        for (std::size_t first = 0; first < size; first += block_) {
            const std::size_t n = std::min(block_, size - first);
            for (std::size_t r = 0; r < n; ++r) {
                for (std::size_t s = 0; s < n_sums_; ++s) {
                    const double rest = before[s] + after[(first + r + 1) * n_sums_ + s];
                    work.sums[s * block_ + r] = others[s] + weight * rest;
                    before[s] += sums_[s * n_clusters_ + start + first + r];
                }
            }
            if (!ranked_.empty()) {
                std::fill(work.counts.begin(), work.counts.end(), 1.0);
                std::fill_n(&work.counts[start * block_], size * block_, weight);
                for (std::size_t r = 0; r < n; ++r) {
                    work.counts[(start + first + r) * block_ + r] = 0.0;
                }
            }
            evaluate(work.sums.data(), work.counts.data(), work);
            write(start + first, n, work, out);
        }
        start = end;
    }
}

// What the others of a stratum weigh where one of them is left out; of all clusters, where
// there is one stratum, no metric depends on it.
void MetricDesign::weighted(ArrayView<const double, 2> counts, ArrayView<double, 2> out,
                            std::size_t n_threads) const {
    const std::size_t m = counts.shape[0];
    if (counts.shape[1] != n_clusters_ || out.shape[0] != quantities_.size() || out.shape[1] != m) {
        throw std::invalid_argument("counts must be (m, clusters), output (quantities, m)");
    }
    parallel_for((m + block_ - 1) / block_, n_threads, [&] {
        return [&, work = Workspace(*this)](std::size_t block) mutable {
            const std::size_t start = block * block_;
            const std::size_t lanes = std::min(block_, m - start);
            std::fill(work.counts.begin(), work.counts.end(), 0.0);
            for (std::size_t g = 0; g < n_clusters_; ++g) {
                for (std::size_t r = 0; r < lanes; ++r) {
                    work.counts[g * block_ + r] = counts(start + r, g);
                }
            }
            sum_up(work);
            evaluate(work.sums.data(), work.counts.data(), work);
            write(start, lanes, work, out);
        };
    });
}

double MetricDesign::rest_weight(std::size_t size) const {
    if (strata_.size() == 1 || size == 1) return 1.0;
    return static_cast<double>(size) / static_cast<double>(size - 1);
}

void MetricDesign::replicates(std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
                              std::size_t n, const std::vector<std::size_t>& rows,
                              std::size_t offset, ArrayView<double, 2> out,
                              std::size_t n_threads) const {
    check_output(out, rows, quantities_.size(), offset, n);
    check_replicates(first, n);
    parallel_for((n + block_ - 1) / block_, n_threads, [&] {
        return [&, work = Workspace(*this)](std::size_t block) mutable {
            const std::size_t start = block * block_;
            const std::size_t lanes = std::min(block_, n - start);
            draw_block(seed, stream, first + start, lanes, work);
            evaluate(work.sums.data(), work.counts.data(), work);
            for (std::size_t q = 0; q < quantities_.size(); ++q) {
                const Quantity& quantity = quantities_[q];
                const double* const a = &work.levels[quantity.minuend * block_];
                double* const to = &out(rows[q], offset + start);
                if (quantity.subtrahend == Quantity::kNone) {
                    std::copy_n(a, lanes, to);
                } else {
                    const double* const b =
                        &work.levels[static_cast<std::size_t>(quantity.subtrahend) * block_];
                    for (std::size_t r = 0; r < lanes; ++r) to[r] = a[r] - b[r];
                }
            }
        };
    });
}

// The sums of `size` drawn clusters from `start` on, (sums, lanes).
void MetricDesign::stratum_sums(std::size_t start, std::size_t size, const Workspace& work,
                                std::vector<double>& to) const {
    std::fill(to.begin(), to.end(), 0.0);
    for (std::size_t s = 0; s < n_sums_; ++s) {
        for (std::size_t g = start; g < start + size; ++g) {
            const double x = sums_[s * n_clusters_ + g];
            const double* const count = &work.counts[g * block_];
            for (std::size_t r = 0; r < block_; ++r) to[s * block_ + r] += count[r] * x;
        }
    }
}

// work.counts with one copy of cluster g taken out, the others of its stratum, from `start` on,
// standing in for it; where g was not drawn, as it was drawn: that lane is not looked at.
void MetricDesign::leave_one_copy(std::size_t g, std::size_t start, std::size_t size, double more,
                                  Workspace& work) const {
    std::copy(work.counts.begin(), work.counts.end(), work.one_out.begin());
    double* const of_g = &work.one_out[g * block_];
    for (std::size_t r = 0; r < block_; ++r) of_g[r] -= of_g[r] > 0 ? 1.0 : 0.0;
    if (more > 0) {
        for (std::size_t i = start * block_; i < (start + size) * block_; ++i) {
            work.one_out[i] *= 1.0 + more;
        }
    }
}

void MetricDesign::standard_errors(std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
                                   std::size_t n, const std::vector<std::size_t>& rows,
                                   std::size_t offset, ArrayView<double, 2> out,
                                   std::size_t n_threads) const {
    check_output(out, rows, quantities_.size(), offset, n);
    check_replicates(first, n);
    const std::size_t n_quantities = quantities_.size();

    // The value of quantity q in every lane of work.levels, on its scale.
    const auto on_scale = [this](const Quantity& quantity, const Workspace& work, double* to) {
        const double* const a = &work.levels[quantity.minuend * block_];
        if (quantity.subtrahend == Quantity::kNone) {
            for (std::size_t r = 0; r < block_; ++r) to[r] = scaled(a[r], quantity.scale);
        } else {
            const double* const b =
                &work.levels[static_cast<std::size_t>(quantity.subtrahend) * block_];
            for (std::size_t r = 0; r < block_; ++r) to[r] = scaled(a[r] - b[r], quantity.scale);
        }
    };
    parallel_for((n + block_ - 1) / block_, n_threads, [&] {
        return [&, work = Workspace(*this), one_out = std::vector<double>(n_sums_ * block_),
                whole = std::vector<double>(n_quantities * block_),
                total = std::vector<double>(n_quantities * block_),
                squares = std::vector<double>(n_quantities * block_),
                variance = std::vector<double>(n_quantities * block_),
                stratum = std::vector<double>(n_sums_ * block_),
                value = std::vector<double>(block_)](std::size_t block) mutable {
            const std::size_t start = block * block_;
            const std::size_t lanes = std::min(block_, n - start);
            draw_block(seed, stream, first + start, lanes, work);
            evaluate(work.sums.data(), work.counts.data(), work);
            for (std::size_t q = 0; q < n_quantities; ++q) {
                on_scale(quantities_[q], work, &whole[q * block_]);
            }
            std::fill(variance.begin(), variance.end(), 0.0);
            std::size_t g = 0;
            for (const std::size_t size : strata_) {
                std::fill(total.begin(), total.end(), 0.0);
                std::fill(squares.begin(), squares.end(), 0.0);
                // The others of the stratum stand in for the one left out.
                const double more = rest_weight(size) - 1.0;
                if (more > 0) stratum_sums(g, size, work, stratum);
                for (const std::size_t end = g + size; g < end; ++g) {
                    for (std::size_t s = 0; s < n_sums_; ++s) {
                        const double x = sums_[s * n_clusters_ + g];
                        for (std::size_t r = 0; r < block_; ++r) {
                            one_out[s * block_ + r] = work.sums[s * block_ + r] - x;
                        }
                        if (more > 0) {
                            for (std::size_t r = 0; r < block_; ++r) {
                                one_out[s * block_ + r] += more * (stratum[s * block_ + r] - x);
                            }
                        }
                    }
                    if (!ranked_.empty()) leave_one_copy(g, end - size, size, more, work);
                    evaluate(one_out.data(), work.one_out.data(), work);
                    const double* const count = &work.counts[g * block_];
                    for (std::size_t q = 0; q < n_quantities; ++q) {
                        on_scale(quantities_[q], work, value.data());
                        double* const sum = &total[q * block_];
                        double* const square = &squares[q * block_];
                        const double* const centre = &whole[q * block_];
                        for (std::size_t r = 0; r < block_; ++r) {
                            // A cluster that was not drawn cannot be left out: whatever
                            // its lane holds is not looked at.
                            const double e = count[r] > 0 ? value[r] - centre[r] : 0.0;
                            sum[r] += count[r] * e;
                            square[r] += count[r] * (e * e);
                        }
                    }
                }
                const double G = static_cast<double>(size);
                for (std::size_t i = 0; i < variance.size(); ++i) {
                    const double spread = squares[i] - total[i] * total[i] / G;
                    variance[i] += (G - 1.0) / G * (spread < 0.0 ? 0.0 : spread);
                }
            }
            for (std::size_t q = 0; q < n_quantities; ++q) {
                double* const to = &out(rows[q], offset + start);
                for (std::size_t r = 0; r < lanes; ++r) {
                    to[r] = std::sqrt(variance[q * block_ + r]);
                }
            }
        };
    });
}

}  // namespace pyexpr
