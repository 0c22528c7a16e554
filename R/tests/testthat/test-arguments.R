# A verb takes what the Python function takes: an option added there is missed here.

# Arguments of Python that R has in another way, or not at all: rows of `data` are chosen in R,
# a statistic in R is neither compiled nor called from several threads or processes.
elsewhere <- list(
  compare_models = "table",
  rating_ceiling = "table",
  bootstrap_chain = "table",
  error_slopes = "table",
  person_slopes = "table",
  pooled_coefficients = c("X", "rows"),
  cluster_bootstrap = c("table", "columns", "compiled", "n_threads", "n_jobs"),
  context_coefficients = c("X", "rows"),
  plan_study = "pilot"
)
# What R adds.
ours <- list(
  compare_models = c("data", "rows"), cluster_bootstrap = "data", rating_ceiling = "data",
  bootstrap_chain = "data",
  error_slopes = "data",
  context_coefficients = c("data", "features"),
  pooled_coefficients = c("data", "features"), person_slopes = "data",
  plan_study = "data",
  fit_cfa = "factor", bootstrap_cfa = "factor", invariance = "factor", split_subjects = "data",
  read_tracks = "time_unit"
)
theirs <- c(fit_cfa = "cfa")

test_that("arguments are those of Python", {
  need_python()
  px <- reticulate::import("pyexpr")
  inspect <- reticulate::import("inspect")
  builtins <- reticulate::import_builtins()
  verbs <- c("icc", "agreement", "multilevel_icc", "variance_components", "icc_interval",
    "choose_icc", "fit_cfa", "bootstrap_cfa", "invariance",
    "read_openface", "describe_openface", "read_tracks", "describe_tracks", "extract_features",
    "movement_series", "synchrony", "split_subjects", "compare_models", "rating_ceiling",
    "bootstrap_chain", "cluster_bootstrap", "context_coefficients", "pooled_coefficients",
    "person_slopes", "error_slopes", "sensitivity", "plan_study",
    "simulate_study", "track_videos")
  for (verb in verbs) {
    name <- if (verb %in% names(theirs)) theirs[[verb]] else verb
    python <- unlist(builtins$list(inspect$signature(px[[name]])$parameters))
    r <- names(formals(getExportedValue("pyexpr", verb)))
    expect_identical(sort(setdiff(r, c("...", ours[[verb]]))), sort(setdiff(python, elsewhere[[verb]])),
      info = verb)
  }
  # One generic for what are a function and a method in Python.
  methods <- list(pyexpr_icc = px$d_study, pyexpr_components = px$VarianceComponentsResult$d_study)
  for (class in names(methods)) {
    python <- unlist(builtins$list(inspect$signature(methods[[class]])$parameters))
    r <- names(formals(utils::getS3method("d_study", class, envir = asNamespace("pyexpr"))))
    expect_identical(sort(setdiff(r, c("...", "result"))), sort(setdiff(python, c("self", "result"))),
      info = class)
  }
})

