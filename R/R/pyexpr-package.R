#' pyexpr: from ratings and recordings to honest comparisons
#'
#' @section How the parts fit:
#' | you have | you call |
#' |---|---|
#' | ratings | [icc()], [d_study()], [choose_icc()]; a published figure: [icc_interval()] |
#' | means of the ratings | [cfa_scores()], [fit_cfa()], [invariance()] |
#' | OpenFace files | [read_openface()], [extract_features()] |
#' | a table of clips | [split_subjects()], [fit_models()], [compare_models()], [context_coefficients()], [cluster_bootstrap()] |
#' | a study file | [check_study()], [run_study()]; simulated data: [simulate_study()] |
#' | a question about the installation | [doctor()], [install_pyexpr()] |
#'
#' @section Conventions:
#' The data frame comes first. Columns are named bare or as strings:
#' `cluster = subject` and `cluster = "subject"` are the same, several are
#' `c(smile, nod)`, and a variable that holds names works too. So does what tidyselect
#' knows: `starts_with("q")`, `q1:q4`, `all_of(names)`, `-id`, `where(is.numeric)`, alone,
#' in `c()`, or in a `list()` of models or factors.
#'
#' Every result prints as one sentence, one table and its notes. [tidy()][reexports]
#' gives the table as a tibble with the columns that broom uses (`estimate`,
#' `std.error`, `statistic`, `p.value`, `conf.low`, `conf.high`; all others have
#' underscores, see [tidy()][result-tables]), further tables
#' by their name (`tidy(x, "counts")`), [glance()][reexports] one row about the
#' whole, [summary()] everything, [autoplot()][ggplot2::autoplot] and `plot()` a picture.
#' `coef()`, `confint()`, `vcov()`, `predict()` and others are there where they have a
#' meaning: [model-methods]. A number that does not exist is `NA`, and the column `reason`
#' says why.
#'
#' Errors have the class `pyexpr_error`, warnings `pyexpr_warning`, with more
#' special ones before it, such as `pyexpr_column_error` and
#' `pyexpr_few_subjects_warning`.
#'
#' @section R, Python, and who computes:
#' Python computes, but for the factor model: that is fitted by your own lavaan in
#' this session, without rpy2. `vignette("from-ratings-to-scores")`,
#' `vignette("comparing-models-and-contexts")` and
#' `vignette("tidymodels-targets-quarto")` show the whole. Functions have the names that
#' they have in Python, but for `fit_cfa()` (`px.cfa`), and for [boot_interval()],
#' [boot_extend()] and [adjust_tests()].
#'
#' @importFrom rlang .data abort warn
#' @importFrom tibble new_tibble
#' @keywords internal
"_PACKAGE"

#' @importFrom generics tidy
#' @export
generics::tidy

#' @importFrom generics glance
#' @export
generics::glance

#' @importFrom generics augment
#' @export
generics::augment
