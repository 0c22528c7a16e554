#include "numpy_views.hpp"
#include "pyexpr/factor_model.hpp"

void register_factor_model(pybind11::module_& m) { (void)m; }
