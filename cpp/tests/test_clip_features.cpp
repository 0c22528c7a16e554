#include <doctest/doctest.h>

TEST_SUITE_BEGIN("clip_features");
TEST_SUITE_END();
