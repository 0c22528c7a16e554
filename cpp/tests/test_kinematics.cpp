#include <doctest/doctest.h>

TEST_SUITE_BEGIN("kinematics");
TEST_SUITE_END();
