// What the features of one clip are computed from: bins, movement between bins, action units.
//
// Frames   (frames, points, dims) doubles, in any unit. A point is known in a frame when all its
//          coordinates are finite.
// Bins     bins of neighbouring frames, see `Bins`. The mean of a bin is over the frames in which
//          the point is known, and is known if these are at least half of those expected in the
//          bin.
// Order    sums are those of NumPy's add.reduceat() and add.reduce(), term by term, so that the
//          bytes are those of the reference in NumPy on every processor.
// Cost     O(frames * points * dims) time in one pass; O(bins * points * dims) memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyexpr/array_view.hpp"
#include "pyexpr/kinematics.hpp"

namespace pyexpr {

// Frames of a clip, whose coordinates lie together, `stride` doubles behind those of the frame
// before.
struct ClipFrames {
    const double* data;
    std::size_t stride;
    std::size_t frames;
    std::size_t points;
    std::size_t dims;
};

// Bin b holds the frames from first[b] up to first[b + 1], the last one those up to `end`.
struct Bins {
    ArrayView<const std::int64_t, 1> first;     // increasing
    ArrayView<const std::int64_t, 1> expected;  // frames in each bin were the clip to go on
    std::size_t end;                            // at most the frames of the clip
};

struct Binning {
    // The first frame of each bin, known or not, instead of the mean.
    bool decimate = false;
    // Values are degrees: the mean is of differences from the bin's first known value, wrapped to
    // [-180, 180).
    bool angles = false;
};

// Fills `means` (bins, points, dims): NaN where a point of a bin is not known.
//
// Throws std::invalid_argument when bins are not increasing or lie beyond the frames, or a shape
// does not agree.
void bin_points(const ClipFrames& clip, const Bins& bins, Binning how, ArrayView<double, 3> means);

struct BinnedMotion {
    MotionAverages motion;          // between bins; of an angle (points and dims 1) wrapped
    std::int64_t n_known = 0;       // bins in which some point is known
    std::int64_t n_velocities = 0;  // runs of three neighbouring bins of these
};

// bin_points() and landmark_motion() of its means, with `rate` bins per second.
//
// Throws std::invalid_argument as both do.
BinnedMotion binned_motion(const ClipFrames& clip, const Bins& bins, Binning how, double rate,
                           Velocity reading);

struct UnitActivity {
    std::int64_t n_known = 0;    // valid frames in which the presence of all units is finite
    std::int64_t n_present = 0;  // (frame, unit) pairs of these with a presence of 1
    std::int64_t n_active = 0;   // the pairs behind `intensity`
    double intensity = 0.0;      // mean of known intensities where the unit is present; 0 if none
    std::vector<std::int64_t> frames_present;  // of each unit of `presence`
};

// Presence (frames, units) and intensity (frames, units) of action units. `columns` are pairs of
// columns, of presence and of intensity, of the units that have both, (units, 2).
//
// Throws std::invalid_argument when a shape does not agree, or a column lies beyond the units.
UnitActivity unit_activity(ArrayView<const bool, 1> valid, ArrayView<const double, 2> presence,
                           ArrayView<const double, 2> intensity,
                           ArrayView<const std::int64_t, 2> columns);

struct FrameCounts {
    std::int64_t n_present = 0;
    std::int64_t n_valid = 0;
    std::int64_t n_failed = 0;     // present and not valid
    std::int64_t longest_gap = 0;  // longest run of frames that are not valid
    double mean_confidence = 0.0;  // of the finite ones; NaN if there is none
};

// Throws std::invalid_argument when the lengths differ.
FrameCounts count_frames(ArrayView<const bool, 1> present, ArrayView<const bool, 1> valid,
                         ArrayView<const double, 1> confidence);

}  // namespace pyexpr
