// Non-owning views of C-contiguous arrays: how data reaches a kernel.
#pragma once

#include <array>
#include <cstddef>
#if defined(PYEXPR_CHECK_BOUNDS)
#include <stdexcept>
#endif

namespace pyexpr {

// N-dimensional, row-major, no ownership. The caller keeps the memory alive.
template <typename T, std::size_t N>
struct ArrayView {
    T* data = nullptr;
    std::array<std::size_t, N> shape{};

    [[nodiscard]] std::size_t size() const noexcept {
        std::size_t n = 1;
        for (std::size_t extent : shape) n *= extent;
        return n;
    }

    // Every index is checked in a build with PYEXPR_CHECK_BOUNDS, and in no other.
    template <typename... Index>
    [[nodiscard]] T& operator()(Index... index) const noexcept(!kChecked) {
        static_assert(sizeof...(Index) == N, "one index per dimension");
        return data[offset_of(index...)];
    }

    // Where the values with these leading indices begin; there may be none.
    template <typename... Index>
    [[nodiscard]] T* row(Index... index) const noexcept(!kChecked) {
        static_assert(sizeof...(Index) < N, "fewer indices than dimensions");
        std::size_t offset = offset_of(index...);
        for (std::size_t axis = sizeof...(Index); axis < N; ++axis) offset *= shape[axis];
        return data + offset;
    }

  private:
#if defined(PYEXPR_CHECK_BOUNDS)
    static constexpr bool kChecked = true;
#else
    static constexpr bool kChecked = false;
#endif

    template <typename... Index>
    [[nodiscard]] std::size_t offset_of(Index... index) const noexcept(!kChecked) {
        std::size_t offset = 0;
        std::size_t axis = 0;
        ((offset = step(offset, axis++, static_cast<std::size_t>(index))), ...);
        return offset;
    }

    [[nodiscard]] std::size_t step(std::size_t offset, std::size_t axis, std::size_t index) const
        noexcept(!kChecked) {
#if defined(PYEXPR_CHECK_BOUNDS)
        if (index >= shape[axis]) throw std::out_of_range("an index lies outside its array");
#endif
        return offset * shape[axis] + index;
    }
};

}  // namespace pyexpr
