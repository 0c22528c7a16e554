#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "numpy_views.hpp"
#include "pyexpr/csv_reader.hpp"

namespace py = pybind11;
using pyexpr::CsvLayout;
using pyexpr::CsvReader;
using pyexpr::bindings::constructed;

namespace {

std::unique_ptr<CsvReader> make_reader(std::vector<std::vector<std::uint32_t>> tables,
                                       std::size_t n_columns, std::size_t skip_lines,
                                       std::size_t longest_line, std::size_t n_bytes) {
    return std::make_unique<CsvReader>(
        CsvLayout{n_columns, skip_lines, longest_line, n_bytes, std::move(tables)});
}

// One byte after the other; of others the length says nothing about where they are.
bool is_contiguous(const py::buffer_info& bytes) {
    py::ssize_t wanted = bytes.itemsize;
    for (auto axis = static_cast<std::size_t>(bytes.ndim); axis-- > 0;) {
        if (bytes.shape[axis] > 1 && bytes.strides[axis] != wanted) return false;
        wanted *= bytes.shape[axis];
    }
    return true;
}

// `text` keeps the bytes where they are, and nobody else writes to them meanwhile.
bool feed(const py::object& self, const py::buffer& text) {
    auto& reader = constructed<CsvReader>(self);
    const py::buffer_info bytes = text.request();
    if (bytes.size > 0 && !is_contiguous(bytes)) {
        throw std::invalid_argument("text must be bytes that follow one another in memory");
    }
    const auto* const begin = static_cast<const char*>(bytes.ptr);
    const auto length = static_cast<std::size_t>(bytes.size * bytes.itemsize);
    const py::gil_scoped_release release;
    return reader.feed(begin, length);
}

bool finish(const py::object& self) {
    auto& reader = constructed<CsvReader>(self);
    const py::gil_scoped_release release;
    return reader.finish();
}

// The memory goes over to the array, which has at least `room` rows.
py::array_t<double> take(const py::object& self, std::size_t table, std::size_t n_columns,
                         std::size_t room) {
    auto& reader = constructed<CsvReader>(self);
    if (n_columns != reader.n_columns(table)) {
        throw std::invalid_argument("the table has another number of columns");
    }
    pyexpr::Numbers numbers = reader.take(table, room);
    double* const memory = numbers.data();
    const py::capsule owner(memory, [](void* owned) { std::free(owned); });
    static_cast<void>(numbers.release());
    const std::size_t n_rows = std::max(reader.n_rows(), room);
    const std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(n_rows),
                                         static_cast<py::ssize_t>(n_columns)};
    return py::array_t<double>(shape, memory, owner);
}

py::object unread(const py::object& self) {
    const auto field = constructed<CsvReader>(self).unread();
    if (!field) return py::none();
    return py::make_tuple(field->table, field->column, field->row, py::bytes(field->text));
}

}  // namespace

void register_csv_reader(py::module_& m) {
    py::class_<CsvReader>(m, "CsvReader")
        .def(py::init(&make_reader), py::arg("tables"), py::arg("n_columns"), py::arg("skip_lines"),
             py::arg("longest_line"), py::arg("n_bytes"))
        .def("feed", &feed, py::arg("text"))
        .def("finish", &finish)
        .def("cut", [](const py::object& self) { return constructed<CsvReader>(self).cut(); })
        .def("overlong",
             [](const py::object& self) { return constructed<CsvReader>(self).overlong(); })
        .def("unread", &unread)
        .def("take", &take, py::arg("table"), py::arg("n_columns"), py::arg("room"));
}
