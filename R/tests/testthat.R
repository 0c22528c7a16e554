library(testthat)
library(pyexpr)

test_check("pyexpr")
