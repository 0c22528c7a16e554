// Non-owning views of C-contiguous arrays: how data reaches a kernel.
#pragma once

#include <array>
#include <cstddef>

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

    template <typename... Index>
    [[nodiscard]] T& operator()(Index... index) const noexcept {
        static_assert(sizeof...(Index) == N, "one index per dimension");
        std::size_t offset = 0;
        std::size_t axis = 0;
        ((offset = offset * shape[axis++] + static_cast<std::size_t>(index)), ...);
        return data[offset];
    }
};

}  // namespace pyexpr
