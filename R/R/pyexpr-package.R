#' pyexpr: reliability, factor scores and comparison of models of expressive behaviour
#'
#' @section How the parts fit:
#' | you have | you call |
#' |---|---|
#' | ratings | [icc()], [d_study()], [choose_icc()]; of clips of subjects, or with further facets: [multilevel_icc()], [variance_components()]; a published figure: [icc_interval()] |
#' | means of the ratings | [cfa_scores()], [fit_cfa()], [invariance()] |
#' | OpenFace files | [read_openface()], [extract_features()] |
#' | a table of clips | [split_subjects()], [fit_models()], [compare_models()], [context_coefficients()], [cluster_bootstrap()] |
#' | a study file | [check_study()], [run_study()], [sensitivity()]; simulated data: [simulate_study()] |
#' | a question about the installation | [doctor()], [install_pyexpr()] |
#'
#' @section Conventions:
#' The data frame is the first argument. Columns are given as bare names or as strings: `cluster =
#' subject` and `cluster = "subject"` are equivalent, several columns are `c(smile, nod)`, and a
#' variable that contains names can be used as well. Selections of tidyselect are supported:
#' `starts_with("q")`, `q1:q4`, `all_of(names)`, `-id`, `where(is.numeric)`, alone, in `c()`, or in
#' a `list()` of models or factors.
#'
#' Every result is printed as one sentence, one table and its notes. [tidy()][reexports] returns the
#' table as a tibble with the column names of broom (`estimate`, `std.error`, `statistic`,
#' `p.value`, `conf.low`, `conf.high`; all others have underscores, see [tidy()][result-tables]),
#' and further tables by their name (`tidy(x, "counts")`). [glance()][reexports] returns a summary
#' in one row, [summary()] all information, and [autoplot()][ggplot2::autoplot] and `plot()` a
#' figure. `coef()`, `confint()`, `vcov()`, `predict()` and others are available where they apply:
#' [model-methods]. An undefined number is `NA`, and the column `reason` states why.
#'
#' Errors have the class `pyexpr_error` and warnings `pyexpr_warning`, preceded by more specific
#' classes such as `pyexpr_column_error` and `pyexpr_few_subjects_warning`.
#'
#' @section R and Python:
#' The computations are done in Python, except for the factor model, which is fitted by lavaan in
#' your R session, without rpy2. `vignette("from-ratings-to-scores")`,
#' `vignette("comparing-models-and-contexts")` and `vignette("tidymodels-targets-quarto")` show
#' complete analyses. Functions have the same names as in Python, except for `fit_cfa()` (`px.cfa`),
#' [boot_interval()], [boot_extend()] and [adjust_tests()].
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
