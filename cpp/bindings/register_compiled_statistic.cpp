#include <utility>
#include <vector>

#include "numpy_views.hpp"
#include "pyexpr/compiled_statistic.hpp"

namespace {

namespace py = pybind11;
using pyexpr::bindings::Array;
using pyexpr::bindings::mutable_view;
using pyexpr::bindings::view;

// Addresses of functions, as Python holds them, with the number of values of each.
using Functions = std::vector<std::pair<std::uintptr_t, std::size_t>>;

std::vector<pyexpr::CompiledStatistic> statistics_of(const Functions& functions) {
    std::vector<pyexpr::CompiledStatistic> statistics;
    for (const auto& [address, n_values] : functions) {
        if (address == 0) throw std::invalid_argument("a statistic has no function");
        statistics.push_back({reinterpret_cast<pyexpr::StatisticFunction>(address), n_values});
    }
    return statistics;
}

pyexpr::ClusteredRows rows_of(const Array<double>& rows, const Array<std::int64_t>& cluster,
                              std::vector<std::size_t> strata) {
    return {view<double, 2>(rows, "rows"), view<std::int64_t, 1>(cluster, "cluster"),
            std::move(strata)};
}

// The statistics are compiled and touch no Python object: neither they nor the kernel
// need the lock.
using WithoutGil = py::gil_scoped_release;

void replicates(const Functions& functions, const Array<double>& rows,
                const Array<std::int64_t>& cluster, std::vector<std::size_t> strata,
                std::uint64_t seed, std::uint64_t stream, std::uint64_t first, Array<double> values,
                Array<std::uint8_t> failed, std::size_t n_threads) {
    const auto statistics = statistics_of(functions);
    const auto data = rows_of(rows, cluster, std::move(strata));
    auto to = mutable_view<double, 2>(values, "values");
    auto marks = mutable_view<std::uint8_t, 2>(failed, "failed");
    const WithoutGil release;
    pyexpr::statistic_replicates(statistics, data, seed, stream, first, to, marks, n_threads);
}

void leave_one_out(const Functions& functions, const Array<double>& rows,
                   const Array<std::int64_t>& cluster, std::vector<std::size_t> strata,
                   Array<double> values, Array<std::uint8_t> failed, std::size_t n_threads) {
    const auto statistics = statistics_of(functions);
    const auto data = rows_of(rows, cluster, std::move(strata));
    auto to = mutable_view<double, 2>(values, "values");
    auto marks = mutable_view<std::uint8_t, 2>(failed, "failed");
    const WithoutGil release;
    pyexpr::statistic_leave_one_out(statistics, data, to, marks, n_threads);
}

}  // namespace

void register_compiled_statistic(py::module_& m) {
    m.def("statistic_replicates", &replicates, py::arg("functions"), py::arg("rows").noconvert(),
          py::arg("cluster").noconvert(), py::arg("strata"), py::arg("seed"), py::arg("stream"),
          py::arg("first"), py::arg("values").noconvert(), py::arg("failed").noconvert(),
          py::arg("n_threads"));
    m.def("statistic_leave_one_out", &leave_one_out, py::arg("functions"),
          py::arg("rows").noconvert(), py::arg("cluster").noconvert(), py::arg("strata"),
          py::arg("values").noconvert(), py::arg("failed").noconvert(), py::arg("n_threads"));
}
