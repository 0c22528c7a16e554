#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "pyexpr/kinematics.hpp"

using pyexpr::ArrayView;
using pyexpr::MotionAverages;
using pyexpr::Velocity;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kPi = 3.14159265358979323846;

struct Motion {
    MotionAverages all;
    std::vector<double> displacement, velocity;
    std::vector<std::int64_t> n_steps, n_velocities;
};

template <typename T>
Motion motion(const std::vector<T>& values, std::size_t frames, std::size_t landmarks,
              std::size_t dims, double rate = 5.0, Velocity reading = Velocity::abs_derivative,
              double period = 0.0, pyexpr::Vectors vectors = pyexpr::Vectors::widest) {
    Motion m{{},
             std::vector<double>(landmarks),
             std::vector<double>(landmarks),
             std::vector<std::int64_t>(landmarks),
             std::vector<std::int64_t>(landmarks)};
    m.all = pyexpr::landmark_motion<T>({values.data(), {frames, landmarks, dims}}, rate, reading,
                                       period,
                                       {{m.displacement.data(), {landmarks}},
                                        {m.velocity.data(), {landmarks}},
                                        {m.n_steps.data(), {landmarks}},
                                        {m.n_velocities.data(), {landmarks}}},
                                       vectors);
    return m;
}

// Deterministic, irregular, of both signs.
double scattered(std::size_t i) { return 100.0 * std::sin(static_cast<double>(i * i) * 0.7); }

template <typename T>
std::vector<T> scattered_landmarks(std::size_t n, std::size_t every_missing) {
    std::vector<T> values(n);
    for (std::size_t i = 0; i < n; ++i) {
        const bool missing = every_missing && i % every_missing == every_missing - 1;
        values[i] = missing ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(scattered(i));
    }
    return values;
}

// The definition, written down frame by frame for one landmark.
template <typename T>
void brute_force(const std::vector<T>& values, std::size_t frames, std::size_t landmarks,
                 std::size_t dims, std::size_t landmark, double rate, bool absolute,
                 double& displacement, double& velocity, std::int64_t& n_steps,
                 std::int64_t& n_velocities) {
    auto coordinate = [&](std::size_t frame, std::size_t axis) {
        return static_cast<double>(values[(frame * landmarks + landmark) * dims + axis]);
    };
    auto valid = [&](std::size_t frame) {
        bool finite = true;
        for (std::size_t axis = 0; axis < dims; ++axis)
            finite = finite && std::isfinite(coordinate(frame, axis));
        return finite;
    };
    auto length = [&](std::size_t frame) {
        double squares = 0.0;
        for (std::size_t axis = 0; axis < dims; ++axis)
            squares += std::pow(coordinate(frame + 1, axis) - coordinate(frame, axis), 2);
        return std::sqrt(squares);
    };
    double steps = 0.0, changes = 0.0;
    n_steps = n_velocities = 0;
    for (std::size_t t = 0; t + 1 < frames; ++t) {
        if (!valid(t) || !valid(t + 1)) continue;
        steps += length(t);
        ++n_steps;
        if (t + 2 >= frames || !valid(t + 2)) continue;
        const double change = length(t + 1) - length(t);
        changes += absolute ? std::abs(change) : change;
        ++n_velocities;
    }
    displacement = n_steps ? steps / static_cast<double>(n_steps) : kNaN;
    velocity = n_velocities ? rate * changes / static_cast<double>(n_velocities) : kNaN;
}

bool same(double a, double b) {
    return (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= 1e-12 * (1.0 + std::abs(b));
}

template <typename T>
void compare_with_brute_force(Velocity reading) {
    for (std::size_t dims : {1, 2, 3})
        for (std::size_t landmarks : {1, 2, 3, 4, 5, 7, 8, 11})
            for (std::size_t frames : {1, 2, 3, 4, 5, 6, 9, 13})
                for (std::size_t missing : {0, 2, 7, 13}) {
                    const auto values = scattered_landmarks<T>(frames * landmarks * dims, missing);
                    const auto m = motion(values, frames, landmarks, dims, 5.0, reading);
                    for (std::size_t i = 0; i < landmarks; ++i) {
                        double displacement, velocity;
                        std::int64_t n_steps, n_velocities;
                        brute_force(values, frames, landmarks, dims, i, 5.0,
                                    reading == Velocity::abs_derivative, displacement, velocity,
                                    n_steps, n_velocities);
                        REQUIRE(m.n_steps[i] == n_steps);
                        REQUIRE(m.n_velocities[i] == n_velocities);
                        REQUIRE(same(m.displacement[i], displacement));
                        REQUIRE(same(m.velocity[i], velocity));
                    }
                }
}

}  // namespace

TEST_SUITE_BEGIN("kinematics");

TEST_CASE("equals the definition: all shapes, gaps, types and readings") {
    compare_with_brute_force<double>(Velocity::abs_derivative);
    compare_with_brute_force<double>(Velocity::derivative);
    compare_with_brute_force<float>(Velocity::abs_derivative);
    compare_with_brute_force<float>(Velocity::derivative);
}

