#include <cstdint>

#include "numpy_views.hpp"
#include "pyexpr/kinematics.hpp"

namespace py = pybind11;
using pyexpr::bindings::Array;
using pyexpr::bindings::new_array;
using pyexpr::bindings::view_of_new;

namespace {

template <typename T>
py::tuple landmark_motion(const Array<T>& landmarks, double rate, pyexpr::Velocity reading,
                          double period) {
    const auto input = pyexpr::bindings::view<T, 3>(landmarks, "landmarks");
    const std::size_t n = input.shape[1];
    Array<double> displacement = new_array<double>(n);
    Array<double> velocity = new_array<double>(n);
    Array<std::int64_t> n_steps = new_array<std::int64_t>(n);
    Array<std::int64_t> n_velocities = new_array<std::int64_t>(n);
    const pyexpr::LandmarkAverages each{view_of_new<1>(displacement), view_of_new<1>(velocity),
                                        view_of_new<1>(n_steps), view_of_new<1>(n_velocities)};
    pyexpr::MotionAverages all;
    {
        // Files are worked on by several threads, and the kernel touches no Python object.
        py::gil_scoped_release unlocked;
        all = pyexpr::landmark_motion<T>(input, rate, reading, period, each);
    }
    return py::make_tuple(
        py::make_tuple(all.displacement, all.velocity, all.n_steps, all.n_velocities), displacement,
        velocity, n_steps, n_velocities);
}

template <typename T>
void define(py::module_& m) {
    // noconvert: pyexpr.core decides about copies.
    m.def("landmark_motion", &landmark_motion<T>, py::arg("landmarks").noconvert(), py::arg("rate"),
          py::arg("reading"), py::arg("period"));
}

}  // namespace

void register_kinematics(py::module_& m) {
    py::enum_<pyexpr::Velocity>(m, "Velocity")
        .value("abs_derivative", pyexpr::Velocity::abs_derivative)
        .value("derivative", pyexpr::Velocity::derivative)
        .value("speed", pyexpr::Velocity::speed);
    define<double>(m);
    define<float>(m);
}
