#include "numpy_views.hpp"
#include "pyexpr/elastic_net.hpp"

namespace {

namespace py = pybind11;
using pyexpr::bindings::Array;
using pyexpr::bindings::mutable_view;
using pyexpr::bindings::new_array;
using pyexpr::bindings::view;
using pyexpr::bindings::view_of_new;

Array<double> cross_products(const Array<double>& x, const Array<double>& y,
                             const Array<std::int64_t>& cluster, std::size_t n_clusters,
                             const Array<double>& centre, const Array<double>& spread) {
    const auto rows = view<double, 2>(x, "x");
    const auto label = view<double, 1>(y, "y");
    const auto codes = view<std::int64_t, 1>(cluster, "cluster");
    const auto middle = view<double, 1>(centre, "centre");
    const auto width = view<double, 1>(spread, "spread");
    Array<double> sums = new_array<double>(n_clusters, pyexpr::cross_product_length(rows.shape[1]));
    const auto out = view_of_new<2>(sums);
    // Other Python threads run meanwhile: the kernel touches no Python object.
    const py::gil_scoped_release unlocked;
    pyexpr::cross_products(rows, label, codes, middle, width, out);
    return sums;
}

py::tuple fits(const Array<double>& sums, const Array<std::int64_t>& counts,
               const Array<double>& alphas, const Array<double>& l1_ratios,
               const Array<double>& start, double tolerance, std::size_t max_sweeps,
               std::size_t n_threads) {
    const auto own = view<double, 2>(sums, "sums");
    const auto drawn = view<std::int64_t, 2>(counts, "counts");
    const auto sizes = view<double, 1>(alphas, "alphas");
    const auto shares = view<double, 1>(l1_ratios, "l1_ratios");
    const auto first = view<double, 1>(start, "start");
    const std::size_t n = drawn.shape[0];
    const std::size_t p = first.shape[0];
    Array<double> coef = new_array<double>(n, sizes.shape[0], shares.shape[0], p);
    Array<double> intercept = new_array<double>(n);
    Array<double> mean = new_array<double>(n, p);
    Array<double> scale = new_array<double>(n, p);
    Array<double> gap = new_array<double>(n, sizes.shape[0], shares.shape[0]);
    const pyexpr::ElasticNetFits out{view_of_new<4>(coef), view_of_new<1>(intercept),
                                     view_of_new<2>(mean), view_of_new<2>(scale),
                                     view_of_new<3>(gap)};
    {
        // Other Python threads run meanwhile: the kernel touches no Python object.
        const py::gil_scoped_release unlocked;
        pyexpr::elastic_net_fits(own, drawn, sizes, shares, first,
                                 {tolerance, max_sweeps, n_threads}, out);
    }
    return py::make_tuple(coef, intercept, mean, scale, gap);
}

py::tuple squared_errors(const Array<double>& sums, const Array<std::int64_t>& counts,
                         Array<double> coef, Array<double> intercept, Array<double> mean,
                         Array<double> scale, std::size_t n_threads) {
    const auto own = view<double, 2>(sums, "sums");
    const auto drawn = view<std::int64_t, 2>(counts, "counts");
    const pyexpr::ElasticNetFits in{mutable_view<double, 4>(coef, "coef"),
                                    mutable_view<double, 1>(intercept, "intercept"),
                                    mutable_view<double, 2>(mean, "mean"),
                                    mutable_view<double, 2>(scale, "scale"),
                                    {}};
    Array<double> errors = new_array<double>(drawn.shape[0], in.coef.shape[1], in.coef.shape[2]);
    Array<double> n_rows = new_array<double>(drawn.shape[0]);
    const auto out = view_of_new<3>(errors);
    const auto rows = view_of_new<1>(n_rows);
    {
        // Other Python threads run meanwhile: the kernel touches no Python object.
        const py::gil_scoped_release unlocked;
        pyexpr::elastic_net_squared_errors(own, drawn, in, n_threads, out, rows);
    }
    return py::make_tuple(errors, n_rows);
}

}  // namespace

void register_elastic_net(py::module_& m) {
    m.def("elastic_net_cross_products", &cross_products, py::arg("x").noconvert(),
          py::arg("y").noconvert(), py::arg("cluster").noconvert(), py::arg("n_clusters"),
          py::arg("centre").noconvert(), py::arg("spread").noconvert());
    m.def("elastic_net_fits", &fits, py::arg("sums").noconvert(), py::arg("counts").noconvert(),
          py::arg("alphas").noconvert(), py::arg("l1_ratios").noconvert(),
          py::arg("start").noconvert(), py::arg("tolerance"), py::arg("max_sweeps"),
          py::arg("n_threads"));
    m.def("elastic_net_squared_errors", &squared_errors, py::arg("sums").noconvert(),
          py::arg("counts").noconvert(), py::arg("coef").noconvert(),
          py::arg("intercept").noconvert(), py::arg("mean").noconvert(),
          py::arg("scale").noconvert(), py::arg("n_threads"));
}
