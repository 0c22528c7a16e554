#include "pyexpr/kinematics.hpp"
