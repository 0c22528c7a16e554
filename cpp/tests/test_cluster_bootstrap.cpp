#include <doctest/doctest.h>

TEST_SUITE_BEGIN("cluster_bootstrap");
TEST_SUITE_END();
