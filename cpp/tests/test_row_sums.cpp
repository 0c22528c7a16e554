#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "pyexpr/rng.hpp"
#include "pyexpr/row_sums.hpp"

TEST_SUITE_BEGIN("row_sums");

namespace {

using pyexpr::ArrayView;
using pyexpr::Part;
using pyexpr::RowSums;

struct Rows {
    std::vector<double> p, t;
    std::vector<std::int64_t> cluster, slot;
};

constexpr std::size_t kClusters = 7;
constexpr std::size_t kGroups = 3;

// Two groups with values far from 0, a third without rows, some rows without a value.
Rows made() {
    Rows rows;
    pyexpr::ReplicateWords random(1, 2, 0);
    for (std::size_t i = 0; i < 500; ++i) {
        const auto u = [&] { return static_cast<double>(random.next() >> 11U) * 0x1p-53; };
        const std::size_t g = static_cast<std::size_t>(u() * (kClusters - 1));
        const bool second = u() < 0.3;
        rows.t.push_back(1000 + u());
        rows.p.push_back(rows.t.back() + u() - 0.5);
        if (u() < 0.05) rows.p.back() = std::numeric_limits<double>::quiet_NaN();
        rows.cluster.push_back(static_cast<std::int64_t>(g));
        rows.slot.push_back(u() < 0.1 ? -1
                                      : static_cast<std::int64_t>(g + (second ? kClusters : 0)));
    }
    return rows;
}

template <typename T>
ArrayView<const T, 1> piece(const std::vector<T>& of, std::size_t from, std::size_t to) {
    return {of.data() + from, {to - from}};
}

std::vector<double> in_batches(const Rows& rows, std::size_t size, Part part, std::size_t group) {
    RowSums sums(kGroups, kClusters);
    const std::size_t n = rows.p.size();
    for (std::size_t i = 0; i < n; i += size) {
        const std::size_t end = std::min(n, i + size);
        sums.add_to_means(piece(rows.p, i, end), piece(rows.t, i, end), piece(rows.slot, i, end));
    }
    for (std::size_t i = 0; i < n && part != Part::kBetween; i += size) {
        const std::size_t end = std::min(n, i + size);
        sums.add_to_sums(part, piece(rows.p, i, end), piece(rows.t, i, end),
                         piece(rows.slot, i, end));
    }
    std::vector<double> out(pyexpr::kSums * kClusters);
    const auto centres = sums.write(part, group, {out.data(), {pyexpr::kSums, kClusters}});
    out.insert(out.end(), centres.begin(), centres.end());
    return out;
}

// Of the group's rows alone, in one table.
std::vector<double> at_once(const Rows& rows, Part part, std::size_t group) {
    Rows own;
    for (std::size_t i = 0; i < rows.p.size(); ++i) {
        if (rows.slot[i] < 0) continue;
        if (static_cast<std::size_t>(rows.slot[i]) / kClusters != group) continue;
        own.p.push_back(rows.p[i]);
        own.t.push_back(rows.t[i]);
        own.cluster.push_back(rows.cluster[i]);
    }
    std::vector<double> out(pyexpr::kSums * kClusters);
    const std::size_t n = own.p.size();
    const auto centres =
        pyexpr::cluster_sums(piece(own.p, 0, n), piece(own.t, 0, n), piece(own.cluster, 0, n), part,
                             {out.data(), {pyexpr::kSums, kClusters}});
    out.insert(out.end(), centres.begin(), centres.end());
    return out;
}

}  // namespace

TEST_CASE("batches of any size give the bytes of the whole table, group by group") {
    const Rows rows = made();
    for (const Part part : {Part::kPooled, Part::kWithin, Part::kBetween}) {
        for (std::size_t group = 0; group < kGroups; ++group) {
            const std::vector<double> whole = at_once(rows, part, group);
            for (const std::size_t size : {1U, 7U, 499U, 1000U}) {
                CHECK(in_batches(rows, size, part, group) == whole);
            }
        }
    }
}

