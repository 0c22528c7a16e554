#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "pyexpr/ranked_rows.hpp"
#include "pyexpr/rng.hpp"

TEST_SUITE_BEGIN("ranked_rows");

using pyexpr::RankedRows;

namespace {

constexpr std::size_t kClusters = 5;
constexpr std::size_t kLanes = 16;

// Rows with ties in both ranks, and whole weights of the clusters, another for every lane.
struct Rows {
    std::vector<std::int64_t> cluster, prediction, truth, two;
    std::vector<double> counts;

    Rows() {
        pyexpr::ReplicateWords words(3, 1, 0);
        for (std::size_t i = 0; i < 40; ++i) {
            cluster.push_back(static_cast<std::int64_t>(words.next() % kClusters));
            // Every rank is there.
            prediction.push_back(static_cast<std::int64_t>(i < 12 ? i : words.next() % 12));
            truth.push_back(static_cast<std::int64_t>(i < 6 ? i : words.next() % 6));
            two.push_back(truth.back() > 3 ? 1 : 0);
        }
        for (std::size_t i = 0; i < kClusters * kLanes; ++i) {
            counts.push_back(static_cast<double>(words.next() % 4));
        }
    }

    [[nodiscard]] double weight(std::size_t row, std::size_t lane) const {
        return counts[static_cast<std::size_t>(cluster[row]) * kLanes + lane];
    }

    [[nodiscard]] RankedRows made(const std::vector<std::int64_t>& t) const {
        return {{cluster.data(), {cluster.size()}},
                {prediction.data(), {prediction.size()}},
                {t.data(), {t.size()}},
                kClusters};
    }
};

// The midrank of a row among all copies, by comparing it with each.
double midrank(const Rows& rows, const std::vector<std::int64_t>& of, std::size_t row,
               std::size_t lane) {
    double rank = 0.5;
    for (std::size_t i = 0; i < of.size(); ++i) {
        if (of[i] < of[row]) rank += rows.weight(i, lane);
        if (of[i] == of[row]) rank += 0.5 * rows.weight(i, lane);
    }
    return rank;
}

}  // namespace

TEST_CASE("the area is the share of pairs") {
    const Rows rows;
    std::vector<double> out(kLanes), weight(kLanes);
    rows.made(rows.two).area(rows.counts.data(), kLanes, out.data(), weight.data());
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        double pairs = 0, higher = 0, all = 0;
        for (std::size_t i = 0; i < rows.two.size(); ++i) {
            all += rows.weight(i, lane);
            for (std::size_t j = 0; j < rows.two.size(); ++j) {
                if (rows.two[i] == 0 || rows.two[j] == 1) continue;
                const double w = rows.weight(i, lane) * rows.weight(j, lane);
                pairs += w;
                if (rows.prediction[i] > rows.prediction[j]) higher += w;
                if (rows.prediction[i] == rows.prediction[j]) higher += 0.5 * w;
            }
        }
        CHECK(weight[lane] == all);
        CHECK(out[lane] == higher / pairs);  // Halves are exact.
    }
}

TEST_CASE("Spearman's correlation is Pearson's of midranks") {
    const Rows rows;
    std::vector<double> out(kLanes), weight(kLanes);
    RankedRows::Scratch scratch;
    rows.made(rows.truth).spearman(rows.counts.data(), kLanes, out.data(), weight.data(), scratch);
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        double n = 0, mean_p = 0, mean_t = 0;
        for (std::size_t i = 0; i < rows.two.size(); ++i) {
            n += rows.weight(i, lane);
            mean_p += rows.weight(i, lane) * midrank(rows, rows.prediction, i, lane);
            mean_t += rows.weight(i, lane) * midrank(rows, rows.truth, i, lane);
        }
        double pp = 0, tt = 0, pt = 0;
        for (std::size_t i = 0; i < rows.two.size(); ++i) {
            const double p = midrank(rows, rows.prediction, i, lane) - mean_p / n;
            const double t = midrank(rows, rows.truth, i, lane) - mean_t / n;
            pp += rows.weight(i, lane) * p * p;
            tt += rows.weight(i, lane) * t * t;
            pt += rows.weight(i, lane) * p * t;
        }
        CHECK(weight[lane] == n);
        CHECK(out[lane] == doctest::Approx(pt / std::sqrt(pp * tt)).epsilon(1e-12));
    }
}

TEST_CASE("what has no weight, or one rank alone, is undefined") {
    const Rows rows;
    std::vector<double> nothing(kClusters * kLanes, 0.0), out(kLanes), weight(kLanes);
    RankedRows::Scratch scratch;
    const std::vector<std::int64_t> same(rows.two.size(), 0);
    rows.made(rows.two).area(nothing.data(), kLanes, out.data(), weight.data());
    CHECK(std::isnan(out[0]));
    CHECK(weight[0] == 0);
    rows.made(rows.two).spearman(nothing.data(), kLanes, out.data(), weight.data(), scratch);
    CHECK(std::isnan(out[3]));
    rows.made(same).area(rows.counts.data(), kLanes, out.data(), weight.data());
    CHECK(std::isnan(out[0]));
    // Weights that are not whole: what is tied stays tied.
    std::vector<double> part(kClusters * kLanes, 1.0 / 3.0);
    rows.made(same).spearman(part.data(), kLanes, out.data(), weight.data(), scratch);
    CHECK(std::isnan(out[5]));
}

TEST_CASE("ranks that leave one out are refused") {
    Rows rows;
    rows.prediction[0] = 13;
    CHECK_THROWS_AS(rows.made(rows.two), std::invalid_argument);
    rows.prediction[0] = -1;
    CHECK_THROWS_AS(rows.made(rows.two), std::invalid_argument);
    rows.prediction[0] = 0;
    rows.cluster[0] = kClusters;
    CHECK_THROWS_AS(rows.made(rows.two), std::invalid_argument);
}

TEST_SUITE_END();
