// libFuzzer: the entry points of the kernels with any numbers, and shapes that may not fit
// together. A kernel computes, or throws std::invalid_argument (or std::bad_alloc for absurd
// sizes); whatever else happens, an index outside a view above all, ends the process. `make fuzz`.
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <new>
#include <stdexcept>
#include <vector>

#include "pyexpr/clip_features.hpp"
#include "pyexpr/cluster_bootstrap.hpp"
#include "pyexpr/compiled_statistic.hpp"
#include "pyexpr/elastic_net.hpp"
#include "pyexpr/factor_model.hpp"
#include "pyexpr/icc.hpp"
#include "pyexpr/kinematics.hpp"
#include "pyexpr/logistic_net.hpp"
#include "pyexpr/row_sums.hpp"
#include "pyexpr/sign_flip.hpp"

namespace {

using pyexpr::ArrayView;

// Choices out of bytes; zeros after the last.
class Choices {
  public:
    Choices(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

    std::uint8_t byte() {
        if (left_ == 0) return 0;
        --left_;
        return *data_++;
    }
    std::size_t below(std::size_t n) { return byte() % n; }
    bool seldom() { return below(16) == 15; }
    // Seldom two: to start a thread takes longer than all else.
    std::size_t threads() { return seldom() ? 2 : 1; }

    std::size_t size() {
        constexpr std::array<std::size_t, 6> hostile{
            SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX / 9 + 1, std::size_t{1} << 60, 100};
        return seldom() ? hostile[below(hostile.size())] : below(6);
    }

    double real() {
        const std::size_t kind = below(8);
        if (kind < 6) return (static_cast<double>(byte()) - 100) / 16;
        std::uint64_t bits = 0;
        for (int i = 0; i < 8; ++i) bits = bits << 8 | byte();
        double value = 0;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }

  private:
    const std::uint8_t* data_;
    std::size_t left_;
};

// Memory of exactly the size of the view, so that the sanitizer sees what lies outside it.
template <typename T, std::size_t N>
class Array {
  public:
    Array(Choices& choose, std::array<std::size_t, N> shape) : shape_(shape) {
        if (choose.seldom()) shape_[choose.below(N)] = choose.below(5);
        values_.resize(view().size());
        for (T& value : values_) {
            if constexpr (std::is_floating_point_v<T>) {
                value = static_cast<T>(choose.real());
            } else {
                value = static_cast<T>(choose.seldom() ? choose.size() : choose.below(4));
            }
        }
    }
    ArrayView<T, N> view() { return {values_.data(), shape_}; }
    ArrayView<const T, N> read() const { return {values_.data(), shape_}; }

