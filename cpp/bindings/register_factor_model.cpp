#include "numpy_views.hpp"
#include "pyexpr/factor_model.hpp"

namespace {

using namespace pyexpr::bindings;

py::tuple moments(const Array<double>& x) {
    const auto rows = view<double, 2>(x, "x");
    const std::size_t p = rows.shape[1];
    Array<double> mean = new_array<double>(p);
    Array<double> covariance = new_array<double>(p, p);
    const auto mean_view = view_of_new<1>(mean);
    const auto covariance_view = view_of_new<2>(covariance);
    {
        // Plain memory from here: other Python threads may run.
        py::gil_scoped_release unlocked;
        pyexpr::factor_moments(rows, mean_view, covariance_view);
    }
    return py::make_tuple(mean, covariance);
}

py::tuple fit(const Array<double>& covariance, std::size_t n_rows) {
    const auto s = view<double, 2>(covariance, "covariance");
    const std::size_t q = pyexpr::checked_product(2, s.shape[0]);
    Array<double> parameters = new_array<double>(q);
    Array<double> vcov = new_array<double>(q, q);
    const auto parameters_view = view_of_new<1>(parameters);
    const auto vcov_view = view_of_new<2>(vcov);
    pyexpr::FactorFit result;
    {
        // Plain memory from here: other Python threads may run.
        py::gil_scoped_release unlocked;
        result = pyexpr::fit_factor(s, parameters_view);
        pyexpr::factor_information_inverse({parameters_view.data, parameters_view.shape}, n_rows,
                                           vcov_view);
    }
    return py::make_tuple(static_cast<int>(result.status), parameters, vcov, result.discrepancy,
                          result.iterations);
}

py::tuple fit_sums(const Array<double>& sums, std::size_t p, std::size_t n_threads) {
    const auto sums_view = view<double, 2>(sums, "sums");
    const std::size_t n = sums_view.shape[0];
    Array<double> parameters = new_array<double>(n, pyexpr::checked_product(2, p));
    Array<int> status = new_array<int>(n);
    const auto parameters_view = view_of_new<2>(parameters);
    const auto status_view = view_of_new<1>(status);
    {
        // Plain memory from here: other Python threads may run.
        py::gil_scoped_release unlocked;
        pyexpr::fit_factor_sums(sums_view, p, parameters_view, status_view, n_threads);
    }
    return py::make_tuple(parameters, status);
}

py::tuple fit_resampled(const Array<double>& sums, const Array<double>& counts, std::size_t p,
                        std::size_t n_threads) {
    const auto sums_view = view<double, 2>(sums, "sums");
    const auto counts_view = view<double, 2>(counts, "counts");
    const std::size_t n = counts_view.shape[0];
    Array<double> parameters = new_array<double>(n, pyexpr::checked_product(2, p));
    Array<int> status = new_array<int>(n);
    const auto parameters_view = view_of_new<2>(parameters);
    const auto status_view = view_of_new<1>(status);
    {
        // Plain memory from here: other Python threads may run.
        py::gil_scoped_release unlocked;
        pyexpr::fit_factor_resampled(sums_view, counts_view, p, parameters_view, status_view,
                                     n_threads);
    }
    return py::make_tuple(parameters, status);
}

}  // namespace

void register_factor_model(pybind11::module_& m) {
    m.def("factor_moments", &moments, py::arg("x").noconvert());
    m.def("fit_factor", &fit, py::arg("covariance").noconvert(), py::arg("n_rows"));
    m.def("fit_factor_sums", &fit_sums, py::arg("sums").noconvert(), py::arg("p"),
          py::arg("n_threads"));
    m.def("fit_factor_resampled", &fit_resampled, py::arg("sums").noconvert(),
          py::arg("counts").noconvert(), py::arg("p"), py::arg("n_threads"));
}
