// How far tracked points move, and how fast that changes.
//
// Input     landmarks (frames, landmarks, dims), dims 1 to 3, C-contiguous, float or double, in
//           any unit of length u (or degrees, see `period`).
// Step      d_t = |x_{t+1} - x_t|, Euclidean, of one landmark between neighbouring rows.
// Velocity  one per pair of neighbouring steps of a landmark, in u/s with `rate` rows per second:
//             abs_derivative  |d_{t+1} - d_t| * rate   how fast the displacement changes
//             derivative      (d_{t+1} - d_t) * rate   signed; its sum telescopes
//           or, of every single step,
//             speed           d_t * rate
// Missing   a landmark is valid in a row when all its coordinates are finite. A step needs two
//           neighbouring valid rows, a derivative three. Gaps are never bridged. Coordinates
//           beyond 1e150, whose squares overflow, count as missing.
// Averages  over all valid (landmark, step) pairs: per landmark, and over all landmarks, where
//           every pair weighs the same. Without any pair the average is NaN and its count 0.
// Cost      O(frames * landmarks * dims) time in one pass; O(landmarks) memory.
// Order     the sums of a landmark run over time, those over landmarks run over the landmarks:
//           the bytes of the result do not depend on the width of the processor's vectors.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyexpr/array_view.hpp"

namespace pyexpr {

enum class Velocity { abs_derivative, derivative, speed };

enum class Vectors { widest, baseline, none };

struct MotionAverages {
    double displacement = 0.0;      // u per step
    double velocity = 0.0;          // u/s
    std::int64_t n_steps = 0;       // pairs in `displacement`
    std::int64_t n_velocities = 0;  // pairs in `velocity`
};

// Per-landmark results: four arrays of length landmarks, written by the kernel.
struct LandmarkAverages {
    ArrayView<double, 1> displacement;
    ArrayView<double, 1> velocity;
    ArrayView<std::int64_t, 1> n_steps;
    ArrayView<std::int64_t, 1> n_velocities;
};

// Fills `each` and returns the averages over all landmarks.
//
// period  0 for plain coordinates. With a positive period (360 for degrees) dims must be 1 and
//         differences are wrapped to [-period/2, period/2] before their absolute value is taken.
//
// vectors `baseline` uses those alone that every processor of this kind has, and `none` plain code,
//         which compilers without vectors always take, so that tests can hold the results against
//         that of the widest; the bytes are the same.
//
// Throws std::invalid_argument when dims is not 1, 2 or 3, `rate` is not positive and finite,
// `period` is negative, not finite, or given with dims > 1, or an array of `each` has another
// length than landmarks.
template <typename T>
MotionAverages landmark_motion(ArrayView<const T, 3> landmarks, double rate, Velocity reading,
                               double period, LandmarkAverages each,
                               Vectors vectors = Vectors::widest);

extern template MotionAverages landmark_motion<float>(ArrayView<const float, 3>, double, Velocity,
                                                      double, LandmarkAverages, Vectors);
extern template MotionAverages landmark_motion<double>(ArrayView<const double, 3>, double, Velocity,
                                                       double, LandmarkAverages, Vectors);

}  // namespace pyexpr
