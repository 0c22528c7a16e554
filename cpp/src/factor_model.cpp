#include "pyexpr/factor_model.hpp"
