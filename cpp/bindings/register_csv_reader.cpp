#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if defined(_WIN32)
#include <io.h>
#else
#include <unistd.h>
#endif

#include "numpy_views.hpp"
#include "pyexpr/csv_reader.hpp"
#include "pyexpr/sha256.hpp"

namespace py = pybind11;
using pyexpr::CsvLayout;
using pyexpr::CsvReader;
using pyexpr::Sha256;
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

// The buffer keeps the bytes where they are, and nobody else writes to them meanwhile.
std::string_view bytes_of(const py::buffer_info& bytes) {
    if (bytes.size > 0 && !is_contiguous(bytes)) {
        throw std::invalid_argument("text must be bytes that follow one another in memory");
    }
    return {static_cast<const char*>(bytes.ptr),
            static_cast<std::size_t>(bytes.size * bytes.itemsize)};
}

bool feed(const py::object& self, const py::buffer& text) {
    auto& reader = constructed<CsvReader>(self);
    const py::buffer_info buffer = text.request();
    const std::string_view bytes = bytes_of(buffer);
    const py::gil_scoped_release release;
    return reader.feed(bytes.data(), bytes.size());
}

// A piece stays in the cache of the processor from where it is copied to where it is parsed.
constexpr std::size_t kPiece = std::size_t{1} << 17;

// Bytes that were read, 0 at the end of the file; -1 with errno.
std::int64_t read_piece(int descriptor, std::vector<char>& piece) {
#if defined(_WIN32)
    return _read(descriptor, piece.data(), static_cast<unsigned int>(piece.size()));
#else
    ssize_t n = 0;
    do {
        n = read(descriptor, piece.data(), piece.size());
    } while (n < 0 && errno == EINTR);
    return n;
#endif
}

// Reads, hashes and parses the next bytes of an open file, at least `least` of them where there
// are so many: with Python's lock let go of once, other threads compute meanwhile. Returns whether
// all lines were short enough, and how many bytes were read.
std::pair<bool, std::uint64_t> feed_file(const py::object& self, int descriptor,
                                         const py::object& digest, std::uint64_t least) {
    auto& reader = constructed<CsvReader>(self);
    auto& hash = constructed<Sha256>(digest);
    std::uint64_t done = 0;
    bool short_enough = true;
    std::int64_t n = 1;
    {
        const py::gil_scoped_release release;
        std::vector<char> piece(kPiece);
        while (short_enough && done < least && (n = read_piece(descriptor, piece)) > 0) {
            short_enough = reader.feed(piece.data(), static_cast<std::size_t>(n), &hash);
            done += static_cast<std::uint64_t>(n);
        }
    }
    if (n < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        throw py::error_already_set();
    }
    return {short_enough, done};
}

void update(const py::object& self, const py::buffer& text) {
    auto& hash = constructed<Sha256>(self);
    const py::buffer_info buffer = text.request();
    const std::string_view bytes = bytes_of(buffer);
    const py::gil_scoped_release release;
    hash.add(bytes.data(), bytes.size());
}

std::string hexdigest(const py::object& self) {
    static const char* const digits = "0123456789abcdef";
    std::string found;
    for (const std::uint8_t byte : constructed<Sha256>(self).digest()) {
        found += {digits[byte >> 4], digits[byte & 15]};
    }
    return found;
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
    m.def("has_sha256_instructions", &pyexpr::has_sha256_instructions);
    py::class_<Sha256>(m, "Sha256")
        .def(py::init<bool>(), py::arg("instructions"))
        .def("update", &update, py::arg("text"))
        .def("hexdigest", &hexdigest);
    py::class_<CsvReader>(m, "CsvReader")
        .def(py::init(&make_reader), py::arg("tables"), py::arg("n_columns"), py::arg("skip_lines"),
             py::arg("longest_line"), py::arg("n_bytes"))
        .def("feed", &feed, py::arg("text"))
        .def("feed_file", &feed_file, py::arg("descriptor"), py::arg("digest"), py::arg("least"))
        .def("finish", &finish)
        .def("cut", [](const py::object& self) { return constructed<CsvReader>(self).cut(); })
        .def("overlong",
             [](const py::object& self) { return constructed<CsvReader>(self).overlong(); })
        .def("unread", &unread)
        .def("take", &take, py::arg("table"), py::arg("n_columns"), py::arg("room"));
}
