#include "pyexpr/clip_features.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "numpy_sum.hpp"

namespace pyexpr {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr double kLargest = std::numeric_limits<double>::max();
constexpr double kTurn = 360.0;

bool is_finite(double value) { return std::abs(value) <= kLargest; }

bool all_finite(const double* values, std::size_t count) {
    bool all = true;
    for (std::size_t i = 0; i < count; ++i) all = all & is_finite(values[i]);
    return all;
}

// In [-180, 180), as Python's remainder has the sign of the divisor.
double wrapped(double degrees) {
    double turned = std::fmod(degrees + kTurn / 2, kTurn);
    if (turned < 0.0) turned += kTurn;
    return turned - kTurn / 2;
}

std::size_t place(std::int64_t frame) { return static_cast<std::size_t>(frame); }

void check(const ClipFrames& clip, const Bins& bins) {
    const std::size_t n_bins = bins.first.shape[0];
    if (bins.expected.shape[0] != n_bins)
        throw std::invalid_argument("each bin must have a first frame and an expected number");
    if (bins.end > clip.frames) throw std::invalid_argument("bins must lie within the frames");
    if (clip.dims < 1) throw std::invalid_argument("points must have coordinates");
    for (std::size_t b = 0; b < n_bins; ++b) {
        const auto next = b + 1 < n_bins ? bins.first(b + 1) : static_cast<std::int64_t>(bins.end);
        if (bins.first(b) < 0 || bins.first(b) >= next)
            throw std::invalid_argument("bins must increase and hold at least one frame each");
    }
}

// The means of one bin after the other; what it needs on the way is kept between them.
class BinMeans {
  public:
    BinMeans(const ClipFrames& clip, const Bins& bins, Binning how)
        : clip_(clip), bins_(bins), how_(how), width_(clip.points * clip.dims) {}

    void fill(std::size_t bin, double* means) {
        const std::size_t start = place(bins_.first(bin));
        if (how_.decimate) {
            keep_known(row(start), means);
            return;
        }
        const std::size_t next =
            bin + 1 < bins_.first.shape[0] ? place(bins_.first(bin + 1)) : bins_.end;
        const std::size_t count = next - start;
        if (!how_.angles && whole(start, count)) {
            sum_rows(row(start), clip_.stride, count, width_, means);
            const bool enough = is_enough(static_cast<std::int64_t>(count), bin);
            const auto divisor = static_cast<double>(count);
            for (std::size_t i = 0; i < width_; ++i)
                means[i] = enough ? 0.0 + means[i] / divisor : kMissing;
            return;
        }
        take_known(start, count);
        sum_rows(known_.data(), width_, count, width_, means);
        for (std::size_t i = 0; i < width_; ++i) {
            const std::int64_t n = counts_[i / clip_.dims];
            means[i] = n > 0 && is_enough(n, bin) ? origin_[i] + means[i] / static_cast<double>(n)
                                                  : kMissing;
        }
    }

  private:
    const double* row(std::size_t frame) const { return clip_.data + frame * clip_.stride; }

    bool is_enough(std::int64_t n, std::size_t bin) const { return 2 * n >= bins_.expected(bin); }

    bool whole(std::size_t start, std::size_t count) const {
        for (std::size_t k = 0; k < count; ++k)
            if (!all_finite(row(start + k), width_)) return false;
        return true;
    }

    void keep_known(const double* values, double* kept) const {
        for (std::size_t i = 0; i < width_; i += clip_.dims) {
            const bool known = all_finite(values + i, clip_.dims);
            for (std::size_t axis = 0; axis < clip_.dims; ++axis)
                kept[i + axis] = known ? values[i + axis] : kMissing;
        }
    }

    // Copies the frames of a bin: 0 where a point is not known, angles from the first known one.
    void take_known(std::size_t start, std::size_t count) {
        known_.assign(count * width_, 0.0);
        counts_.assign(clip_.points, 0);
        origin_.assign(width_, 0.0);
        for (std::size_t k = 0; k < count; ++k) {
            const double* const values = row(start + k);
            double* const copy = known_.data() + k * width_;
            for (std::size_t point = 0; point < clip_.points; ++point) {
                const std::size_t i = point * clip_.dims;
                if (!all_finite(values + i, clip_.dims)) continue;
                if (how_.angles && counts_[point] == 0)
                    std::copy_n(values + i, clip_.dims, origin_.data() + i);
                for (std::size_t axis = i; axis < i + clip_.dims; ++axis)
                    copy[axis] = how_.angles ? wrapped(values[axis] - origin_[axis]) : values[axis];
                ++counts_[point];
            }
        }
    }

    const ClipFrames& clip_;
    const Bins& bins_;
    Binning how_;
    std::size_t width_;
    std::vector<double> known_;
    std::vector<double> origin_;
    std::vector<std::int64_t> counts_;
};

bool any_known(const double* means, std::size_t points, std::size_t dims) {
    for (std::size_t point = 0; point < points; ++point)
        if (all_finite(means + point * dims, dims)) return true;
    return false;
}

}  // namespace

