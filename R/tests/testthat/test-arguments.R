# A verb takes what the Python function takes: an option added there is missed here.

# Arguments of Python that R has in another way.
elsewhere <- list(
  compare_models = "table", cluster_bootstrap = c("table", "columns", "compiled", "n_threads"),
  context_coefficients = c("X", "rows")
)
# What R adds.
ours <- list(
  compare_models = "data", cluster_bootstrap = "data", context_coefficients = c("data", "features"),
  fit_cfa = "factor", bootstrap_cfa = "factor", invariance = "factor", split_subjects = "data"
)
theirs <- c(fit_cfa = "cfa")

test_that("arguments are those of Python", {
  need_python()
  px <- reticulate::import("pyexpr")
  inspect <- reticulate::import("inspect")
  builtins <- reticulate::import_builtins()
  verbs <- c("icc", "icc_interval", "choose_icc", "d_study", "fit_cfa", "bootstrap_cfa", "invariance",
    "read_openface", "describe_openface", "extract_features", "split_subjects", "compare_models",
    "cluster_bootstrap", "context_coefficients", "simulate_study")
  for (verb in verbs) {
    name <- if (verb %in% names(theirs)) theirs[[verb]] else verb
    python <- unlist(builtins$list(inspect$signature(px[[name]])$parameters))
    r <- names(formals(getExportedValue("pyexpr", verb)))
    expect_identical(sort(setdiff(r, ours[[verb]])), sort(setdiff(python, elsewhere[[verb]])),
      info = verb)
  }
})

test_that("defaults are those of Python", {
  need_python()
  px <- reticulate::import("pyexpr")
  python("
import inspect
def default(function, name):
    value = inspect.signature(function).parameters[name].default
    plain = (bool, int, float, str)
    return value if isinstance(value, plain) else None
")
  main <- reticulate::import_main()
  verbs <- c("icc", "icc_interval", "bootstrap_cfa", "invariance", "read_openface",
    "extract_features", "split_subjects", "compare_models", "context_coefficients",
    "simulate_study")
  for (verb in verbs) {
    given <- formals(getExportedValue("pyexpr", verb))
    for (name in setdiff(names(given), ours[[verb]])) {
      if (!is.atomic(given[[name]])) next
      wanted <- main$default(px[[verb]], name)
      if (is.null(wanted)) next
      expect_equal(given[[name]], wanted, info = paste(verb, name))
    }
  }
})
