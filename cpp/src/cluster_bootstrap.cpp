#include "pyexpr/cluster_bootstrap.hpp"