TEST_CASE("the width of the vectors does not change a bit") {
    // Landmarks alone go the plain way; together they share vectors.
    const std::size_t frames = 57, landmarks = 7, dims = 2;
    const auto values = scattered_landmarks<double>(frames * landmarks * dims, 37);
    const auto together = motion(values, frames, landmarks, dims);
    for (std::size_t i = 0; i < landmarks; ++i) {
        std::vector<double> own;
        for (std::size_t t = 0; t < frames; ++t)
            for (std::size_t axis = 0; axis < dims; ++axis)
                own.push_back(values[(t * landmarks + i) * dims + axis]);
        const auto alone = motion(own, frames, 1, dims);
        CHECK(alone.displacement[0] == together.displacement[i]);
        CHECK(alone.velocity[0] == together.velocity[i]);
    }
}

template <typename T>
void compare_vectors() {
    for (std::size_t dims : {1, 2, 3})
        for (std::size_t landmarks : {3, 4, 68, 71}) {
            const auto values = scattered_landmarks<T>(50 * landmarks * dims, 31);
            const auto widest = motion(values, 50, landmarks, dims);
            for (const auto other : {pyexpr::Vectors::baseline, pyexpr::Vectors::none}) {
                const auto narrow =
                    motion(values, 50, landmarks, dims, 5.0, Velocity::abs_derivative, 0.0, other);
                CHECK(widest.displacement == narrow.displacement);
                CHECK(widest.velocity == narrow.velocity);
                CHECK(widest.n_velocities == narrow.n_velocities);
                CHECK(widest.all.velocity == narrow.all.velocity);
            }
        }
}

TEST_CASE("the widest vectors, those of every processor and plain code give the same bytes") {
    compare_vectors<double>();
    compare_vectors<float>();
}

TEST_CASE("the average over all weighs every pair the same") {
    // One landmark moves 1 in each of 3 steps, the other 5 in its single step.
    const std::vector<double> values{0, 0, 1, 5, 2, kNaN, 3, kNaN};
    const auto m = motion(values, 4, 2, 1);
    CHECK(m.n_steps == std::vector<std::int64_t>{3, 1});
    CHECK(m.all.n_steps == 4);
    CHECK(m.all.displacement == 2.0);
    CHECK(m.all.n_velocities == 2);
    CHECK(std::isnan(m.velocity[1]));
}

TEST_CASE("uniform motion has its speed and no change of displacement") {
    std::vector<double> values;
    for (int t = 0; t < 10; ++t)
        for (int i = 0; i < 4; ++i) {
            values.push_back(3.0 * t + i);
            values.push_back(4.0 * t - i);
        }
    CHECK(motion(values, 10, 4, 2).all.displacement == 5.0);
    CHECK(motion(values, 10, 4, 2).all.velocity == 0.0);
    const auto speed = motion(values, 10, 4, 2, 30.0, Velocity::speed);
    CHECK(speed.all.velocity == 150.0);
    CHECK(speed.all.n_velocities == speed.all.n_steps);
}

TEST_CASE("on a circle every step is the chord") {
    std::vector<double> values;
    for (int t = 0; t < 12; ++t) {
        values.push_back(10.0 * std::cos(2 * kPi * t / 12));
        values.push_back(10.0 * std::sin(2 * kPi * t / 12));
    }
    const auto m = motion(values, 12, 1, 2);
    CHECK(m.all.displacement == doctest::Approx(20.0 * std::sin(kPi / 12)).epsilon(1e-12));
    CHECK(std::abs(m.all.velocity) < 1e-12);
}

TEST_CASE("gaps and infinities are never bridged") {
    const double inf = std::numeric_limits<double>::infinity();
    for (double bad : {kNaN, inf, -inf}) {
        const std::vector<double> values{0, 1, bad, 3, 4, 6};
        const auto m = motion(values, 6, 1, 1);
        CHECK(m.all.n_steps == 3);
        CHECK(m.all.displacement == doctest::Approx(4.0 / 3));
        CHECK(m.all.n_velocities == 1);
        CHECK(m.all.velocity == 5.0);
    }
}

TEST_CASE("angles are wrapped") {
    const std::vector<double> values{350, 359, 1, 358};
    const auto m = motion(values, 4, 1, 1, 1.0, Velocity::derivative, 360.0);
    CHECK(m.all.displacement == doctest::Approx((9.0 + 2.0 + 3.0) / 3));
    CHECK(m.all.velocity == doctest::Approx((3.0 - 9.0) / 2));
}

TEST_CASE("nothing to average is NaN with count 0") {
    for (std::size_t frames : {0, 1}) {
        const auto m = motion(std::vector<double>(frames * 2), frames, 1, 2);
        CHECK(std::isnan(m.all.displacement));
        CHECK(std::isnan(m.all.velocity));
        CHECK(m.all.n_steps == 0);
    }
    CHECK(std::isnan(motion(std::vector<double>{}, 5, 0, 2).all.displacement));
}

TEST_CASE("arguments that make no sense are refused") {
    const std::vector<double> values(24);
    CHECK_THROWS_AS(motion(values, 6, 1, 4), std::invalid_argument);
    CHECK_THROWS_AS(motion(values, 6, 2, 2, 0.0), std::invalid_argument);
    CHECK_THROWS_AS(motion(values, 6, 2, 2, kNaN), std::invalid_argument);
    CHECK_THROWS_AS(motion(values, 6, 2, 2, 5.0, Velocity::speed, 360.0), std::invalid_argument);
    CHECK_THROWS_AS(motion(values, 6, 4, 1, 5.0, Velocity::speed, -1.0), std::invalid_argument);
}

TEST_SUITE_END();
