#include <doctest/doctest.h>

TEST_SUITE_BEGIN("factor_model");
TEST_SUITE_END();
