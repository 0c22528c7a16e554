#include <array>
#include <memory>
#include <stdexcept>
#include <utility>

#include "numpy_views.hpp"
#include "pyexpr/row_sums.hpp"

namespace {

namespace py = pybind11;
using pyexpr::RowSums;
using pyexpr::bindings::Array;
using pyexpr::bindings::constructed;
using pyexpr::bindings::new_array;
using pyexpr::bindings::view;
using pyexpr::bindings::view_of_new;

// The arguments keep the memory of their arrays alive, and no Python object is touched: other
// Python threads run meanwhile.
using WithoutGil = py::gil_scoped_release;

pyexpr::Part part_of(int part) {
    if (part < 0 || part > 2) throw std::invalid_argument("part must be 0, 1 or 2");
    return static_cast<pyexpr::Part>(part);
}

void add_to_means(const py::object& self, const Array<double>& prediction,
                  const Array<double>& truth, const Array<std::int64_t>& slot) {
    auto& rows = constructed<RowSums>(self);
    const auto p = view<double, 1>(prediction, "prediction");
    const auto t = view<double, 1>(truth, "truth");
    const auto s = view<std::int64_t, 1>(slot, "slot");
    const WithoutGil release;
    rows.add_to_means(p, t, s);
}

void add_to_sums(const py::object& self, int part, const Array<double>& prediction,
                 const Array<double>& truth, const Array<std::int64_t>& slot) {
    auto& rows = constructed<RowSums>(self);
    const pyexpr::Part which = part_of(part);
    const auto p = view<double, 1>(prediction, "prediction");
    const auto t = view<double, 1>(truth, "truth");
    const auto s = view<std::int64_t, 1>(slot, "slot");
    const WithoutGil release;
    rows.add_to_sums(which, p, t, s);
}

std::pair<Array<double>, std::array<double, 2>> sums(const py::object& self, int part,
                                                     std::size_t group) {
    auto& rows = constructed<RowSums>(self);
    const pyexpr::Part which = part_of(part);
    Array<double> found = new_array<double>(pyexpr::kSums, rows.n_clusters());
    auto out = view_of_new<2>(found);
    std::array<double, 2> centres{};
    {
        const WithoutGil release;
        centres = rows.write(which, group, out);
    }
    return {found, centres};
}

Array<double> constant(const py::object& self, std::size_t group) {
    auto& rows = constructed<RowSums>(self);
    Array<double> found = new_array<double>(4, rows.n_clusters());
    auto out = view_of_new<2>(found);
    {
        const WithoutGil release;
        rows.write_constant(group, out);
    }
    return found;
}

}  // namespace

void register_row_sums(py::module_& m) {
    py::class_<RowSums>(m, "RowSums")
        .def(py::init<std::size_t, std::size_t, bool>(), py::arg("n_groups"), py::arg("n_clusters"),
             py::arg("constant"))
        .def("add_to_means", &add_to_means, py::arg("prediction").noconvert(),
             py::arg("truth").noconvert(), py::arg("slot").noconvert())
        .def("add_to_sums", &add_to_sums, py::arg("part"), py::arg("prediction").noconvert(),
             py::arg("truth").noconvert(), py::arg("slot").noconvert())
        .def("sums", &sums, py::arg("part"), py::arg("group"))
        .def("constant", &constant, py::arg("group"));
}
