#include "numpy_views.hpp"
#include "pyexpr/icc.hpp"

namespace {

namespace icc = pyexpr::icc;
namespace py = pybind11;
using pyexpr::bindings::Array;
using pyexpr::bindings::new_array;
using pyexpr::bindings::view;
using pyexpr::bindings::view_of_new;

py::tuple one_way_tuple(const icc::OneWay& one) {
    Array<double> sizes = new_array<double>(one.sizes.size(), 4);
    double* out = sizes.mutable_data();
    for (const icc::SizeClass& c : one.sizes) {
        *out++ = c.size;
        *out++ = c.count;
        *out++ = c.mean;
        *out++ = c.sum_squares;
    }
    return py::make_tuple(one.n_targets, one.n_ratings, one.n_single, one.n0, one.n_harmonic,
                          one.ms_between, one.ms_within, one.signal, sizes);
}

py::object two_way_tuple(const icc::MatrixSquares& squares) {
    if (!squares.complete) return py::none();
    const icc::TwoWay& two = squares.two_way;
    return py::make_tuple(two.n_targets, two.n_raters, two.ms_targets, two.ms_raters, two.ms_error,
                          two.signal_agreement, two.signal_consistency);
}

py::tuple matrix_squares(const Array<double>& values) {
    const auto matrix = view<double, 2>(values, "values");
    icc::MatrixSquares squares;
    {
        // The kernel touches no Python object, so other threads may run meanwhile.
        const py::gil_scoped_release release;
        squares = icc::matrix_squares(matrix);
    }
    return py::make_tuple(one_way_tuple(squares.one_way), two_way_tuple(squares));
}

py::tuple long_squares(const Array<double>& values, const Array<std::int64_t>& targets,
                       std::size_t n_targets) {
    const auto x = view<double, 1>(values, "values");
    const auto t = view<std::int64_t, 1>(targets, "targets");
    icc::OneWay squares;
    {
        // As above.
        const py::gil_scoped_release release;
        squares = icc::long_squares(x, t, n_targets);
    }
    return one_way_tuple(squares);
}

py::tuple fill_cells(const Array<double>& values, const Array<std::int64_t>& targets,
                     const Array<std::int64_t>& raters, std::size_t n_targets,
                     std::size_t n_raters) {
    const auto x = view<double, 1>(values, "values");
    const auto t = view<std::int64_t, 1>(targets, "targets");
    const auto r = view<std::int64_t, 1>(raters, "raters");
    Array<double> cells = new_array<double>(n_targets, n_raters);
    const auto out = view_of_new<2>(cells);
    std::size_t doubled = 0;
    {
        // As above; `cells` is not yet known to any other thread.
        const py::gil_scoped_release release;
        doubled = icc::fill_cells(x, t, r, out);
    }
    return py::make_tuple(cells, doubled);
}

double wald_limit(const Array<double>& sizes, double ms_within, double quantile) {
    return icc::wald_limit(view<double, 2>(sizes, "sizes"), ms_within, quantile);
}

}  // namespace

void register_icc(py::module_& m) {
    m.def("icc_matrix_squares", &matrix_squares, py::arg("values").noconvert());
    m.def("icc_long_squares", &long_squares, py::arg("values").noconvert(),
          py::arg("targets").noconvert(), py::arg("n_targets"));
    m.def("icc_fill_cells", &fill_cells, py::arg("values").noconvert(),
          py::arg("targets").noconvert(), py::arg("raters").noconvert(), py::arg("n_targets"),
          py::arg("n_raters"));
    m.def("icc_wald_limit", &wald_limit, py::arg("sizes").noconvert(), py::arg("ms_within"),
          py::arg("quantile"));
}
