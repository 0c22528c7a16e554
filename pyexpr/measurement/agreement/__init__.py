"""Agreement of raters on categories: coefficients, weights, intervals."""
