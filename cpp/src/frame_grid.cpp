#include "pyexpr/frame_grid.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>

namespace pyexpr {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

// Frames whose points are added up side by side: a sum waits for its last addition.
constexpr std::size_t kTogether = 4;

template <std::size_t Dims>
void middles_of(const double* points, std::size_t n_frames, std::size_t n_points, double* middles) {
    const std::size_t width = n_points * Dims;
    std::size_t frame = 0;
    for (; frame + kTogether <= n_frames; frame += kTogether) {
        const double* const row = points + frame * width;
        double sums[kTogether][Dims];
        for (std::size_t k = 0; k < kTogether; ++k)
            for (std::size_t axis = 0; axis < Dims; ++axis) sums[k][axis] = row[k * width + axis];
        for (std::size_t i = Dims; i < width; i += Dims)
            for (std::size_t k = 0; k < kTogether; ++k)
                for (std::size_t axis = 0; axis < Dims; ++axis)
                    sums[k][axis] += row[k * width + i + axis];
        for (std::size_t k = 0; k < kTogether; ++k)
            for (std::size_t axis = 0; axis < Dims; ++axis)
                middles[(frame + k) * Dims + axis] = sums[k][axis] / static_cast<double>(n_points);
    }
    for (; frame < n_frames; ++frame) {
        const double* const row = points + frame * width;
        for (std::size_t axis = 0; axis < Dims; ++axis) {
            double sum = row[axis];
            for (std::size_t i = Dims; i < width; i += Dims) sum += row[i + axis];
            middles[frame * Dims + axis] = sum / static_cast<double>(n_points);
        }
    }
}

bool all_finite(const double* values, std::size_t count) {
    return std::all_of(values, values + count, [](double value) { return std::isfinite(value); });
}

double step_of(double before, double after, double circle) {
    const double step = after - before;
    if (circle == 0.0) return step;
    double turned = std::fmod(step + circle / 2, circle);
    if (turned < 0.0) turned += circle;
    return turned - circle / 2;
}

}  // namespace

std::int64_t blank_rows(ArrayView<double, 2> values, ArrayView<const bool, 1> valid) {
    const std::size_t width = values.shape[1];
    if (valid.shape[0] != values.shape[0])
        throw std::invalid_argument("there must be a mark of validity for each row");
    std::int64_t missing = 0;
    for (std::size_t row = 0; row < values.shape[0]; ++row) {
        double* const first = values.data + row * width;
        if (!valid(row)) {
            std::fill_n(first, width, kMissing);
            continue;
        }
        std::int64_t in_row = 0;
        for (std::size_t i = 0; i < width; ++i) in_row += first[i] != first[i];
        missing += in_row;
    }
    return missing;
}

void point_middles(ArrayView<const double, 3> points, ArrayView<double, 2> middles) {
    const auto [n_frames, n_points, dims] = points.shape;
    if (middles.shape[0] != n_frames || middles.shape[1] != dims)
        throw std::invalid_argument("middles must have the shape (frames, dims)");
    if (n_points == 0) throw std::invalid_argument("there must be points");
    if (dims == 2)
        middles_of<2>(points.data, n_frames, n_points, middles.data);
    else if (dims == 3)
        middles_of<3>(points.data, n_frames, n_points, middles.data);
    else
        throw std::invalid_argument("points must have two or three coordinates");
}

double fastest_step(ArrayView<const double, 2> places, ArrayView<const double, 1> seconds,
                    double least, double circle) {
    const auto [n_frames, dims] = places.shape;
    if (seconds.shape[0] != n_frames)
        throw std::invalid_argument("there must be a time for each frame");
    const double* before = nullptr;
    double then = 0.0;
    double fastest = 0.0;
    for (std::size_t frame = 0; frame < n_frames; ++frame) {
        const double* const place = places.data + frame * dims;
        if (!all_finite(place, dims)) continue;
        if (before != nullptr) {
            double length = 0.0;
            for (std::size_t axis = 0; axis < dims; ++axis) {
                const double step = step_of(before[axis], place[axis], circle);
                length += step * step;
            }
            const double apart = std::max(seconds(frame) - then, least);
            const double speed = length / (apart * apart);
            // What is not a number is no speed that a limit allows.
            if (!(speed <= fastest)) fastest = std::isnan(speed) ? HUGE_VAL : speed;
        }
        before = place;
        then = seconds(frame);
    }
    return fastest;
}

}  // namespace pyexpr
