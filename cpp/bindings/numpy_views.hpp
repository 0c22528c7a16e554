// The only file that includes pybind11: numpy arrays to views, and back.
//
// What reaches a kernel was checked here: its type, dimensions, layout and alignment; that the
// shapes fit together is checked by the kernel. Sizes of what is returned may come from the caller:
// they are multiplied by checked arithmetic before memory is allocated.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include "pyexpr/array_view.hpp"
#include "pyexpr/checked_size.hpp"

namespace pyexpr::bindings {

namespace py = pybind11;

// C-contiguous and of exactly this type: pyexpr.core converts, so that a copy
// is never made here unseen.
template <typename T>
using Array = py::array_t<T, py::array::c_style>;

// An array without values may have any extents but this: kernels loop over them.
inline constexpr py::ssize_t kMostOfNothing = std::numeric_limits<std::int32_t>::max();

// The extents of an array that a kernel may read.
template <std::size_t N>
std::array<std::size_t, N> checked_shape(const py::array& array, const char* name) {
    if (array.ndim() != static_cast<py::ssize_t>(N)) {
        throw std::invalid_argument(std::string(name) + " must have " + std::to_string(N) +
                                    " dimensions, but has " + std::to_string(array.ndim()));
    }
    // A load of a value that lies across its natural place is undefined in C++.
    if ((array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) == 0) {
        throw std::invalid_argument(std::string(name) +
                                    " must be aligned in memory; a copy of the array is");
    }
    std::array<std::size_t, N> shape{};
    for (std::size_t axis = 0; axis < N; ++axis) {
        const py::ssize_t extent = array.shape(static_cast<py::ssize_t>(axis));
        if (array.size() == 0 && extent > kMostOfNothing) {
            throw std::invalid_argument(std::string(name) + " has no values, and the size " +
                                        std::to_string(extent));
        }
        shape[axis] = static_cast<std::size_t>(extent);
    }
    return shape;
}

template <typename T, std::size_t N>
ArrayView<const T, N> view(const Array<T>& array, const char* name) {
    return {array.data(), checked_shape<N>(array, name)};
}

// Throws for an array that may not be written to.
template <typename T, std::size_t N>
ArrayView<T, N> mutable_view(Array<T>& array, const char* name) {
    return {array.mutable_data(), checked_shape<N>(array, name)};
}

// A new array, whatever the extents; numpy says so if there is no memory for it.
template <typename T, typename... Extent>
Array<T> new_array(Extent... extent) {
    constexpr auto most = static_cast<std::size_t>(std::numeric_limits<py::ssize_t>::max());
    std::size_t bytes = sizeof(T);
    const auto signed_extent = [&bytes](std::size_t one) {
        if (one > 0) bytes = checked_product(bytes, one);
        if (one > most || bytes > most) {
            throw std::invalid_argument("an array of these sizes does not fit into any memory");
        }
        return static_cast<py::ssize_t>(one);
    };
    const std::array<py::ssize_t, sizeof...(Extent)> shape{
        signed_extent(static_cast<std::size_t>(extent))...};
    return Array<T>(shape);
}

// The view of an array that was just made here.
template <std::size_t N, typename T>
ArrayView<T, N> view_of_new(Array<T>& array) {
    return mutable_view<T, N>(array, "the result");
}

// Python's lock, given up where others would wait for long. Most work on a few thousand numbers
// takes microseconds: whoever gives it up for that waits longer to have it back.
class Unlocked {
  public:
    explicit Unlocked(py::ssize_t numbers) {
        if (numbers >= kMany) release_.emplace();
    }

  private:
    static constexpr py::ssize_t kMany = 1 << 16;
    std::optional<py::gil_scoped_release> release_;
};

// The C++ object of a Python one. Of an object that was made without its constructor, by
// `Class.__new__(Class)`, pybind11 would hand out memory that holds anything.
template <typename T>
T& constructed(const py::handle& self) {
    if (!py::isinstance<T>(self) || !reinterpret_cast<py::detail::instance*>(self.ptr())
                                         ->get_value_and_holder()
                                         .holder_constructed()) {
        throw py::type_error("the object was not made by its constructor");
    }
    return self.cast<T&>();
}

}  // namespace pyexpr::bindings
