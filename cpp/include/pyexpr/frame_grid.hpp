// Passes over all frames of a recording: rows set missing, the middle of points, the fastest step.
//
// Frames   one row each, in the order of time.
// Missing  NaN.
// Cost     O(numbers) time in one pass, and no memory.
#pragma once

#include <cstdint>

#include "pyexpr/array_view.hpp"

namespace pyexpr {

// Sets the rows of frames that are not valid to NaN, and returns how many values of the other rows
// are NaN.
//
// Throws std::invalid_argument when `valid` has another length than there are rows.
std::int64_t blank_rows(ArrayView<double, 2> values, ArrayView<const bool, 1> valid);

// Fills `middles` (frames, dims) with the mean of each frame's points (frames, points, dims), added
// in the order of the points as NumPy's mean(axis=1) does; NaN where a coordinate is.
//
// Throws std::invalid_argument when a shape does not agree, or there are no points.
void point_middles(ArrayView<const double, 3> points, ArrayView<double, 2> middles);

// Returns the square of the largest speed from one known frame to the next, 0 if there are no two.
// A frame is known when all its values (frames, dims) are finite. `seconds` are the frames' times;
// frames that are closer than `least` count as so far apart. With a `circle` that is not 0 the
// values are angles, and their differences are wrapped to [-circle / 2, circle / 2).
//
// Throws std::invalid_argument when the lengths differ.
double fastest_step(ArrayView<const double, 2> places, ArrayView<const double, 1> seconds,
                    double least, double circle);

}  // namespace pyexpr