void bin_points(const ClipFrames& clip, const Bins& bins, Binning how, ArrayView<double, 3> means) {
    check(clip, bins);
    if (means.shape[0] != bins.first.shape[0] || means.shape[1] != clip.points ||
        means.shape[2] != clip.dims)
        throw std::invalid_argument("means must have the shape (bins, points, dims)");
    BinMeans bin_means(clip, bins, how);
    const std::size_t width = clip.points * clip.dims;
    for (std::size_t b = 0; b < means.shape[0]; ++b) bin_means.fill(b, means.data + b * width);
}

BinnedMotion binned_motion(const ClipFrames& clip, const Bins& bins, Binning how, double rate,
                           Velocity reading) {
    if (how.angles && clip.points * clip.dims != 1)
        throw std::invalid_argument("an angle must be one number per frame");
    const std::size_t n_bins = bins.first.shape[0];
    std::vector<double> means(n_bins * clip.points * clip.dims);
    bin_points(clip, bins, how, {means.data(), {n_bins, clip.points, clip.dims}});
    BinnedMotion found;
    std::int64_t run = 0;
    for (std::size_t b = 0; b < n_bins; ++b) {
        const double* const bin = means.data() + b * clip.points * clip.dims;
        run = any_known(bin, clip.points, clip.dims) ? run + 1 : 0;
        found.n_known += run > 0;
        found.n_velocities += run > 2;
    }
    std::vector<double> displacement(clip.points), velocity(clip.points);
    std::vector<std::int64_t> n_steps(clip.points), n_velocities(clip.points);
    found.motion = landmark_motion<double>({means.data(), {n_bins, clip.points, clip.dims}}, rate,
                                           reading, how.angles ? kTurn : 0.0,
                                           {{displacement.data(), {clip.points}},
                                            {velocity.data(), {clip.points}},
                                            {n_steps.data(), {clip.points}},
                                            {n_velocities.data(), {clip.points}}});
    return found;
}

UnitActivity unit_activity(ArrayView<const bool, 1> valid, ArrayView<const double, 2> presence,
                           ArrayView<const double, 2> intensity,
                           ArrayView<const std::int64_t, 2> columns) {
    const std::size_t frames = valid.shape[0], units = presence.shape[1];
    if (presence.shape[0] != frames || intensity.shape[0] != frames || columns.shape[1] != 2)
        throw std::invalid_argument("presence and intensity must have a row per frame");
    for (std::size_t pair = 0; pair < columns.shape[0]; ++pair)
        if (columns(pair, 0) < 0 || place(columns(pair, 0)) >= units || columns(pair, 1) < 0 ||
            place(columns(pair, 1)) >= intensity.shape[1])
            throw std::invalid_argument("a column lies beyond the action units");
    UnitActivity found;
    found.frames_present.assign(units, 0);
    std::vector<double> active;
    for (std::size_t frame = 0; frame < frames; ++frame) {
        const double* const present = presence.data + frame * units;
        if (!valid(frame) || !all_finite(present, units)) continue;
        ++found.n_known;
        for (std::size_t unit = 0; unit < units; ++unit) {
            found.frames_present[unit] += present[unit] == 1.0;
            found.n_present += present[unit] == 1.0;
        }
        for (std::size_t pair = 0; pair < columns.shape[0]; ++pair) {
            const double value = intensity(frame, columns(pair, 1));
            if (present[columns(pair, 0)] == 1.0 && is_finite(value)) active.push_back(value);
        }
    }
    found.n_active = static_cast<std::int64_t>(active.size());
    if (!active.empty())
        found.intensity = sum_of(active.data(), active.size()) / static_cast<double>(active.size());
    return found;
}

FrameCounts count_frames(ArrayView<const bool, 1> present, ArrayView<const bool, 1> valid,
                         ArrayView<const double, 1> confidence) {
    const std::size_t frames = present.shape[0];
    if (valid.shape[0] != frames || confidence.shape[0] != frames)
        throw std::invalid_argument("present, valid and confidence must have the same length");
    FrameCounts found;
    std::vector<double> known;
    known.reserve(frames);
    std::int64_t gap = 0;
    for (std::size_t frame = 0; frame < frames; ++frame) {
        found.n_present += present(frame);
        found.n_valid += valid(frame);
        found.n_failed += present(frame) && !valid(frame);
        gap = valid(frame) ? 0 : gap + 1;
        found.longest_gap = std::max(found.longest_gap, gap);
        if (is_finite(confidence(frame))) known.push_back(confidence(frame));
    }
    found.mean_confidence =
        known.empty() ? kMissing
                      : sum_of(known.data(), known.size()) / static_cast<double>(known.size());
    return found;
}

}  // namespace pyexpr
