#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <vector>

#include "pyexpr/clip_features.hpp"

using pyexpr::ArrayView;
using pyexpr::BinnedMotion;
using pyexpr::Bins;
using pyexpr::ClipFrames;
using pyexpr::Velocity;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinite = std::numeric_limits<double>::infinity();

struct Clip {
    std::vector<double> values;
    std::size_t frames, points, dims;

    [[nodiscard]] ClipFrames view() const {
        return {values.data(), points * dims, frames, points, dims};
    }
};

struct Places {
    std::vector<std::int64_t> first, expected;
    std::size_t end;

    [[nodiscard]] Bins view() const {
        return {{first.data(), {first.size()}}, {expected.data(), {expected.size()}}, end};
    }
};

std::vector<double> binned(const Clip& clip, const Places& places, pyexpr::Binning how = {}) {
    std::vector<double> means(places.first.size() * clip.points * clip.dims);
    pyexpr::bin_points(clip.view(), places.view(), how,
                       {means.data(), {places.first.size(), clip.points, clip.dims}});
    return means;
}

BinnedMotion moved(const Clip& clip, const Places& places, pyexpr::Binning how = {}) {
    return pyexpr::binned_motion(clip.view(), places.view(), how, 5.0, Velocity::abs_derivative);
}

// A row of bool, which a vector of them does not lay out as such.
struct Marks {
    explicit Marks(const std::vector<int>& given)
        : length(given.size()), marks(std::make_unique<bool[]>(given.size())) {
        for (std::size_t i = 0; i < length; ++i) marks[i] = given[i] != 0;
    }
    [[nodiscard]] ArrayView<const bool, 1> view() const { return {marks.get(), {length}}; }

    std::size_t length;
    std::unique_ptr<bool[]> marks;
};

// The mean of whole numbers is exact in any order.
Clip whole_numbers(std::size_t frames, std::size_t points, std::size_t dims) {
    Clip clip{std::vector<double>(frames * points * dims), frames, points, dims};
    for (std::size_t i = 0; i < clip.values.size(); ++i)
        clip.values[i] = static_cast<double>((i * i * 7 + i) % 1009) - 500.0;
    return clip;
}

}  // namespace

TEST_SUITE_BEGIN("clip_features");

TEST_CASE("means of bins of all lengths and shapes, frames missing or not") {
    for (std::size_t length : {1, 2, 7, 8, 9, 16, 17, 128, 129, 137, 300, 1000})
        for (std::size_t points : {1, 3, 8, 11})
            for (std::size_t dims : {1, 2, 3})
                for (std::size_t missing : {0, 3}) {
                    Clip clip = whole_numbers(2 * length, points, dims);
                    // Of point 0 in every third frame.
                    for (std::size_t k = 0; missing && k < 2 * length; k += missing)
                        clip.values[k * points * dims] = k % 2 ? kNaN : kInfinite;
                    const auto n = static_cast<std::int64_t>(length);
                    const auto means = binned(clip, {{0, n}, {n, n}, 2 * length});
                    for (std::size_t bin = 0; bin < 2; ++bin)
                        for (std::size_t i = 0; i < points * dims; ++i) {
                            double sum = 0.0;
                            std::size_t count = 0;
                            for (std::size_t k = bin * length; k < (bin + 1) * length; ++k) {
                                if (missing && i < dims && k % missing == 0) continue;
                                sum += clip.values[k * points * dims + i];
                                ++count;
                            }
                            const double mean = means[bin * points * dims + i];
                            if (2 * count >= length && count > 0) {
                                REQUIRE(mean == sum / static_cast<double>(count));
                            } else {
                                REQUIRE(std::isnan(mean));
                            }
                        }
                }
}

TEST_CASE("a bin needs half of the frames expected, and one") {
    const Clip clip{{1.0, kNaN, kNaN, 3.0, 5.0, kNaN, kNaN, kNaN}, 8, 1, 1};
    const auto means = binned(clip, {{0, 3, 5}, {3, 3, 0}, 8});
    CHECK(std::isnan(means[0]));
    CHECK(means[1] == 4.0);
    CHECK(std::isnan(means[2]));
}

TEST_CASE("a point with one coordinate missing is missing") {
    const Clip clip{{1.0, kNaN, 7.0, 8.0, 3.0, 5.0, 9.0, 10.0}, 2, 2, 2};
    const auto means = binned(clip, {{0}, {2}, 2});
    CHECK(means == std::vector<double>{3.0, 5.0, 8.0, 9.0});
}

TEST_CASE("the first frame of a bin, known or not") {
    const Clip clip{{1.0, 2.0, kNaN, 4.0}, 4, 1, 1};
    const auto taken = binned(clip, {{0, 2}, {2, 2}, 4}, {true, false});
    CHECK(taken[0] == 1.0);
    CHECK(std::isnan(taken[1]));
}

TEST_CASE("the mean of angles about the turn") {
    const Clip clip{{kNaN, 179.0, -179.0, -3.0, 3.0, 725.0}, 6, 1, 1};
    const auto means = binned(clip, {{0, 3}, {3, 3}, 6}, {false, true});
    CHECK(means[0] == 180.0);
    // -3, 3 and 5 two turns on.
    CHECK(means[1] == doctest::Approx(5.0 / 3.0).epsilon(1e-14));
}

TEST_CASE("frames that lie apart, as columns of a wider group") {
    const std::vector<double> wide{0, 1, 2, 9, 0, 3, 4, 9, 0, 5, 6, 9};
    std::vector<double> means(2);
    const Places places{{0}, {3}, 3};
    pyexpr::bin_points({wide.data() + 1, 4, 3, 1, 2}, places.view(), {}, {means.data(), {1, 1, 2}});
    CHECK(means == std::vector<double>{3.0, 4.0});
}

