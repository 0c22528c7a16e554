#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <vector>

#include "pyexpr/cluster_bootstrap.hpp"
#include "pyexpr/rng.hpp"

TEST_SUITE_BEGIN("cluster_bootstrap");

using pyexpr::ArrayView;
using pyexpr::Metric;
using pyexpr::MetricDesign;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Rows of unequal clusters, with a hole now and then; p is far from 0.
struct Rows {
    std::vector<double> p, t;
    std::vector<std::int64_t> cluster;
    std::size_t n_clusters;

    explicit Rows(std::size_t G) : n_clusters(G) {
        pyexpr::ReplicateWords words(1, 1, 1);
        const auto uniform = [&] { return static_cast<double>(words.next() >> 11) * 0x1p-53; };
        for (std::size_t g = 0; g < G; ++g) {
            const double effect = uniform();
            for (std::size_t i = 0; i < 1 + (g * 7) % 5; ++i) {
                t.push_back(effect + uniform() + 2);
                p.push_back(t.back() * 0.5 + uniform() - 3);
                if (g % 4 == 1 && i == 1) p.back() = kNaN;
                cluster.push_back(static_cast<std::int64_t>(g));
            }
        }
    }

    std::array<double, 2> sums(pyexpr::Part part, std::vector<double>& out) const {
        out.assign(pyexpr::kSums * n_clusters, -1);
        return pyexpr::cluster_sums({p.data(), {p.size()}}, {t.data(), {t.size()}},
                                    {cluster.data(), {cluster.size()}}, part,
                                    {out.data(), {pyexpr::kSums, n_clusters}});
    }
};

MetricDesign make(const Rows& rows, pyexpr::Part part, std::vector<Metric> metrics) {
    std::vector<double> sums;
    const auto centres = rows.sums(part, sums);
    pyexpr::Column column;
    for (std::size_t k = 0; k < pyexpr::kSums; ++k) column.sum[k] = k;
    column.centre_p = centres[0];
    column.centre_t = centres[1];
    std::vector<pyexpr::Level> levels;
    std::vector<pyexpr::Quantity> quantities;
    for (const Metric metric : metrics) {
        quantities.push_back({levels.size(), pyexpr::Quantity::kNone, pyexpr::Scale::kIdentity});
        levels.push_back({metric, 1.0, {0}, false});
    }
    return {{sums.data(), {pyexpr::kSums, rows.n_clusters}},
            {column},
            levels,
            quantities,
            {rows.n_clusters}};
}

// Pearson's correlation and RMSE of weighted rows, by their textbook formulas.
std::array<double, 2> by_rows(const Rows& rows, const std::vector<double>& weight) {
    double n = 0, mean_p = 0, mean_t = 0, squares = 0, pp = 0, tt = 0, pt = 0;
    const auto each = [&](auto use) {
        for (std::size_t i = 0; i < rows.p.size(); ++i) {
            if (!std::isnan(rows.p[i])) use(i, weight[static_cast<std::size_t>(rows.cluster[i])]);
        }
    };
    each([&](std::size_t i, double w) {
        n += w;
        mean_p += w * rows.p[i];
        mean_t += w * rows.t[i];
        squares += w * (rows.p[i] - rows.t[i]) * (rows.p[i] - rows.t[i]);
    });
    mean_p /= n;
    mean_t /= n;
    each([&](std::size_t i, double w) {
        pp += w * (rows.p[i] - mean_p) * (rows.p[i] - mean_p);
        tt += w * (rows.t[i] - mean_t) * (rows.t[i] - mean_t);
        pt += w * (rows.p[i] - mean_p) * (rows.t[i] - mean_t);
    });
    return {pt / std::sqrt(pp * tt), std::sqrt(squares / n)};
}

