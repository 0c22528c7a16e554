#include <doctest/doctest.h>

#include <stdexcept>
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

TEST_CASE("a row begins behind those before it, also where there are no values") {
    std::vector<int> values{0, 1, 2, 3, 4, 5};
    pyexpr::ArrayView<int, 2> view{values.data(), {2, 3}};
    CHECK(view.row(1) == values.data() + 3);
    pyexpr::ArrayView<int, 3> deep{values.data(), {1, 2, 3}};
    CHECK(deep.row(0, 1) == values.data() + 3);
    pyexpr::ArrayView<int, 2> empty{values.data(), {2, 0}};
    CHECK(empty.row(1) == values.data());
}

#if defined(PYEXPR_CHECK_BOUNDS)
TEST_CASE("an index outside is found in a build that checks") {
    std::vector<int> values{0, 1, 2, 3, 4, 5};
    pyexpr::ArrayView<int, 2> view{values.data(), {2, 3}};
    CHECK_THROWS_AS(static_cast<void>(view(2, 0)), std::out_of_range);
    CHECK_THROWS_AS(static_cast<void>(view(0, 3)), std::out_of_range);
    CHECK_THROWS_AS(static_cast<void>(view(0, -1)), std::out_of_range);
    CHECK_THROWS_AS(static_cast<void>(view.row(2)), std::out_of_range);
}
#endif

TEST_SUITE_END();
