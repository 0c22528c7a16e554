#include "numpy_views.hpp"
#include "pyexpr/cluster_bootstrap.hpp"

void register_cluster_bootstrap(pybind11::module_& m) { (void)m; }
