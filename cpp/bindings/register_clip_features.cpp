#include <cstdint>
#include <stdexcept>

#include "numpy_views.hpp"
#include "pyexpr/clip_features.hpp"

namespace py = pybind11;
using pyexpr::bindings::Array;
using pyexpr::bindings::Unlocked;
using pyexpr::bindings::view;

namespace {

// Columns of a group side by side: rows may lie apart, coordinates may not.
using Frames = py::array_t<double>;

pyexpr::ClipFrames clip_frames(const Frames& points) {
    constexpr auto size = static_cast<py::ssize_t>(sizeof(double));
    pyexpr::bindings::checked_shape<3>(points, "points");
    const py::ssize_t dims = points.shape(2);
    const bool together = (dims < 2 || points.strides(2) == size) &&
                          (points.shape(1) < 2 || points.strides(1) == dims * size);
    if (!together || points.strides(0) < 0 || points.strides(0) % size != 0)
        throw std::invalid_argument("the coordinates of a frame must lie together");
    return {points.data(), static_cast<std::size_t>(points.strides(0) / size),
            static_cast<std::size_t>(points.shape(0)), static_cast<std::size_t>(points.shape(1)),
            static_cast<std::size_t>(dims)};
}

py::array_t<double> bin_points(const Frames& points, const Array<std::int64_t>& first,
                               const Array<std::int64_t>& expected, std::size_t end, bool decimate,
                               bool angles) {
    const pyexpr::ClipFrames clip = clip_frames(points);
    const pyexpr::Bins bins{view<std::int64_t, 1>(first, "first"),
                            view<std::int64_t, 1>(expected, "expected"), end};
    Array<double> means =
        pyexpr::bindings::new_array<double>(bins.first.shape[0], clip.points, clip.dims);
    const auto filled = pyexpr::bindings::view_of_new<3>(means);
    {
        const Unlocked unlocked(points.size());
        pyexpr::bin_points(clip, bins, {decimate, angles}, filled);
    }
    return means;
}

py::tuple binned_motion(const Frames& points, const Array<std::int64_t>& first,
                        const Array<std::int64_t>& expected, std::size_t end, bool decimate,
                        bool angles, double rate, pyexpr::Velocity reading) {
    const pyexpr::ClipFrames clip = clip_frames(points);
    const pyexpr::Bins bins{view<std::int64_t, 1>(first, "first"),
                            view<std::int64_t, 1>(expected, "expected"), end};
    pyexpr::BinnedMotion found{};
    {
        const Unlocked unlocked(points.size());
        found = pyexpr::binned_motion(clip, bins, {decimate, angles}, rate, reading);
    }
    return py::make_tuple(found.motion.displacement, found.motion.velocity, found.n_known,
                          found.n_velocities);
}

py::tuple unit_activity(const Array<bool>& valid, const Array<double>& presence,
                        const Array<double>& intensity, const Array<std::int64_t>& columns) {
    const auto is_valid = view<bool, 1>(valid, "valid");
    const auto present = view<double, 2>(presence, "presence");
    const auto intense = view<double, 2>(intensity, "intensity");
    const auto both = view<std::int64_t, 2>(columns, "columns");
    pyexpr::UnitActivity found;
    {
        const Unlocked unlocked(presence.size());
        found = pyexpr::unit_activity(is_valid, present, intense, both);
    }
    return py::make_tuple(found.n_known, found.n_present, found.n_active, found.intensity,
                          found.frames_present);
}

py::tuple count_frames(const Array<bool>& present, const Array<bool>& valid,
                       const Array<double>& confidence) {
    const auto there = view<bool, 1>(present, "present");
    const auto is_valid = view<bool, 1>(valid, "valid");
    const auto sure = view<double, 1>(confidence, "confidence");
    pyexpr::FrameCounts found{};
    {
        const Unlocked unlocked(present.size());
        found = pyexpr::count_frames(there, is_valid, sure);
    }
    return py::make_tuple(found.n_present, found.n_valid, found.n_failed, found.longest_gap,
                          found.mean_confidence);
}

}  // namespace

// noconvert: pyexpr.core decides about copies.
void register_clip_features(py::module_& m) {
    m.def("bin_points", &bin_points, py::arg("points").noconvert(), py::arg("first").noconvert(),
          py::arg("expected").noconvert(), py::arg("end"), py::arg("decimate"), py::arg("angles"));
    m.def("binned_motion", &binned_motion, py::arg("points").noconvert(),
          py::arg("first").noconvert(), py::arg("expected").noconvert(), py::arg("end"),
          py::arg("decimate"), py::arg("angles"), py::arg("rate"), py::arg("reading"));
    m.def("unit_activity", &unit_activity, py::arg("valid").noconvert(),
          py::arg("presence").noconvert(), py::arg("intensity").noconvert(),
          py::arg("columns").noconvert());
    m.def("count_frames", &count_frames, py::arg("present").noconvert(),
          py::arg("valid").noconvert(), py::arg("confidence").noconvert());
}
