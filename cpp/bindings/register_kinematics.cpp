#include "numpy_views.hpp"
#include "pyexpr/kinematics.hpp"

void register_kinematics(pybind11::module_& m) { (void)m; }
