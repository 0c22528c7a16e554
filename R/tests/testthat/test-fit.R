# fit_models(): the numbers are Python's, the words R's.

few <- clips[clips$subject %in% unique(clips$subject)[1:20], ]

fitted_models <- function(..., data = few) {
  fit_models(data, label = score, features = c(au_count, au_intensity), cluster = subject,
    context = context, folds = 3, seed = 4, ...)
}

test_that("the same seed gives the same bytes as in Python", {
  need_python()
  python("
import pandas as pd
import pyexpr as px
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from pyexpr.hosted import verbs
def _twin(data):
    forest = px.ModelSpec(RandomForestRegressor(n_estimators=5), grid={'max_depth': [2, None]})
    ridge = px.ModelSpec(Ridge(), grid={'alpha': [1.0, 10.0]}, scale=True)
    result = px.fit_models(
        data, label='score', features=['au_count', 'au_intensity'], cluster='subject',
        context='context', folds=3, seed=4, repeats=2, context_as=['separate', 'pooled'],
        models={'net': px.ElasticNetRegressor(), 'forest': forest, 'ridge': ridge},
    )
    compared = result.compare(['rmse', 'correlation'])
    return [result.predictions, result.tidy(), compared.tidy(), result.fit_all().predict(data[:5])]
verbs.do_twin = _twin
")
  complete <- few[complete.cases(few), ]
  theirs <- pyexpr:::ask("twin", list(data = pyexpr:::table_node(complete)))
  forest <- model_spec("sklearn.ensemble.RandomForestRegressor", list(n_estimators = 5),
    grid = list(max_depth = list(2, NULL)))
  ridge <- model_spec("sklearn.linear_model.Ridge", grid = list(alpha = c(1, 10)), scale = TRUE)
  ours <- fitted_models(data = complete, repeats = 2,
    models = list(net = "elastic_net", forest = forest, ridge = ridge), n_jobs = 2)
  plain <- function(x) lapply(as.list(x), function(column) as.vector(without(column)))
  without <- function(x) if (is.double(x)) replace(x, is.nan(x), NA) else x
  broom <- function(x) stats::setNames(x, pyexpr:::broom(names(x)))
  expect_identical(plain(tidy(ours, "predictions")), plain(theirs[[1]]))
  expect_identical(plain(tidy(ours)), plain(theirs[[2]]))
  expect_identical(plain(tidy(compare_models(ours))), plain(broom(theirs[[3]])))
  final <- fit_all(ours)
  expect_identical(plain(predict(final, complete[1:5, ])), plain(theirs[[4]]))

  # Repeats beside the interval of subjects, and the tables of a comparison.
  spread <- over_repeats(ours, "rmse", method = "jackknife_t")
  expect_true(all(spread$lowest <= spread$estimate & spread$estimate <= spread$highest))
  expect_identical(unique(spread$metric), "rmse")
  expect_error(compare_models(ours, truth = score), "`truth` is known from fit_models")
  expect_error(over_repeats(final), "must be a result of `fit_models\\(\\)`")
})

test_that("a result prints, and goes on in another session", {
  need_python()
  ours <- fitted_models(context_as = "pooled", clip = clip,
    models = list(ols = "sklearn.linear_model.LinearRegression"))
  shown <- capture.output(print(ours), print(fit_all(ours)))
  expect_match(shown[1], "1 model of 'score' from 2 features")
  expect_match(shown, "model context_as context +rmse correlation +r2", all = FALSE)
  expect_match(shown, "compare_models(x)", fixed = TRUE, all = FALSE)
  expect_setequal(names(ours$tables), c("tidy", "predictions", "tuning", "weights", "folds",
    "left_out", "warned", "constant"))
  expect_identical(names(glance(ours))[1], "label")
  expect_true(all(tidy(ours, "predictions")$clip %in% few$clip))
  expect_identical(unique(tidy(ours, "left_out")$reason), "feature 'au_count' is missing")

  new <- few[1:4, c("au_count", "au_intensity")]
  final <- fit_all(ours)
  wanted <- list(predict(final, new), tidy(compare_models(ours, metrics = "rmse")))
  expect_identical(names(augment(final, new)), c(names(new), ".ols"))
  expect_identical(predict(ours, new), wanted[[1]])
  if (requireNamespace("ggplot2", quietly = TRUE)) {
    expect_error(plot(ours), "`plot\\(compare_models\\(x\\)\\)`")
  }
  expect_error(predict(ours), "`newdata` is missing.*tidy\\(x, \"predictions\"\\)")
  expect_error(predict(final, new["au_count"]), "have no column 'au_intensity'")
  # As in a new session: nothing of these is held in Python.
  back <- unserialize(serialize(list(ours, final), NULL))
  expect_identical(predict(back[[2]], new), wanted[[1]])
  expect_identical(predict(fit_all(back[[1]]), new), wanted[[1]])
  expect_identical(tidy(compare_models(back[[1]], metrics = "rmse")), wanted[[2]])
})

test_that("numbers have the type of the parameter, and estimators of reticulate are taken", {
  need_python()
  python("
from pyexpr.hosted import verbs
from pyexpr.hosted.fitting import models_of
def _models(models):
    specs = models_of(models, {})
    kinds = lambda value: [type(one).__name__ for one in value] if isinstance(value, list) else type(value).__name__
    return {name: {key: kinds(value) for key, value in {**(one.params or {}), **(one.grid or {})}.items()}
            for name, one in specs.items()}
verbs.do_models = _models
")
  types <- function(...) {
    pyexpr:::ask("models", list(models = pyexpr:::models_node(list(a = model_spec(...)), NULL)))$a
  }
  forest <- "sklearn.ensemble.RandomForestRegressor"
  expect_identical(types(forest, list(n_estimators = 10, max_features = 1, bootstrap = TRUE)),
    list(n_estimators = "int", max_features = "float", bootstrap = "bool"))
  expect_identical(types(forest, list(max_features = 1L, criterion = "squared_error")),
    list(max_features = "int", criterion = "str"))
  expect_identical(types(forest, grid = list(max_depth = list(3, NULL), ccp_alpha = c(0, 0.1))),
    list(max_depth = c("int", "NoneType"), ccp_alpha = c("float", "float")))
  expect_identical(types("sklearn.neural_network.MLPRegressor", list(hidden_layer_sizes = c(8, 4)),
    scale = TRUE)$hidden_layer_sizes, c("int", "int"))

  linear <- reticulate::import("sklearn.linear_model")
  own <- fitted_models(context_as = "pooled", models = list(a = linear$LinearRegression()))
  text <- fitted_models(context_as = "pooled",
    models = list(a = "sklearn.linear_model.LinearRegression"))
  expect_identical(tidy(own), tidy(text))
  new <- few[1:3, c("au_count", "au_intensity")]
  expect_identical(predict(own, new), predict(text, new))
  expect_error(predict(unserialize(serialize(own, NULL)), new), "made by reticulate are gone")
})

test_that("errors are in R's words", {
  need_python()
  said <- function(...) conditionMessage(expect_error(fit_models(few, score, ...), class = "pyexpr_error"))
  expect_match(said(au_count, outcome = score), "no argument `outcome`; what is predicted is `label`")
  expect_match(said(au_count, subject = subject), "the column of the subjects is `cluster`")
  expect_match(said(au_count, subject, models = "x"), "`models` must be a named list of models")
  expect_match(said(au_count, subject, models = list(a = 1)), "model `a` must be the full name")
  expect_match(said(c(au_count, score), subject), "column 'score' is in `features` and is the label")
  expect_match(said(au_count, subject, models = list(a = "xgboost.XGBRegressor")),
    "name it in `trusted` if you trust it")
  ridge <- function(...) list(a = model_spec("sklearn.linear_model.Ridge", ...))
  expect_match(said(au_count, subject, models = ridge(list(alfa = 1))),
    "model 'a': `params` names 'alfa'.*did you mean 'alpha'")
  expect_match(said(au_count, subject, models = ridge(grid = list(alpha = numeric()))),
    "`grid` gives no value of 'alpha'")
  expect_match(said(au_count, subject, models = ridge(list(alpha = NA))), "model `a`: a parameter is NA")
  expect_match(said(au_count, subject, models = list(a = model_spec("elastic_net", scale = TRUE))),
    "leave `scale` out")
  expect_match(said(au_count, subject, scheme = "split", repeats = 2), "use `scheme = 'cross_validation'`")
  expect_match(said(au_count, subject, folds = 500), "`folds = 500` need as many subjects")
  expect_match(said(au_count, subject, n_jobs = 0), "`n_jobs` must be NULL or a whole number")
  expect_error(model_spec(1), "`estimator` must be the full name of a class")
  expect_error(model_spec("a.b", list(1)), "`params` must name each parameter")
  expect_error(model_spec("a.b", grid = list(x = 1, x = 2)), "`grid` names `x` more than once")
})