std::vector<double> run(const MetricDesign& design, std::uint64_t first, std::size_t n,
                        std::size_t n_threads, bool errors = false) {
    std::vector<double> out(design.n_quantities() * n);
    std::vector<std::size_t> rows(design.n_quantities());
    for (std::size_t q = 0; q < rows.size(); ++q) rows[q] = q;
    const ArrayView<double, 2> to{out.data(), {design.n_quantities(), n}};
    if (errors) {
        design.standard_errors(5, 1, first, n, rows, 0, to, n_threads);
    } else {
        design.replicates(5, 1, first, n, rows, 0, to, n_threads);
    }
    return out;
}

bool same_bytes(const std::vector<double>& a, const std::vector<double>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

}  // namespace

TEST_CASE("replicates and leave-one-out values equal weighted rows") {
    for (const std::size_t G : {5U, 28U, 64U, 130U}) {
        const Rows rows(G);
        const MetricDesign design =
            make(rows, pyexpr::Part::kPooled, {Metric::kCorrelation, Metric::kRmse});
        const std::size_t n = 70;
        std::vector<std::int32_t> counts(n * G);
        pyexpr::draw_counts({G}, 5, 1, 2, {counts.data(), {n, G}});
        const std::vector<double> found = run(design, 2, n, 2);
        for (std::size_t r = 0; r < n; ++r) {
            const auto wanted =
                by_rows(rows, {counts.begin() + static_cast<std::ptrdiff_t>(r * G),
                               counts.begin() + static_cast<std::ptrdiff_t>((r + 1) * G)});
            CHECK(found[r] == doctest::Approx(wanted[0]).epsilon(1e-12));
            CHECK(found[n + r] == doctest::Approx(wanted[1]).epsilon(1e-12));
        }
        std::vector<double> left(2 * G);
        design.jackknife({left.data(), {2, G}});
        for (std::size_t g = 0; g < G; ++g) {
            std::vector<double> weight(G, 1.0);
            weight[g] = 0;
            const auto wanted = by_rows(rows, weight);
            CHECK(left[g] == doctest::Approx(wanted[0]).epsilon(1e-12));
            CHECK(left[G + g] == doctest::Approx(wanted[1]).epsilon(1e-12));
        }
    }
}

TEST_CASE("threads and ranges change no byte") {
    for (const std::size_t G : {28U, 200U}) {
        const Rows rows(G);
        const MetricDesign design = make(rows, pyexpr::Part::kPooled,
                                         {Metric::kCorrelation, Metric::kConcordance, Metric::kR2});
        for (const bool errors : {false, true}) {
            const std::vector<double> whole = run(design, 0, 150, 1, errors);
            CHECK(same_bytes(whole, run(design, 0, 150, 2, errors)));
            CHECK(same_bytes(whole, run(design, 0, 150, 7, errors)));
            const std::vector<double> piece = run(design, 37, 70, 3, errors);
            for (std::size_t q = 0; q < 3; ++q) {
                CHECK(std::memcmp(&piece[q * 70], &whole[q * 150 + 37], 70 * sizeof(double)) == 0);
            }
        }
    }
}

TEST_CASE("draws are exactly as many as clusters, within each stratum") {
    std::vector<std::int32_t> counts(40 * 9);
    pyexpr::draw_counts({2, 6, 1}, 3, 1, 0, {counts.data(), {40, 9}});
    for (std::size_t r = 0; r < 40; ++r) {
        const std::int32_t* const c = &counts[r * 9];
        CHECK(c[0] + c[1] == 2);
        CHECK(c[2] + c[3] + c[4] + c[5] + c[6] + c[7] == 6);
        CHECK(c[8] == 1);
    }
}

