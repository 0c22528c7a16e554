#include <doctest/doctest.h>

#include <vector>

#include "pyexpr/array_view.hpp"

TEST_SUITE_BEGIN("array_view");

TEST_CASE("indices run over the last axis fastest") {
    std::vector<int> values{0, 1, 2, 3, 4, 5};
    pyexpr::ArrayView<int, 2> view{values.data(), {2, 3}};
    CHECK(view.size() == 6);
    CHECK(view(0, 2) == 2);
    CHECK(view(1, 0) == 3);
    view(1, 2) = 7;
    CHECK(values[5] == 7);
}

TEST_SUITE_END();