test_that("what is missing, or neither TRUE nor FALSE, is said in a sentence of this package", {
  need_python()
  refused <- function(expr, text) expect_error(expr, text, fixed = TRUE, class = "pyexpr_data_error")
  refused(icc(), "`data` is missing: give a data frame.")
  refused(compare_models(), "`data` is missing: give a data frame.")
  refused(icc_interval(0.8), "`n_targets` is missing: give a value.")
  refused(choose_icc(TRUE), "`average` is missing: give TRUE or FALSE.")
  refused(d_study(), "`result` is missing: give the result of `icc()` or `variance_components()`.")
  refused(variance_components(), "`data` is missing: give a data frame.")
  refused(multilevel_icc(), "`data` is missing: give a data frame.")
  refused(cluster_bootstrap(clips, cluster = subject), "`statistic` is missing")
  refused(cfa_scores(), "`x` is missing")
  refused(cfa_scores(clips), "`model` is missing")
  refused(read_openface(), "`path` is missing: give a path.")
  refused(extract_features(), "`recordings` is missing")
  refused(track_videos(), "`videos` is missing: give paths.")
  refused(track_videos("a.mp4"), "`output` is missing: give a path.")
  refused(track_videos(3, "a"), "`videos` must be paths, not ")
  refused(track_videos("a.mp4", "b", options = list("image")), "`options` must be a named list")
  refused(split_subjects(), "`data` is missing")
  refused(boot_interval(), "`x` is missing: give a result.")
  refused(adjust_tests(compare_models(clips, score, au_count, subject, n_boot = 0)),
    "`rule` is missing: give \"holm\" or \"max_t\".")
  refused(simulate_study(), "`folder` is missing: give a path.")
  refused(choose_icc("no", FALSE), "`same_raters` must be TRUE or FALSE, not \"no\".")
  refused(choose_icc(NA, FALSE), "`same_raters` must be TRUE or FALSE, not NA.")
  refused(compare_models(clips, score, au_count, subject, ratio = "no"), "`ratio` must be TRUE or FALSE")
  refused(compare_models(clips, score, au_count, subject, pairwise = 1), "must be TRUE or FALSE, not 1.")
  refused(cfa_scores(clips, c(response, emotion, motion), allow_inadmissible = c(TRUE, FALSE)),
    "must be TRUE or FALSE, not <logical>.")
  # Every argument whose default is a logical, in every verb.
  verbs <- c("variance_components", "compare_models", "cluster_bootstrap", "context_coefficients",
    "extract_features", "run_study", "study_report", "simulate_study", "track_videos")
  given <- list(
    variance_components = list(ratings, "score", c("subject", "clip")),
    compare_models = list(clips, "score", "au_count", "subject"),
    cluster_bootstrap = list(clips, function(data, weights) 1, "subject"),
    context_coefficients = list(clips, "score", "au_count", "context", "subject"),
    extract_features = list("a.csv", every = 3), run_study = list("a.toml"),
    study_report = list("a"),
    simulate_study = list(tempfile()), track_videos = list("a.mp4", tempfile())
  )
  for (verb in verbs) {
    defaults <- formals(getExportedValue("pyexpr", verb))
    logical <- names(Filter(function(v) is.logical(v) || identical(v, quote(interactive())), defaults))
    expect_gt(length(logical), 0)
    for (name in logical) {
      refused(do.call(verb, c(given[[verb]], stats::setNames(list("x"), name))),
        sprintf("`%s` must be TRUE or FALSE, not \"x\".", name))
    }
  }
})

test_that("names of values do not matter", {
  need_python()
  expect_identical(tidy(icc_interval(c(a = 0.8), c(b = 20), k = c(c = 3))), tidy(icc_interval(0.8, 20, 3)))
  one <- ratings[ratings$question == "emotion", ]
  named <- icc(one, c(a = "subject", b = "context", c = "clip"), c(x = "score"), cluster = c(d = "subject"))
  plain <- icc(one, c(subject, context, clip), score, cluster = subject)
  expect_identical(tidy(named), tidy(plain))
  by_flag <- compare_models(clips, score, au_count, subject, n_boot = 0, pairwise = c(a = FALSE))
  expect_s3_class(by_flag, "pyexpr_comparison")
})

test_that("only columns that are used must have a name of their own", {
  need_python()
  twice <- cbind(clips, clips["pitch_displacement"])
  found <- compare_models(twice, score, au_count, subject, n_boot = 0)
  expect_identical(tidy(found), tidy(compare_models(clips, score, au_count, subject, n_boot = 0)))
  expect_error(compare_models(twice, score, pitch_displacement, subject, n_boot = 0),
    "`data` has 2 columns named `pitch_displacement`", class = "pyexpr_column_error")
})

