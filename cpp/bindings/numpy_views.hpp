// The only file that includes pybind11: numpy arrays to views, and back.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>

#include "pyexpr/array_view.hpp"

namespace pyexpr::bindings {

namespace py = pybind11;

// C-contiguous and of exactly this type: pyexpr.core converts, so that a copy
// is never made here unseen.
template <typename T>
using Array = py::array_t<T, py::array::c_style>;

template <typename T, std::size_t N>
ArrayView<const T, N> view(const Array<T>& array, const char* name) {
    if (array.ndim() != static_cast<py::ssize_t>(N)) {
        throw std::invalid_argument(std::string(name) + " must have " + std::to_string(N) +
                                    " dimensions, but has " + std::to_string(array.ndim()));
    }
    ArrayView<const T, N> result{array.data(), {}};
    for (std::size_t axis = 0; axis < N; ++axis) {
        result.shape[axis] = static_cast<std::size_t>(array.shape(static_cast<py::ssize_t>(axis)));
    }
    return result;
}

template <typename T, std::size_t N>
ArrayView<T, N> mutable_view(Array<T>& array) {
    ArrayView<T, N> result{array.mutable_data(), {}};
    for (std::size_t axis = 0; axis < N; ++axis) {
        result.shape[axis] = static_cast<std::size_t>(array.shape(static_cast<py::ssize_t>(axis)));
    }
    return result;
}

}  // namespace pyexpr::bindings
