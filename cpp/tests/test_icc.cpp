#include <doctest/doctest.h>

TEST_SUITE_BEGIN("icc");
TEST_SUITE_END();