TEST_CASE("movement between bins is that of their means") {
    // Means 0, 2, 6, (missing), 1, 1, 1: steps of 2 and 4, 0 and 0.
    const Clip clip{{0, 0, 2, 2, 6, 6, kNaN, kNaN, 1, 1, 1, 1, 1, 1}, 14, 1, 1};
    const Places places{{0, 2, 4, 6, 8, 10, 12}, {2, 2, 2, 2, 2, 2, 2}, 14};
    const BinnedMotion found = moved(clip, places);
    CHECK(found.n_known == 6);
    CHECK(found.n_velocities == 2);
    CHECK(found.motion.n_steps == 4);
    CHECK(found.motion.displacement == 6.0 / 4.0);
    CHECK(found.motion.velocity == (2.0 + 0.0) / 2.0 * 5.0);
}

TEST_CASE("a bin is known where some point is") {
    const Clip clip{{0, kNaN, kNaN, 0, 0, 0, kNaN, kNaN}, 4, 2, 1};
    const BinnedMotion found = moved(clip, {{0, 1, 2, 3}, {1, 1, 1, 1}, 4});
    CHECK(found.n_known == 3);
    CHECK(found.n_velocities == 1);
}

TEST_CASE("an angle moves the short way") {
    const Clip clip{{350.0, 10.0, 30.0}, 3, 1, 1};
    const BinnedMotion found = moved(clip, {{0, 1, 2}, {1, 1, 1}, 3}, {false, true});
    CHECK(found.motion.displacement == 20.0);
}

TEST_CASE("no bins") {
    const Clip clip{{1.0}, 1, 1, 1};
    const BinnedMotion found = moved(clip, {{}, {}, 0});
    CHECK(found.n_known == 0);
    CHECK(std::isnan(found.motion.displacement));
}

TEST_CASE("bins that lie elsewhere are refused") {
    const Clip clip = whole_numbers(4, 2, 1);
    CHECK_THROWS_AS(binned(clip, {{0, 2}, {2, 2}, 5}), std::invalid_argument);
    CHECK_THROWS_AS(binned(clip, {{0, 0}, {2, 2}, 4}), std::invalid_argument);
    CHECK_THROWS_AS(binned(clip, {{0, 4}, {2, 2}, 4}), std::invalid_argument);
    CHECK_THROWS_AS(binned(clip, {{-1, 2}, {2, 2}, 4}), std::invalid_argument);
    CHECK_THROWS_AS(binned(clip, {{0, 2}, {2}, 4}), std::invalid_argument);
    CHECK_THROWS_AS(moved(clip, {{0}, {4}, 4}, {false, true}), std::invalid_argument);
}

TEST_CASE("action units of known frames") {
    // Presence of three units, intensity of the last two, in another order.
    const std::vector<double> presence{1, 0, 1, 1, 1, 1, 1, kNaN, 1, 1, 1, 0};
    const std::vector<double> intensity{4, 1, 3, 2, 9, 9, 9, 9};
    const std::vector<std::int64_t> columns{2, 0, 1, 1};
    const Marks valid({1, 1, 1, 0});
    const auto found = pyexpr::unit_activity(valid.view(), {presence.data(), {4, 3}},
                                             {intensity.data(), {4, 2}}, {columns.data(), {2, 2}});
    CHECK(found.n_known == 2);
    CHECK(found.n_present == 5);
    CHECK(found.frames_present == std::vector<std::int64_t>{2, 1, 2});
    CHECK(found.n_active == 3);
    CHECK(found.intensity == (4.0 + 3.0 + 2.0) / 3.0);
}

TEST_CASE("action units that nobody shows, and columns that are not there") {
    const std::vector<double> presence{0, 0}, intensity{2, 2};
    const std::vector<std::int64_t> columns{0, 1}, beyond{0, 2}, negative{-1, 0};
    const Marks valid({1});
    const auto found = pyexpr::unit_activity(valid.view(), {presence.data(), {1, 2}},
                                             {intensity.data(), {1, 2}}, {columns.data(), {1, 2}});
    CHECK(found.n_active == 0);
    CHECK(found.intensity == 0.0);
    for (const auto* other : {&beyond, &negative})
        CHECK_THROWS_AS(pyexpr::unit_activity(valid.view(), {presence.data(), {1, 2}},
                                              {intensity.data(), {1, 2}}, {other->data(), {1, 2}}),
                        std::invalid_argument);
    CHECK_THROWS_AS(pyexpr::unit_activity(valid.view(), {presence.data(), {2, 1}},
                                          {intensity.data(), {2, 1}}, {columns.data(), {1, 2}}),
                    std::invalid_argument);
}

TEST_CASE("frames are counted, and the longest run without a valid one") {
    const Marks present({1, 1, 0, 1, 1, 1}), valid({1, 0, 0, 1, 1, 0});
    const std::vector<double> confidence{0.5, kNaN, kInfinite, 1.0, 0.75, kNaN};
    const auto found = pyexpr::count_frames(present.view(), valid.view(), {confidence.data(), {6}});
    CHECK(found.n_present == 5);
    CHECK(found.n_valid == 3);
    CHECK(found.n_failed == 2);
    CHECK(found.longest_gap == 2);
    CHECK(found.mean_confidence == 0.75);
    const Marks none({});
    CHECK(std::isnan(pyexpr::count_frames(none.view(), none.view(), {}).mean_confidence));
    CHECK_THROWS_AS(pyexpr::count_frames(present.view(), none.view(), {confidence.data(), {6}}),
                    std::invalid_argument);
}

TEST_SUITE_END();