TEST_CASE("sums are about the mean: brute force") {
    const std::vector<double> p{1e9 + 1, 1e9 + 2, 1e9 + 6};
    const std::vector<double> t{2, 4, 9};
    const std::vector<std::int64_t> slot{0, 0, 1};
    RowSums sums(1, 2);
    sums.add_to_means(piece(p, 0, 3), piece(t, 0, 3), piece(slot, 0, 3));
    sums.add_to_sums(Part::kPooled, piece(p, 0, 3), piece(t, 0, 3), piece(slot, 0, 3));
    std::vector<double> out(pyexpr::kSums * 2);
    const auto centres = sums.write(Part::kPooled, 0, {out.data(), {pyexpr::kSums, 2}});
    CHECK(centres[0] == 1e9 + 3);
    CHECK(centres[1] == 5.0);
    CHECK(out[2 * pyexpr::kN] == 2.0);
    CHECK(out[2 * pyexpr::kPP] == 5.0);       // (-2)^2 + (-1)^2
    CHECK(out[2 * pyexpr::kTT + 1] == 16.0);  // 4^2
    CHECK(out[2 * pyexpr::kPT] == 7.0);       // (-2)(-3) + (-1)(-1)
}

TEST_CASE("clusters with constant predictions are known, and their truth is summed") {
    const std::vector<double> p{3, 3, 5, 6, 3};
    const std::vector<double> t{1, 2, 3, 4, 5};
    const std::vector<std::int64_t> slot{0, 0, 1, 1, -1};
    RowSums sums(1, 3, true);
    // Cut within a cluster.
    sums.add_to_means(piece(p, 0, 3), piece(t, 0, 3), piece(slot, 0, 3));
    sums.add_to_means(piece(p, 3, 5), piece(t, 3, 5), piece(slot, 3, 5));
    std::vector<double> out(4 * 3);
    sums.write_constant(0, {out.data(), {4, 3}});
    CHECK(out[0] == 2.0);
    CHECK(out[2] == 0.0);
    CHECK(out[3] == 3.0);
    CHECK(out[4] == 5.0);
    CHECK(std::isnan(out[5]));
    CHECK(out[6] == 0.0);
    CHECK(out[7] == 1.0);
    CHECK(out[9] == 3.0);
    CHECK(out[10] == 7.0);
}

TEST_CASE("what does not fit is refused") {
    const std::vector<double> p{1, 2};
    const std::vector<std::int64_t> slot{0, 1};
    const std::vector<std::int64_t> far{0, 2};
    RowSums sums(1, 2);
    const auto x = piece(p, 0, 2);
    CHECK_THROWS_AS(sums.add_to_means(x, x, piece(far, 0, 2)), std::invalid_argument);
    CHECK_THROWS_AS(sums.add_to_means(x, piece(p, 0, 1), piece(slot, 0, 2)), std::invalid_argument);
    sums.add_to_means(x, x, piece(slot, 0, 2));
    CHECK_THROWS_AS(sums.add_to_sums(Part::kBetween, x, x, piece(slot, 0, 2)),
                    std::invalid_argument);
    std::vector<double> out(pyexpr::kSums * 2);
    const ArrayView<double, 2> to{out.data(), {pyexpr::kSums, 2}};
    CHECK_THROWS_AS(sums.write(Part::kPooled, 0, to), std::invalid_argument);
    CHECK_THROWS_AS(sums.write(Part::kBetween, 1, to), std::invalid_argument);
    CHECK_THROWS_AS(sums.write_constant(0, to), std::invalid_argument);
    sums.add_to_sums(Part::kPooled, x, x, piece(slot, 0, 2));
    CHECK_THROWS_AS(sums.add_to_sums(Part::kPooled, x, x, piece(slot, 0, 2)),
                    std::invalid_argument);
    CHECK_THROWS_AS(sums.add_to_means(x, x, piece(slot, 0, 2)), std::invalid_argument);
}

TEST_SUITE_END();