test_that("a vector of subjects has a vector of contexts", {
  need_python()
  data <- unique(clips[c("subject", "context")])
  data <- data[-(1:20), ]
  expect_identical(tidy(split_subjects(data$subject, context = data$context, seed = 1)),
    tidy(split_subjects(data, subject, context = context, seed = 1)))
  expect_error(split_subjects(letters, context = 1:3), "as long as `data` (26), not 3", fixed = TRUE,
    class = "pyexpr_data_error")
  expect_error(split_subjects(letters, subjects = a), "no column to name", class = "pyexpr_data_error")
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
  verbs <- c("icc", "agreement", "multilevel_icc", "variance_components", "icc_interval",
    "bootstrap_cfa", "invariance", "read_openface",
    "extract_features", "movement_series", "synchrony", "split_subjects", "compare_models",
    "rating_ceiling", "bootstrap_chain", "context_coefficients", "pooled_coefficients",
    "person_slopes", "error_slopes", "sensitivity", "plan_study",
    "simulate_study", "track_videos")
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

test_that("what the column of contexts is called elsewhere is answered", {
  indicators <- c("response", "emotion", "motion")
  given <- list(
    icc = list(ratings, c("subject", "clip"), "score"),
    multilevel_icc = list(ratings, "clip", "score", "subject"),
    variance_components = list(ratings, "score", c("subject", "clip")), fit_cfa = list(clips, indicators),
    cfa_scores = list(clips, indicators), invariance = list(clips, indicators),
    bootstrap_cfa = list(clips, indicators, "subject"),
    compare_models = list(clips, "score", "au_count", "subject"),
    context_coefficients = list(clips, "score", "au_count", cluster = "subject"),
    split_subjects = list(clips, "subject")
  )
  for (verb in names(given)) {
    for (name in c("by", ".by", "group", "contexts")) {
      # A bare name of a column, which is no variable.
      expr <- as.call(c(as.name(verb), given[[verb]], stats::setNames(list(quote(task)), name)))
      expect_error(eval(expr), class = "pyexpr_data_error", fixed = TRUE,
        sprintf("`%s()` has no argument `%s`; the column of contexts is `context`.", verb, name))
    }
    expect_error(eval(as.call(c(as.name(verb), given[[verb]], list(contxt = quote(task))))),
      "must be empty", class = "rlib_error_dots_nonempty")
  }
})

test_that("icc() answers the former name of `method`", {
  expect_error(
    icc(data.frame(a = 1:3, b = 3:1), cluster_method = "jackknife"),
    "`icc()` has no argument `cluster_method`; it is `method` now.", fixed = TRUE,
    class = "pyexpr_data_error"
  )
})

test_that("messages name R's arguments, and no option of the command line", {
  need_python()
  expect_error(compare_models(clips, score, au_count, subject, metrics = "nrmse"),
    "from the data; give `score_range`, the highest", fixed = TRUE)
})

test_that("tests are adjusted together from the start, and subjects drawn within strata", {
  need_python()
  same <- function(x, y) expect_identical(tidy(x), tidy(y))
  indicators <- c("response", "emotion", "motion")
  rows <- transform(clips, half = as.integer(factor(subject)) %% 2)
  for (rule in c("holm", "max_t")) {
    fit <- function(...) bootstrap_cfa(rows, all_of(indicators), subject, n_boot = 60, ...)
    same(fit(adjust = rule), adjust_tests(fit(), rule))
    contrasts <- function(...) tidy(invariance(rows, all_of(indicators), context, subject,
      engine = "native", ...), "contrasts")
    expect_identical(contrasts(adjust = rule, seed = 3),
      tidy(adjust_tests(invariance(rows, all_of(indicators), context, subject,
        engine = "native", seed = 3), rule), "contrasts"))
    slopes <- function(...) context_coefficients(rows, score, c(au_count, au_intensity), context,
      subject, alpha = 0.1, l1_ratio = 0.5, n_boot = 20, progress = FALSE, ...)
    same(slopes(adjust = rule), adjust_tests(slopes(), rule))
    means <- function(...) cluster_bootstrap(rows, function(data, weights) {
      vapply(data[c("response", "emotion")], stats::weighted.mean, 0, w = weights, na.rm = TRUE)
    }, subject, n_boot = 60, null = 3, progress = FALSE, ...)
    same(means(adjust = rule), adjust_tests(means(), rule))
  }
  plain <- fit(progress = FALSE)
  strata <- fit(stratify = half)
  # Sums over the subjects of one stratum after the other differ in the last digit.
  expect_equal(tidy(strata)$estimate, tidy(plain)$estimate, tolerance = 1e-12)
  expect_false(identical(tidy(strata)$conf.low, tidy(plain)$conf.low))
  same(boot_extend(fit(), 40), bootstrap_cfa(rows, all_of(indicators), subject, n_boot = 100))
  expect_setequal(influence(plain)$cluster, unique(clips$subject))
})

test_that("rows may belong to two persons, and differences have any null value", {
  need_python()
  pairs <- t(utils::combn(9, 2))
  dyads <- data.frame(a = pairs[, 1], b = pairs[, 2], y = sin(1:36), p = cos(1:36), q = sin(2 * (1:36)))
  found <- suppressWarnings(compare_models(dyads, y, c(p, q), cluster = c(a, b), metrics = "bias",
    n_boot = 0, null_difference = c(bias = 0.1)))
  row <- tidy(found)[3, ]
  expect_equal(row$statistic, (row$estimate - 0.1) / row$std.error)
  expect_error(compare_models(dyads, y, c(p, q), cluster = c(a, b, y)), "two columns of rows")
})