TEST_CASE("sums of the parts") {
    Rows rows(2);
    rows.p = {1, 3, 10};
    rows.t = {2, 2, 7};
    rows.cluster = {0, 0, 1};
    std::vector<double> sums;
    const auto at = [&](pyexpr::Sum k, std::size_t g) { return sums[k * 2 + g]; };

    rows.sums(pyexpr::Part::kPooled, sums);
    CHECK(at(pyexpr::kN, 0) == 2);
    CHECK(at(pyexpr::kD, 0) == 0);
    CHECK(at(pyexpr::kDD, 0) == 2);
    CHECK(at(pyexpr::kAbsD, 0) == 2);
    CHECK(at(pyexpr::kDD, 1) == 9);

    rows.sums(pyexpr::Part::kWithin, sums);
    CHECK(at(pyexpr::kN, 0) == 2);
    CHECK(at(pyexpr::kPP, 0) == 2);
    CHECK(at(pyexpr::kTT, 0) == 0);
    CHECK(at(pyexpr::kPP, 1) == 0);

    const auto centres = rows.sums(pyexpr::Part::kBetween, sums);
    CHECK(at(pyexpr::kN, 0) == 1);
    CHECK(centres[0] == 6);
    CHECK(at(pyexpr::kPP, 0) == 16);
    CHECK(at(pyexpr::kDD, 1) == 9);

    rows.p = {kNaN, kNaN, kNaN};
    rows.sums(pyexpr::Part::kBetween, sums);
    CHECK(std::all_of(sums.begin(), sums.end(), [](double x) { return x == 0; }));
}

TEST_CASE("a metric without variance is not a number") {
    Rows rows(6);
    std::fill(rows.p.begin(), rows.p.end(), 0.1);
    const MetricDesign design = make(rows, pyexpr::Part::kPooled,
                                     {Metric::kCorrelation, Metric::kR2, Metric::kConcordance});
    std::vector<double> out(3);
    design.estimate({out.data(), {3}});
    CHECK(std::isnan(out[0]));
    CHECK(std::isfinite(out[1]));
    CHECK(out[2] == doctest::Approx(0.0));
}

TEST_CASE("the logarithm of a level is that of its value, and of 0 undefined") {
    const Rows rows(9);
    std::vector<double> sums;
    rows.sums(pyexpr::Part::kPooled, sums);
    pyexpr::Column column;
    for (std::size_t k = 0; k < pyexpr::kSums; ++k) column.sum[k] = k;
    const auto made = [&] {
        return MetricDesign({sums.data(), {pyexpr::kSums, rows.n_clusters}}, {column},
                            {{Metric::kRmse, 7.0, {0}, false}, {Metric::kRmse, 7.0, {0}, true}},
                            {{0, pyexpr::Quantity::kNone, pyexpr::Scale::kIdentity},
                             {1, pyexpr::Quantity::kNone, pyexpr::Scale::kIdentity}},
                            {rows.n_clusters});
    };
    const std::vector<double> found = run(made(), 0, 100, 2);
    for (std::size_t r = 0; r < 100; ++r) CHECK(found[100 + r] == std::log(found[r]));
    std::fill_n(&sums[pyexpr::kDD * rows.n_clusters], rows.n_clusters, 0.0);
    const std::vector<double> perfect = run(made(), 0, 1, 1);
    CHECK(perfect[0] == 0);
    CHECK(std::isnan(perfect[1]));
}

TEST_CASE("indices out of range are refused") {
    const std::vector<double> sums(9 * 3, 1.0);
    const ArrayView<const double, 2> view{sums.data(), {9, 3}};
    pyexpr::Column column;
    column.sum[4] = 9;
    CHECK_THROWS_AS(MetricDesign(view, {column}, {}, {}, {3}), std::invalid_argument);
    CHECK_THROWS_AS(MetricDesign(view, {{}}, {{Metric::kRmse, 1.0, {1}}}, {}, {3}),
                    std::invalid_argument);
    CHECK_THROWS_AS(MetricDesign(view, {{}}, {{Metric::kRmse, 1.0, {0}}}, {{0, 1, {}}}, {3}),
                    std::invalid_argument);
    CHECK_THROWS_AS(MetricDesign(view, {{}}, {{Metric::kRmse, 1.0, {0}}}, {}, {3, 0}),
                    std::invalid_argument);
    CHECK_THROWS_AS(MetricDesign(view, {{}}, {{Metric::kRmse, 1.0, {0}}}, {}, {2}),
                    std::invalid_argument);
}

