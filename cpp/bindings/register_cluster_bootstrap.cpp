#include <array>
#include <utility>
#include <vector>

#include "numpy_views.hpp"
#include "pyexpr/cluster_bootstrap.hpp"

namespace {

namespace py = pybind11;
using pyexpr::bindings::Array;
using pyexpr::bindings::constructed;
using pyexpr::bindings::mutable_view;
using pyexpr::bindings::new_array;
using pyexpr::bindings::view;
using pyexpr::bindings::view_of_new;

// Every kernel below works on memory that the arguments keep alive and touches no
// Python object: other Python threads run meanwhile.
using WithoutGil = py::gil_scoped_release;

pyexpr::MetricDesign make_design(
    const Array<double>& sums, const Array<std::int64_t>& column_sums, const Array<double>& centres,
    const Array<double>& least,
    const std::vector<std::tuple<int, double, std::vector<std::size_t>, bool, std::size_t>>& levels,
    const Array<std::int64_t>& quantities, std::vector<std::size_t> strata,
    const std::vector<std::array<Array<std::int64_t>, 3>>& ranked,
    const std::vector<std::ptrdiff_t>& column_ranks) {
    const auto index = view<std::int64_t, 2>(column_sums, "column_sums");
    const auto centre = view<double, 2>(centres, "centres");
    const auto rounding = view<double, 2>(least, "least");
    const auto terms = view<std::int64_t, 2>(quantities, "quantities");
    if (index.shape[1] != pyexpr::kSums || centre.shape[0] != index.shape[0] ||
        centre.shape[1] != 2 || rounding.shape != centre.shape || terms.shape[1] != 3 ||
        column_ranks.size() != index.shape[0]) {
        throw std::invalid_argument(
            "column_sums (C, 9), centres (C, 2), least (C, 2), quantities (Q, 3)");
    }
    std::vector<pyexpr::Column> columns(index.shape[0]);
    for (std::size_t c = 0; c < columns.size(); ++c) {
        for (std::size_t k = 0; k < pyexpr::kSums; ++k) {
            columns[c].sum[k] = static_cast<std::size_t>(index(c, k));
        }
        columns[c].centre_p = centre(c, 0U);
        columns[c].centre_t = centre(c, 1U);
        columns[c].least_p = rounding(c, 0U);
        columns[c].least_t = rounding(c, 1U);
        columns[c].ranked = column_ranks[c];
    }
    std::vector<pyexpr::Level> levels_(levels.size());
    for (std::size_t l = 0; l < levels.size(); ++l) {
        const auto& [metric, divisor, members, logarithm, folds] = levels[l];
        if (metric < 0 || metric > static_cast<int>(pyexpr::Metric::kSpearman)) {
            throw std::invalid_argument("no such metric");
        }
        levels_[l] = {static_cast<pyexpr::Metric>(metric), divisor, members, logarithm, folds};
    }
    std::vector<pyexpr::Quantity> quantities_(terms.shape[0]);
    for (std::size_t q = 0; q < quantities_.size(); ++q) {
        const std::int64_t scale = terms(q, 2U);
        if (scale < 0 || scale > static_cast<int>(pyexpr::Scale::kNegativeRootComplement)) {
            throw std::invalid_argument("no such scale");
        }
        quantities_[q] = {static_cast<std::size_t>(terms(q, 0U)),
                          static_cast<std::ptrdiff_t>(terms(q, 1U)),
                          static_cast<pyexpr::Scale>(scale)};
    }
    const auto all = view<double, 2>(sums, "sums");
    std::vector<pyexpr::RankedRows> rows;
    rows.reserve(ranked.size());
    for (const auto& [cluster, prediction, truth] : ranked) {
        rows.emplace_back(view<std::int64_t, 1>(cluster, "cluster"),
                          view<std::int64_t, 1>(prediction, "prediction"),
                          view<std::int64_t, 1>(truth, "truth"), all.shape[1]);
    }
    return {all,
            std::move(columns),
            std::move(levels_),
            std::move(quantities_),
            std::move(strata),
            std::move(rows)};
}

std::pair<Array<double>, std::array<double, 2>> cluster_sums(const Array<double>& prediction,
                                                             const Array<double>& truth,
                                                             const Array<std::int64_t>& cluster,
                                                             std::size_t n_clusters, int part) {
    if (part < 0 || part > 2) throw std::invalid_argument("part must be 0, 1 or 2");
    const auto p = view<double, 1>(prediction, "prediction");
    const auto t = view<double, 1>(truth, "truth");
    const auto g = view<std::int64_t, 1>(cluster, "cluster");
    Array<double> sums = new_array<double>(pyexpr::kSums, n_clusters);
    auto out = view_of_new<2>(sums);
    std::array<double, 2> centres{};
    {
        const WithoutGil release;
        centres = pyexpr::cluster_sums(p, t, g, static_cast<pyexpr::Part>(part), out);
    }
    return {sums, centres};
}

Array<std::int32_t> draw_counts(const std::vector<std::size_t>& strata, std::uint64_t seed,
                                std::uint64_t stream, std::uint64_t first, std::size_t n) {
    pyexpr::check_replicates(first, n);
    Array<std::int32_t> counts = new_array<std::int32_t>(n, pyexpr::checked_total(strata));
    auto out = view_of_new<2>(counts);
    {
        const WithoutGil release;
        pyexpr::draw_counts(strata, seed, stream, first, out);
    }
    return counts;
}

// Fills rows of an array the caller made, so that several designs share one.
template <auto Method>
void fill(const py::object& self, std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
          std::size_t n, const std::vector<std::size_t>& rows, std::size_t offset,
          Array<double> out, std::size_t n_threads) {
    const auto& design = constructed<pyexpr::MetricDesign>(self);
    auto to = mutable_view<double, 2>(out, "out");
    const WithoutGil release;
    (design.*Method)(seed, stream, first, n, rows, offset, to, n_threads);
}

std::pair<Array<std::int64_t>, Array<double>> summarise(const Array<double>& values,
                                                        const Array<double>& estimate,
                                                        const Array<double>& null,
                                                        std::size_t n_threads) {
    const auto x = view<double, 2>(values, "values");
    const auto at = view<double, 1>(estimate, "estimate");
    const auto against = view<double, 1>(null, "null");
    std::vector<pyexpr::ReplicateSummary> rows;
    {
        const WithoutGil release;
        rows = pyexpr::summarise(x, at, against, n_threads);
    }
    Array<std::int64_t> counts = new_array<std::int64_t>(4, rows.size());
    Array<double> moments = new_array<double>(2, rows.size());
    auto count = view_of_new<2>(counts);
    auto moment = view_of_new<2>(moments);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        count(0U, i) = static_cast<std::int64_t>(rows[i].n_defined);
        count(1U, i) = static_cast<std::int64_t>(rows[i].n_below_estimate);
        count(2U, i) = static_cast<std::int64_t>(rows[i].n_at_most_null);
        count(3U, i) = static_cast<std::int64_t>(rows[i].n_at_least_null);
        moment(0U, i) = rows[i].mean;
        moment(1U, i) = rows[i].sd;
    }
    return {counts, moments};
}

