#include <cstdint>

#include "numpy_views.hpp"
#include "pyexpr/frame_grid.hpp"

namespace py = pybind11;
using pyexpr::bindings::Array;
using pyexpr::bindings::mutable_view;
using pyexpr::bindings::Unlocked;
using pyexpr::bindings::view;

namespace {

std::int64_t blank_rows(Array<double> values, const Array<bool>& valid) {
    const auto rows = mutable_view<double, 2>(values, "values");
    const auto is_valid = view<bool, 1>(valid, "valid");
    const Unlocked unlocked(values.size());
    return pyexpr::blank_rows(rows, is_valid);
}

py::array_t<double> point_middles(const Array<double>& points) {
    const auto all = view<double, 3>(points, "points");
    Array<double> middles = pyexpr::bindings::new_array<double>(all.shape[0], all.shape[2]);
    const auto filled = pyexpr::bindings::view_of_new<2>(middles);
    {
        const Unlocked unlocked(points.size());
        pyexpr::point_middles(all, filled);
    }
    return middles;
}

double fastest_step(const Array<double>& places, const Array<double>& seconds, double least,
                    double circle) {
    const auto all = view<double, 2>(places, "places");
    const auto times = view<double, 1>(seconds, "seconds");
    const Unlocked unlocked(places.size());
    return pyexpr::fastest_step(all, times, least, circle);
}

}  // namespace

// noconvert: pyexpr.core decides about copies.
void register_frame_grid(py::module_& m) {
    m.def("blank_rows", &blank_rows, py::arg("values").noconvert(), py::arg("valid").noconvert());
    m.def("point_middles", &point_middles, py::arg("points").noconvert());
    m.def("fastest_step", &fastest_step, py::arg("places").noconvert(),
          py::arg("seconds").noconvert(), py::arg("least"), py::arg("circle"));
}
