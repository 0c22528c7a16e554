#include <vector>

#include "numpy_views.hpp"
#include "pyexpr/sign_flip.hpp"

namespace {

namespace py = pybind11;
using pyexpr::bindings::Array;
using pyexpr::bindings::new_array;
using pyexpr::bindings::view;
using pyexpr::bindings::view_of_new;

Array<double> sign_flips(const Array<double>& a, const Array<double>& b,
                         const std::vector<int>& metrics, const Array<double>& centres,
                         const std::vector<std::size_t>& strata, bool all, std::uint64_t seed,
                         std::uint64_t stream, std::uint64_t first, std::size_t n,
                         std::size_t n_threads) {
    const auto of_a = view<double, 3>(a, "a");
    const auto of_b = view<double, 3>(b, "b");
    const auto centre = view<double, 2>(centres, "centres");
    if (centre.shape[0] != metrics.size() || centre.shape[1] != 2) {
        throw std::invalid_argument("centres must be (pairs, 2)");
    }
    std::vector<pyexpr::FlipPair> pairs(metrics.size());
    for (std::size_t q = 0; q < pairs.size(); ++q) {
        if (metrics[q] < 0 || metrics[q] > static_cast<int>(pyexpr::Metric::kF1)) {
            throw std::invalid_argument("no such metric");
        }
        pairs[q] = {static_cast<pyexpr::Metric>(metrics[q]), centre(q, 0U), centre(q, 1U)};
    }
    Array<double> statistics = new_array<double>(pairs.size(), n);
    auto out = view_of_new<2>(statistics);
    {
        // Works on the arrays' memory alone: other Python threads run meanwhile.
        const py::gil_scoped_release release;
        pyexpr::sign_flips(of_a, of_b, pairs, strata,
                           all ? pyexpr::Flips::kAll : pyexpr::Flips::kRandom, seed, stream, first,
                           out, n_threads);
    }
    return statistics;
}

}  // namespace

void register_sign_flip(py::module_& m) {
    m.def("sign_flips", &sign_flips, py::arg("a").noconvert(), py::arg("b").noconvert(),
          py::arg("metrics"), py::arg("centres").noconvert(), py::arg("strata"), py::arg("all"),
          py::arg("seed"), py::arg("stream"), py::arg("first"), py::arg("n"), py::arg("n_threads"));
}