Array<double> order_statistics(const Array<double>& values, const Array<std::int64_t>& ranks,
                               std::size_t n_threads) {
    const auto x = view<double, 2>(values, "values");
    const auto wanted = view<std::int64_t, 2>(ranks, "ranks");
    Array<double> chosen = new_array<double>(wanted.shape[0], wanted.shape[1]);
    auto out = view_of_new<2>(chosen);
    {
        const WithoutGil release;
        pyexpr::order_statistics(x, wanted, out, n_threads);
    }
    return chosen;
}

}  // namespace

void register_cluster_bootstrap(py::module_& m) {
    using pyexpr::MetricDesign;
    m.def("cluster_sums", &cluster_sums, py::arg("prediction").noconvert(),
          py::arg("truth").noconvert(), py::arg("cluster").noconvert(), py::arg("n_clusters"),
          py::arg("part"));
    m.def("draw_counts", &draw_counts, py::arg("strata"), py::arg("seed"), py::arg("stream"),
          py::arg("first"), py::arg("n"));
    m.def("summarise", &summarise, py::arg("values").noconvert(), py::arg("estimate").noconvert(),
          py::arg("null").noconvert(), py::arg("n_threads"));
    m.def("order_statistics", &order_statistics, py::arg("values").noconvert(),
          py::arg("ranks").noconvert(), py::arg("n_threads"));
    py::class_<MetricDesign>(m, "MetricDesign")
        .def(py::init(&make_design), py::arg("sums").noconvert(),
             py::arg("column_sums").noconvert(), py::arg("centres").noconvert(),
             py::arg("least").noconvert(), py::arg("levels"), py::arg("quantities").noconvert(),
             py::arg("strata"), py::arg("ranked"), py::arg("column_ranks"))
        .def("alone",
             [](const py::object& self) {
                 const auto& design = constructed<MetricDesign>(self);
                 Array<double> out = new_array<double>(design.n_quantities(), design.n_clusters());
                 auto to = view_of_new<2>(out);
                 {
                     const WithoutGil release;
                     design.alone(to);
                 }
                 return out;
             })
        .def("estimate",
             [](const py::object& self) {
                 const auto& design = constructed<MetricDesign>(self);
                 Array<double> out = new_array<double>(design.n_quantities());
                 design.estimate(view_of_new<1>(out));
                 return out;
             })
        .def("jackknife",
             [](const py::object& self) {
                 const auto& design = constructed<MetricDesign>(self);
                 Array<double> out = new_array<double>(design.n_quantities(), design.n_clusters());
                 auto to = view_of_new<2>(out);
                 {
                     const WithoutGil release;
                     design.jackknife(to);
                 }
                 return out;
             })
        .def(
            "weighted",
            [](const py::object& self, const Array<double>& counts, std::size_t n_threads) {
                const auto& design = constructed<MetricDesign>(self);
                const auto often = view<double, 2>(counts, "counts");
                Array<double> out = new_array<double>(design.n_quantities(), often.shape[0]);
                auto to = view_of_new<2>(out);
                {
                    const WithoutGil release;
                    design.weighted(often, to, n_threads);
                }
                return out;
            },
            py::arg("counts").noconvert(), py::arg("n_threads"))
        .def("replicates", &fill<&MetricDesign::replicates>, py::arg("seed"), py::arg("stream"),
             py::arg("first"), py::arg("n"), py::arg("rows"), py::arg("offset"),
             py::arg("out").noconvert(), py::arg("n_threads"))
        .def("standard_errors", &fill<&MetricDesign::standard_errors>, py::arg("seed"),
             py::arg("stream"), py::arg("first"), py::arg("n"), py::arg("rows"), py::arg("offset"),
             py::arg("out").noconvert(), py::arg("n_threads"));
}
