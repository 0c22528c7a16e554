#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "pyexpr/frame_grid.hpp"

using pyexpr::blank_rows;
using pyexpr::fastest_step;
using pyexpr::point_middles;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinite = std::numeric_limits<double>::infinity();

std::vector<double> middles(const std::vector<double>& points, std::size_t n_points,
                            std::size_t dims) {
    const std::size_t frames = points.size() / (n_points * dims);
    std::vector<double> found(frames * dims);
    point_middles({points.data(), {frames, n_points, dims}}, {found.data(), {frames, dims}});
    return found;
}

double fastest(const std::vector<double>& places, const std::vector<double>& seconds,
               double circle = 0.0) {
    const std::size_t dims = seconds.empty() ? 1 : places.size() / seconds.size();
    return fastest_step({places.data(), {seconds.size(), dims}}, {seconds.data(), {seconds.size()}},
                        0.1, circle);
}

}  // namespace

TEST_SUITE_BEGIN("frame_grid");

TEST_CASE("rows that are not valid are blank, and what lacks in the others is counted") {
    std::vector<double> values{1, kNaN, 2, 3, kNaN, kInfinite};
    const bool valid[]{true, false, true};
    CHECK(blank_rows({values.data(), {3, 2}}, {valid, {3}}) == 2);
    CHECK(values[0] == 1);
    CHECK(std::isnan(values[2]));
    CHECK(std::isnan(values[3]));
    CHECK(std::isinf(values[5]));
    CHECK_THROWS_AS(static_cast<void>(blank_rows({values.data(), {3, 2}}, {valid, {2}})),
                    std::invalid_argument);
}

TEST_CASE("middles of any number of frames, in two and three dimensions") {
    for (const std::size_t dims : {2u, 3u}) {
        for (std::size_t frames = 0; frames < 10; ++frames) {
            std::vector<double> points;
            std::vector<double> expected;
            for (std::size_t frame = 0; frame < frames; ++frame) {
                for (std::size_t point = 0; point < 3; ++point)
                    for (std::size_t axis = 0; axis < dims; ++axis)
                        points.push_back(static_cast<double>(10 * frame + 3 * point + axis));
                for (std::size_t axis = 0; axis < dims; ++axis)
                    expected.push_back(static_cast<double>(10 * frame + 3 + axis));
            }
            CHECK(middles(points, 3, dims) == expected);
        }
    }
    CHECK(std::isnan(middles({1, 2, kNaN, 4}, 2, 2)[0]));
    CHECK(middles({1, 2, kNaN, 4}, 2, 2)[1] == 3);
    CHECK(std::signbit(middles({-0.0, 1}, 1, 2)[0]));
    std::vector<double> room(4);
    CHECK_THROWS_AS(point_middles({room.data(), {1, 0, 2}}, {room.data(), {1, 2}}),
                    std::invalid_argument);
    CHECK_THROWS_AS(point_middles({room.data(), {1, 1, 4}}, {room.data(), {1, 4}}),
                    std::invalid_argument);
    CHECK_THROWS_AS(point_middles({room.data(), {1, 2, 2}}, {room.data(), {2, 2}}),
                    std::invalid_argument);
}

TEST_CASE("the fastest step is between known frames, and over the time between them") {
    CHECK(fastest({}, {}) == 0.0);
    CHECK(fastest({1, 2, 7}, {0, 1, 2}) == 25.0);
    // Over a gap; and frames that are closer than the least count as that far apart.
    CHECK(fastest({1, kNaN, 7}, {0, 1, 2}) == 9.0);
    CHECK(fastest({0, 1}, {0, 0.001}) == doctest::Approx(100.0));
    // (3, 4) in two seconds.
    CHECK(fastest({0, 0, 3, 4}, {0, 2}) == 6.25);
    // A frame is known only with all its values.
    CHECK(fastest({0, 0, 900, kInfinite, 3, 4}, {0, 1, 2}) == 6.25);
    CHECK(fastest({179, -179}, {0, 1}, 360.0) == 4.0);
    CHECK(fastest({0, 1}, {0, kNaN}) == kInfinite);
    const std::vector<double> two{0, 1};
    CHECK_THROWS_AS(
        static_cast<void>(fastest_step({two.data(), {2, 1}}, {two.data(), {1}}, 0.1, 0.0)),
        std::invalid_argument);
}

TEST_SUITE_END();
