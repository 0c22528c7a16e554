// Sums in the order in which NumPy adds along an axis, so that the bytes are the same.
#pragma once

#include <algorithm>
#include <cstddef>

namespace pyexpr {

// Columns that are summed side by side.
inline constexpr std::size_t kSumWidth = 8;

// Sums of `count` rows of Width numbers, each `stride` behind the one before, pairwise: up to 7 one
// after the other, up to 128 in eight sums, more in halves.
template <std::size_t Width>
inline void pairwise_sum(const double* first, std::size_t stride, std::size_t count, double* sums) {
    constexpr std::size_t kSums = 8;
    constexpr std::size_t kWhole = 128;
    if (count < kSums) {
        std::fill_n(sums, Width, -0.0);
        for (std::size_t row = 0; row < count; ++row)
            for (std::size_t i = 0; i < Width; ++i) sums[i] += first[row * stride + i];
        return;
    }
    if (count > kWhole) {
        const std::size_t half = count / 2 - count / 2 % kSums;
        double rest[Width];
        pairwise_sum<Width>(first, stride, half, sums);
        pairwise_sum<Width>(first + half * stride, stride, count - half, rest);
        for (std::size_t i = 0; i < Width; ++i) sums[i] += rest[i];
        return;
    }
    double part[kSums][Width];
    for (std::size_t k = 0; k < kSums; ++k) std::copy_n(first + k * stride, Width, part[k]);
    std::size_t row = kSums;
    for (; row + kSums <= count; row += kSums)
        for (std::size_t k = 0; k < kSums; ++k)
            for (std::size_t i = 0; i < Width; ++i) part[k][i] += first[(row + k) * stride + i];
    for (std::size_t i = 0; i < Width; ++i)
        sums[i] = ((part[0][i] + part[1][i]) + (part[2][i] + part[3][i])) +
                  ((part[4][i] + part[5][i]) + (part[6][i] + part[7][i]));
    for (; row < count; ++row)
        for (std::size_t i = 0; i < Width; ++i) sums[i] += first[row * stride + i];
}

// add.reduce() of `count` numbers, in their order.
[[nodiscard]] inline double sum_of(const double* numbers, std::size_t count) {
    double sum = 0.0;
    pairwise_sum<1>(numbers, 1, count, &sum);
    return 0.0 + sum;
}

// add.reduceat() of `count` rows, at least one: the first row and the sum of the others.
inline void sum_rows(const double* first, std::size_t stride, std::size_t count, std::size_t width,
                     double* sums) {
    double rest[kSumWidth];
    std::size_t i = 0;
    for (; i + kSumWidth <= width; i += kSumWidth) {
        pairwise_sum<kSumWidth>(first + stride + i, stride, count - 1, rest);
        for (std::size_t k = 0; k < kSumWidth; ++k) sums[i + k] = first[i + k] + rest[k];
    }
    for (; i < width; ++i) {
        pairwise_sum<1>(first + stride + i, stride, count - 1, rest);
        sums[i] = first[i] + rest[0];
    }
}

}  // namespace pyexpr
