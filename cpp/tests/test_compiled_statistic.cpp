#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "pyexpr/cluster_bootstrap.hpp"
#include "pyexpr/compiled_statistic.hpp"

TEST_SUITE_BEGIN("compiled_statistic");

using pyexpr::CompiledStatistic;

namespace {

// Weighted mean of column 0; then its weights are spoilt, as scratch space may be.
std::int64_t mean(const double* rows, std::int64_t, std::int64_t n, const double* weights,
                  double* out) {
    double total = 0;
    double weight = 0;
    for (std::int64_t i = 0; i < n; ++i) {
        total += rows[i] * weights[i];
        weight += weights[i];
    }
    const_cast<double*>(weights)[0] = -1;
    out[0] = total / weight;
    return 0;
}

// Total weight and the first row's; fails where the first row is absent.
std::int64_t weights_of(const double*, std::int64_t, std::int64_t n, const double* weights,
                        double* out) {
    out[0] = out[1] = 0;
    for (std::int64_t i = 0; i < n; ++i) out[0] += weights[i];
    out[1] = weights[0];
    return weights[0] == 0 ? 7 : 0;
}

struct Data {
    std::vector<double> rows{3, 1, 4, 1, 5, 9, 2, 6, 5, 3};
    std::vector<std::int64_t> cluster{0, 0, 1, 2, 2, 3, 3, 3, 4, 1};
    std::vector<CompiledStatistic> statistics{{&mean, 1}, {&weights_of, 2}};

    pyexpr::ClusteredRows view(std::vector<std::size_t> strata) const {
        return {{rows.data(), {1, rows.size()}}, {cluster.data(), {cluster.size()}}, strata};
    }
};

}  // namespace

TEST_CASE("replicates use the draws of draw_counts, any cut and any number of threads") {
    const Data data;
    const std::vector<std::size_t> strata{2, 3};
    constexpr std::size_t n = 200;
    std::vector<double> values(3 * n);
    std::vector<std::uint8_t> failed(2 * n);
    pyexpr::statistic_replicates(data.statistics, data.view(strata), 5, 1, 10,
                                 {values.data(), {3, n}}, {failed.data(), {2, n}}, 1);
    std::vector<std::int32_t> counts(n * 5);
    pyexpr::draw_counts(strata, 5, 1, 10, {counts.data(), {n, 5}});
    std::size_t n_failed = 0;
    for (std::size_t r = 0; r < n; ++r) {
        double total = 0;
        double weight = 0;
        for (std::size_t i = 0; i < data.rows.size(); ++i) {
            const double w = counts[r * 5 + static_cast<std::size_t>(data.cluster[i])];
            total += w * data.rows[i];
            weight += w;
        }
        CHECK(values[r] == total / weight);
        CHECK(failed[r] == 0);
        const bool absent = counts[r * 5] == 0;
        n_failed += absent;
        CHECK(failed[n + r] == absent);
        if (absent) {
            CHECK(std::isnan(values[n + r]));
        } else {
            CHECK(values[n + r] == weight);
            CHECK(values[2 * n + r] == counts[r * 5]);
        }
    }
    CHECK(n_failed > 10);
    for (const std::size_t threads : {2U, 7U}) {
        std::vector<double> again(3 * n);
        pyexpr::statistic_replicates(data.statistics, data.view(strata), 5, 1, 10,
                                     {again.data(), {3, n}}, {failed.data(), {2, n}}, threads);
        CHECK(std::memcmp(values.data(), again.data(), values.size() * sizeof(double)) == 0);
    }
}

TEST_CASE("leaving out a cluster gives its rows no weight") {
    const Data data;
    std::vector<double> values(3 * 5);
    std::vector<std::uint8_t> failed(2 * 5);
    pyexpr::statistic_leave_one_out(data.statistics, data.view({5}), {values.data(), {3, 5}},
                                    {failed.data(), {2, 5}}, 2);
    CHECK(values[0] == doctest::Approx((39.0 - 4) / 8));
    CHECK(values[3] == doctest::Approx((39.0 - 17) / 7));
    CHECK(failed[5] == 1);
    CHECK(failed[6] == 0);
    CHECK(values[5 + 3] == 7);
}

TEST_CASE("shapes are checked") {
    const Data data;
    std::vector<double> values(3 * 4);
    std::vector<std::uint8_t> failed(2 * 4);
    CHECK_THROWS_AS(
        pyexpr::statistic_leave_one_out(data.statistics, data.view({5}), {values.data(), {3, 4}},
                                        {failed.data(), {2, 4}}, 1),
        std::invalid_argument);
    CHECK_THROWS_AS(
        pyexpr::statistic_replicates(data.statistics, data.view({4}), 1, 1, 0,
                                     {values.data(), {3, 4}}, {failed.data(), {2, 4}}, 1),
        std::invalid_argument);
    CHECK_THROWS_AS(
        pyexpr::statistic_replicates(data.statistics, data.view({5}), 1, 1, 0,
                                     {values.data(), {2, 4}}, {failed.data(), {2, 4}}, 1),
        std::invalid_argument);
}

TEST_SUITE_END();