  private:
    std::array<std::size_t, N> shape_;
    std::vector<T> values_;
};

using Reals1 = Array<double, 1>;
using Reals2 = Array<double, 2>;
using Reals3 = Array<double, 3>;
using Reals4 = Array<double, 4>;
using Codes1 = Array<std::int64_t, 1>;
using Codes2 = Array<std::int64_t, 2>;

std::vector<std::size_t> strata(Choices& choose, std::size_t n) {
    if (choose.seldom()) {
        std::vector<std::size_t> sizes(choose.below(4));
        for (std::size_t& size : sizes) size = choose.size();
        return sizes;
    }
    if (n > 1 && choose.below(2)) return {1, n - 1};
    return {n};
}

void batches_of_rows(Choices& choose) {
    const std::size_t n_groups = choose.below(3), n_clusters = choose.below(5);
    pyexpr::RowSums rows(n_groups, n_clusters, choose.below(2) == 1);
    for (std::size_t batch = choose.below(4); batch > 0; --batch) {
        const std::size_t n = choose.below(6);
        Reals1 p(choose, {n}), t(choose, {n});
        Codes1 slot(choose, {n});
        const auto part = static_cast<pyexpr::Part>(choose.below(3));
        if (choose.below(2)) {
            rows.add_to_means(p.read(), t.read(), slot.read());
        } else {
            rows.add_to_sums(part, p.read(), t.read(), slot.read());
        }
    }
    Reals2 sums(choose, {9, n_clusters}), constant(choose, {4, n_clusters});
    rows.write(static_cast<pyexpr::Part>(choose.below(3)), choose.below(3), sums.view());
    rows.write_constant(choose.below(3), constant.view());
}

void sums_and_draws(Choices& choose) {
    const std::size_t n = choose.below(6), groups = choose.below(5);
    Reals1 p(choose, {n}), t(choose, {n});
    Codes1 cluster(choose, {n});
    Reals2 sums(choose, {9, groups});
    Array<std::int32_t, 2> counts(choose, {choose.below(4), groups});
    const auto sizes = strata(choose, groups);
    if (choose.below(2)) {
        pyexpr::cluster_sums(p.read(), t.read(), cluster.read(),
                             static_cast<pyexpr::Part>(choose.below(3)), sums.view());
    } else {
        pyexpr::draw_counts(sizes, choose.byte(), 1, choose.size(), counts.view());
    }
    // What an old file of the corpus calls stays the first call.
    batches_of_rows(choose);
}

void replicate_order(Choices& choose) {
    const std::size_t rows = choose.below(4), n = choose.below(40);
    Reals2 values(choose, {rows, n});
    if (choose.below(2)) {
        Reals1 estimate(choose, {rows}), null(choose, {rows});
        pyexpr::summarise(values.read(), estimate.read(), null.read(), 1 + choose.below(2));
    } else {
        const std::size_t k = choose.below(4);
        Codes2 ranks(choose, {rows, k});
        Reals2 out(choose, {rows, k});
        pyexpr::order_statistics(values.read(), ranks.read(), out.view(), 1);
    }
}

void metric_design(Choices& choose) {
    const std::size_t n_sums = 1 + choose.below(9), groups = choose.below(5);
    Reals2 sums(choose, {n_sums, groups});
    std::vector<pyexpr::RankedRows> ranked;
    for (std::size_t i = choose.below(3); i > 0; --i) {
        const std::size_t n = choose.below(6);
        Codes1 cluster(choose, {n}), p(choose, {n}), t(choose, {n});
        ranked.emplace_back(cluster.read(), p.read(), t.read(), sums.read().shape[1]);
    }
    std::vector<pyexpr::Column> columns(1 + choose.below(3));
    for (pyexpr::Column& column : columns) {
        for (std::size_t& index : column.sum) {
            index = choose.seldom() ? choose.size() : choose.below(n_sums);
        }
        column.centre_p = choose.real();
        column.ranked = static_cast<std::ptrdiff_t>(choose.below(ranked.size() + 2)) - 1;
    }
    std::vector<pyexpr::Level> levels(1 + choose.below(3));
    for (pyexpr::Level& level : levels) {
        level.metric = static_cast<pyexpr::Metric>(choose.below(13));
        level.divisor = choose.real();
        level.columns.resize(choose.below(4));
        for (std::size_t& index : level.columns) index = choose.below(columns.size());
        level.logarithm = choose.below(2) != 0;
        level.folds = choose.below(2) ? 1 : choose.size();
    }
    std::vector<pyexpr::Quantity> quantities(1 + choose.below(3));
    for (pyexpr::Quantity& quantity : quantities) {
        quantity.minuend = choose.below(levels.size());
        quantity.subtrahend = static_cast<std::ptrdiff_t>(choose.below(levels.size() + 1)) - 1;
        quantity.scale = static_cast<pyexpr::Scale>(choose.below(4));
    }
    const std::size_t n_quantities = quantities.size();
    const auto sizes = strata(choose, groups);
    const pyexpr::MetricDesign design(sums.read(), columns, levels, quantities, sizes, ranked);
    Reals1 estimate(choose, {n_quantities});
    Reals2 each(choose, {n_quantities, groups});
    design.estimate(estimate.view());
    design.alone(each.view());
    design.jackknife(each.view());
    const std::size_t n = choose.below(70);
    const Reals2 counts(choose, {n, groups});
    Reals2 out(choose, {n_quantities, n});
    design.weighted(counts.read(), out.view(), choose.threads());
    std::vector<std::size_t> rows(n_quantities);
    for (std::size_t q = 0; q < n_quantities; ++q) rows[q] = choose.seldom() ? choose.size() : q;
    const std::size_t wanted = choose.seldom() ? choose.size() : n;
    const std::size_t offset = choose.seldom() ? choose.size() : 0;
    design.replicates(1, 1, choose.size(), wanted, rows, offset, out.view(), 1);
    design.standard_errors(1, 1, choose.size(), wanted, rows, offset, out.view(), choose.threads());
}

void sign_flips(Choices& choose) {
    const std::size_t n_pairs = choose.below(3), groups = choose.below(5), n = choose.below(70);
    Reals3 a(choose, {n_pairs, 9, groups}), b(choose, {n_pairs, 9, groups});
    Reals2 out(choose, {n_pairs, n});
    std::vector<pyexpr::FlipPair> pairs(n_pairs);
    for (auto& pair : pairs) {
        pair = {static_cast<pyexpr::Metric>(choose.below(10)), choose.real(), choose.real()};
    }
    pyexpr::sign_flips(a.read(), b.read(), pairs, strata(choose, groups),
                       choose.below(2) ? pyexpr::Flips::kAll : pyexpr::Flips::kRandom, 1, 2,
                       choose.size(), out.view(), 1);
}

std::int64_t weighted(const double* rows, std::int64_t n_columns, std::int64_t n_rows,
                      const double* weights, double* values) {
    *values = 0;
    for (std::int64_t i = 0; i < n_columns * n_rows; ++i) {
        *values += rows[i] * weights[i % n_rows];
    }
    return std::isfinite(*values) ? 0 : 1;
}

void compiled(Choices& choose) {
    const std::size_t n = choose.below(6), groups = choose.below(4), r = choose.below(5);
    std::vector<pyexpr::CompiledStatistic> statistics(choose.below(3), {&weighted, 1});
    for (auto& one : statistics) one.n_values = choose.seldom() ? 1 + choose.size() / 2 : 1;
    Reals2 rows(choose, {1 + choose.below(2), n});
    Codes1 cluster(choose, {n});
    const pyexpr::ClusteredRows data{rows.read(), cluster.read(), strata(choose, groups)};
    Reals2 values(choose, {statistics.size(), choose.below(2) ? groups : r});
    Array<std::uint8_t, 2> failed(choose, {statistics.size(), values.read().shape[1]});
    if (choose.below(2)) {
        pyexpr::statistic_leave_one_out(statistics, data, values.view(), failed.view(), 1);
    } else {
        pyexpr::statistic_replicates(statistics, data, 1, 1, choose.size(), values.view(),
                                     failed.view(), choose.threads());
    }
}

void icc(Choices& choose) {
    const std::size_t n = choose.below(6);
    Reals1 values(choose, {n});
    Codes1 targets(choose, {n}), raters(choose, {n});
    Reals2 matrix(choose, {n, choose.below(5)}), sizes(choose, {n, 4});
    Reals2 cells(choose, {choose.below(5), choose.below(5)});
    switch (choose.below(4)) {
        case 0:
            static_cast<void>(pyexpr::icc::matrix_squares(matrix.read()));
            break;
        case 1:
            static_cast<void>(
                pyexpr::icc::long_squares(values.read(), targets.read(), choose.below(6)));
            break;
        case 2:
            static_cast<void>(pyexpr::icc::fill_cells(values.read(), targets.read(), raters.read(),
                                                      cells.view()));
            break;
        default:
            static_cast<void>(pyexpr::icc::wald_limit(sizes.read(), choose.real(), choose.real()));
    }
}

void factor_model(Choices& choose) {
    // A fit of 5 indicators takes ten times as long as one of 3.
    const std::size_t p = choose.seldom() ? 5 : choose.below(4), n = choose.below(4);
    const std::size_t r = choose.below(4);
    const std::size_t width = 1 + p + p * (p + 1) / 2, which = choose.below(4);
    const std::size_t said = choose.seldom() ? choose.size() : p;
    Reals2 x(choose, {n, p}), covariance(choose, {p, p}), sums(choose, {n, width});
    Reals2 counts(choose, {r, n});
    Reals1 mean(choose, {p}), parameters(choose, {2 * p});
    Reals2 many(choose, {which == 2 ? n : r, 2 * p});
    Array<int, 1> status(choose, {which == 2 ? n : r});
    if (which == 0) pyexpr::factor_moments(x.read(), mean.view(), covariance.view());
    if (which == 1) static_cast<void>(pyexpr::fit_factor(covariance.read(), parameters.view()));
    if (which == 2) pyexpr::fit_factor_sums(sums.read(), said, many.view(), status.view(), 1);
    if (which == 3) {
        pyexpr::fit_factor_resampled(sums.read(), counts.read(), said, many.view(), status.view(),
                                     choose.threads());
    }
}

void elastic_net(Choices& choose) {
    const std::size_t p = 1 + choose.below(3), n = choose.below(6), groups = choose.below(4);
    const std::size_t a = choose.below(3), s = choose.below(3), r = choose.below(4);
    Reals2 sums(choose, {groups, pyexpr::cross_product_length(p)});
    if (choose.below(3) == 0) {
        Reals2 x(choose, {n, p});
        Reals1 y(choose, {n}), centre(choose, {p + 1}), spread(choose, {p + 1});
        Codes1 cluster(choose, {n});
        pyexpr::cross_products(x.read(), y.read(), cluster.read(), centre.read(), spread.read(),
                               sums.view());
        return;
    }
    Codes2 counts(choose, {r, groups});
    Reals1 alphas(choose, {a}), ratios(choose, {s}), start(choose, {p}), intercept(choose, {r});
    Reals4 coef(choose, {r, a, s, p});
    Reals2 mean(choose, {r, p}), scale(choose, {r, p});
    Reals3 gap(choose, {r, a, s}), errors(choose, {r, a, s});
    Reals1 n_rows(choose, {r});
    const pyexpr::ElasticNetFits fits{coef.view(), intercept.view(), mean.view(), scale.view(),
                                      gap.view()};
    if (choose.below(2)) {
        pyexpr::elastic_net_fits(sums.read(), counts.read(), alphas.read(), ratios.read(),
                                 start.read(), {choose.real(), choose.below(6), 1}, fits);
    } else {
        pyexpr::elastic_net_squared_errors(sums.read(), counts.read(), fits, 1, errors.view(),
                                           n_rows.view());
    }
}

void logistic_net(Choices& choose) {
    const std::size_t n = 2 + choose.below(6), p = choose.below(4), a = choose.below(3);
    const std::size_t s = choose.below(3);
    const std::size_t classes = choose.seldom() ? choose.size() : 2 + choose.below(2);
    const std::size_t vectors = classes == 2 ? 1 : 3;
    Reals2 z(choose, {n, p});
    Codes1 label(choose, {n});
    Reals1 alphas(choose, {a}), ratios(choose, {s});
    Reals4 coef(choose, {a, s, vectors, p});
    Reals3 intercept(choose, {a, s, vectors});
    Reals2 breach(choose, {a, s});
    pyexpr::logistic_net_fits(z.read(), label.read(), classes, alphas.read(), ratios.read(),
                              {choose.real(), choose.below(6), 1},
                              {coef.view(), intercept.view(), breach.view()});
}

template <typename T>
void motion(Choices& choose) {
    const std::size_t count = choose.below(7);
    Array<T, 3> landmarks(choose, {choose.below(6), count, choose.below(4)});
    Reals1 displacement(choose, {count}), velocity(choose, {count});
    Codes1 steps(choose, {count}), velocities(choose, {count});
    const double rate = choose.below(4) ? 30.0 : choose.real();
    const double period = choose.below(4) ? 0.0 : choose.real();
    pyexpr::landmark_motion<T>(
        landmarks.read(), rate, static_cast<pyexpr::Velocity>(choose.below(3)), period,
        {displacement.view(), velocity.view(), steps.view(), velocities.view()});
}

pyexpr::Bins bins_of(Choices& choose, Codes1& first, Codes1& expected, std::size_t frames) {
    return {first.read(), expected.read(), choose.seldom() ? choose.size() : frames};
}

// Increasing for the most part, as the kernel wants them; any others where bytes say so.
Codes1 first_frames(Choices& choose, std::size_t n_bins) {
    Codes1 first(choose, {n_bins});
    if (choose.seldom()) return first;
    std::int64_t at = 0;
    for (std::size_t b = 0; b < first.read().shape[0]; ++b) {
        first.view()(b) = at;
        at += 1 + static_cast<std::int64_t>(choose.below(3));
    }
    return first;
}

void binned(Choices& choose) {
    const std::size_t n_bins = choose.below(5), dims = choose.below(4);
    const std::size_t frames = 2 * n_bins + choose.below(4), points = choose.below(4);
    Reals3 values(choose, {frames, points, dims});
    const auto shape = values.read().shape;
    const pyexpr::ClipFrames clip{values.read().data, shape[1] * shape[2], shape[0], shape[1],
                                  shape[2]};
    Codes1 first = first_frames(choose, n_bins), expected(choose, {n_bins});
    const pyexpr::Bins bins = bins_of(choose, first, expected, frames);
    const pyexpr::Binning how{choose.below(2) != 0, choose.below(2) != 0};
    if (choose.below(2)) {
        Reals3 means(choose, {n_bins, points, dims});
        pyexpr::bin_points(clip, bins, how, means.view());
    } else {
        const double rate = choose.below(4) ? 30.0 : choose.real();
        static_cast<void>(pyexpr::binned_motion(clip, bins, how, rate,
                                                static_cast<pyexpr::Velocity>(choose.below(3))));
    }
}

// A vector of bool has no memory that a view could show.
struct Flags {
    Flags(Choices& choose, std::size_t n) : bytes(choose, {n}) {
        for (std::size_t i = 0; i < bytes.read().shape[0]; ++i) bytes.view()(i) &= 1;
    }
    ArrayView<const bool, 1> read() {
        return {reinterpret_cast<const bool*>(bytes.read().data), bytes.read().shape};
    }
    Array<std::uint8_t, 1> bytes;
};

void frames_and_units(Choices& choose) {
    const std::size_t frames = choose.below(7), units = choose.below(4);
    Flags valid(choose, frames);
    if (choose.below(2)) {
        Flags present(choose, frames);
        Reals1 confidence(choose, {frames});
        static_cast<void>(pyexpr::count_frames(present.read(), valid.read(), confidence.read()));
        return;
    }
    Reals2 presence(choose, {frames, units}), intensity(choose, {frames, choose.below(4)});
    // Presence is 1 or not.
    for (std::size_t i = 0; i < presence.read().size(); ++i) {
        if (choose.below(2)) presence.view().data[i] = 1.0;
    }
    Codes2 columns(choose, {choose.below(4), 2});
    static_cast<void>(
        pyexpr::unit_activity(valid.read(), presence.read(), intensity.read(), columns.read()));
}

constexpr std::array<void (*)(Choices&), 13> kKernels{
    &sums_and_draws,  &replicate_order, &metric_design, &sign_flips,    &compiled,       &icc,
    &factor_model,    &elastic_net,     &logistic_net,  &motion<float>, &motion<double>, &binned,
    &frames_and_units};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Choices choose(data, size);
    try {
        kKernels[choose.below(kKernels.size())](choose);
    } catch (const std::invalid_argument&) {
    } catch (const std::bad_alloc&) {
    } catch (const std::length_error&) {
    }
    return 0;
}
