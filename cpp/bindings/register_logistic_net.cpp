#include "numpy_views.hpp"
#include "pyexpr/logistic_net.hpp"

namespace {

namespace py = pybind11;
using pyexpr::bindings::Array;
using pyexpr::bindings::new_array;
using pyexpr::bindings::view;
using pyexpr::bindings::view_of_new;

py::tuple fits(const Array<double>& z, const Array<std::int64_t>& label, std::size_t n_classes,
               const Array<double>& alphas, const Array<double>& l1_ratios, double tolerance,
               std::size_t max_steps, std::size_t n_threads) {
    const auto rows = view<double, 2>(z, "z");
    const auto codes = view<std::int64_t, 1>(label, "label");
    const auto sizes = view<double, 1>(alphas, "alphas");
    const auto shares = view<double, 1>(l1_ratios, "l1_ratios");
    const std::size_t vectors = pyexpr::logistic_vectors(n_classes);
    if (n_classes > rows.shape[0]) throw std::invalid_argument("a class has no row");
    Array<double> coef = new_array<double>(sizes.shape[0], shares.shape[0], vectors, rows.shape[1]);
    Array<double> intercept = new_array<double>(sizes.shape[0], shares.shape[0], vectors);
    Array<double> breach = new_array<double>(sizes.shape[0], shares.shape[0]);
    const pyexpr::LogisticNetFits out{view_of_new<4>(coef), view_of_new<3>(intercept),
                                      view_of_new<2>(breach)};
    {
        // Other Python threads run meanwhile: the kernel touches no Python object.
        const py::gil_scoped_release unlocked;
        pyexpr::logistic_net_fits(rows, codes, n_classes, sizes, shares,
                                  {tolerance, max_steps, n_threads}, out);
    }
    return py::make_tuple(coef, intercept, breach);
}

}  // namespace

void register_logistic_net(py::module_& m) {
    m.def("logistic_net_fits", &fits, py::arg("z").noconvert(), py::arg("label").noconvert(),
          py::arg("n_classes"), py::arg("alphas").noconvert(), py::arg("l1_ratios").noconvert(),
          py::arg("tolerance"), py::arg("max_steps"), py::arg("n_threads"));
}
