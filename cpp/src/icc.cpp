#include "pyexpr/icc.hpp"