TEST_CASE("order statistics equal sorting, NaN left out") {
    pyexpr::ReplicateWords words(3, 1, 1);
    for (const std::size_t n : {1U, 5U, 300U, 1024U, 2000U, 40000U}) {
        std::vector<double> values(2 * n);
        for (std::size_t i = 0; i < n; ++i) {
            values[i] = static_cast<double>(words.next() % (i % 2 ? 7 : 100000));
            values[n + i] = i % 3 == 2 ? kNaN : values[i];
        }
        const auto N = static_cast<std::int64_t>(n);
        const std::vector<std::int64_t> ranks{N - 1, 0, N / 40, N / 2, 0, N / 2, N / 2, N};
        std::vector<double> out(8);
        pyexpr::order_statistics({values.data(), {2, n}}, {ranks.data(), {2, 4}},
                                 {out.data(), {2, 4}}, 2);
        for (std::size_t row = 0; row < 2; ++row) {
            std::vector<double> sorted(values.begin() + static_cast<std::ptrdiff_t>(row * n),
                                       values.begin() + static_cast<std::ptrdiff_t>((row + 1) * n));
            std::erase_if(sorted, [](double x) { return std::isnan(x); });
            std::sort(sorted.begin(), sorted.end());
            for (std::size_t k = 0; k < 4; ++k) {
                const auto rank = static_cast<std::size_t>(ranks[row * 4 + k]);
                if (rank < sorted.size()) {
                    CHECK(out[row * 4 + k] == sorted[rank]);
                } else {
                    CHECK(std::isnan(out[row * 4 + k]));
                }
            }
        }
    }
}

TEST_CASE("order statistics of ordered, equal and folded values") {
    constexpr std::size_t n = 5000;
    std::vector<double> values(4 * n);
    for (std::size_t i = 0; i < n; ++i) {
        const double x = static_cast<double>(i);
        values[i] = x;
        values[n + i] = static_cast<double>(n) - x;
        values[2 * n + i] = 7.0;
        values[3 * n + i] = std::min(x, static_cast<double>(n) - x);
    }
    std::vector<std::int64_t> ranks;
    for (int row = 0; row < 4; ++row) {
        for (const std::int64_t rank : {0, 1, 124, 125, 126, 2500, 4874, 4999}) {
            ranks.push_back(rank);
        }
    }
    std::vector<double> out(ranks.size());
    pyexpr::order_statistics({values.data(), {4, n}}, {ranks.data(), {4, 8}}, {out.data(), {4, 8}},
                             1);
    for (std::size_t row = 0; row < 4; ++row) {
        const auto begin = values.begin() + static_cast<std::ptrdiff_t>(row * n);
        std::sort(begin, begin + static_cast<std::ptrdiff_t>(n));
        for (std::size_t k = 0; k < 8; ++k) {
            CHECK(out[row * 8 + k] == begin[ranks[k]]);
        }
    }
}

TEST_CASE("summaries count and average the defined values") {
    const std::vector<double> values{1, 2, kNaN, 4, 5};
    const std::vector<double> estimate{2};
    const std::vector<double> null{4};
    const auto found = pyexpr::summarise({values.data(), {1, 5}}, {estimate.data(), {1}},
                                         {null.data(), {1}}, 1)[0];
    CHECK(found.n_defined == 4);
    CHECK(found.n_below_estimate == 1);
    CHECK(found.n_at_most_null == 3);
    CHECK(found.n_at_least_null == 2);
    CHECK(found.mean == 3);
    CHECK(found.sd == doctest::Approx(std::sqrt(10.0 / 3.0)).epsilon(1e-15));
}

TEST_SUITE_END();
