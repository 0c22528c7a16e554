# fit_models(): the numbers are Python's, the words R's.

few <- clips[clips$subject %in% unique(clips$subject)[1:20], ]

fitted_models <- function(..., data = few, folds = 3) {
  fit_models(data, label = score, features = c(au_count, au_intensity), cluster = subject,
    context = context, folds = folds, seed = 4, ...)
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
        context='context', folds=2, inner_folds=2, seed=4, repeats=2,
        context_as=['separate', 'pooled'],
        models={'net': px.ElasticNetRegressor(n_folds=2), 'forest': forest, 'ridge': ridge},
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
  ours <- fitted_models(data = complete, folds = 2, repeats = 2,
    models = list(net = "elastic_net", forest = forest, ridge = ridge), inner_folds = 2)
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
  # Intervals that count the subjects of training.
  procedures <- compare_procedures(ours, "rmse", method = "corrected_t")
  expect_true(all(procedures$tables$tidy$std.error > 0))
  expect_match(procedures$notes[[1]], "refer to the procedure")
  if (requireNamespace("ggplot2", quietly = TRUE)) {
    plot <- ggplot2::autoplot(procedures)
    table <- tidy(procedures)
    shown <- table[table$kind == "level", ]
    expect_equal(sort(ggplot2::layer_data(plot, 2)$x), sort(shown$estimate))
    expect_equal(sort(ggplot2::layer_data(plot, 1)$xmin), sort(shown$conf.low))
    expect_match(plot$labels$caption, "95 % interval (corrected_t)", fixed = TRUE)
    shown <- table[table$kind == "difference", ]
    plot <- ggplot2::autoplot(procedures, "differences")
    expect_equal(sort(ggplot2::layer_data(plot, 2)$x),
      sort(shown$estimate[!nzchar(shown$second_context)]))
  }
  expect_error(compare_procedures(ours, "rmse", method = "boot"), "`method` must be one of")
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
  expect_identical(names(glance(ours))[1:2], c("kind", "label"))
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

test_that("a label of classes has classifiers and Python's numbers, and comes back as it was", {
  need_python()
  python("
import pyexpr as px
from sklearn.linear_model import LogisticRegression
from pyexpr.hosted import verbs
def _twin_of_classes(data):
    result = px.fit_models(
        data, label='mood', features=['au_count', 'au_intensity'], cluster='subject', folds=2, seed=4,
        inner_folds=2, positive='glad', models={'logit': px.ModelSpec(LogisticRegression(), grid={'C': [0.1, 1.0]})},
    )
    final = result.fit_all()
    return [result.predictions, result.tidy(), result.weights(), final.predict(data[:5]),
            final.predict_proba(data[:5]), result.compare(n_boot=0).tidy()]
verbs.do_twin_of_classes = _twin_of_classes
")
  known <- few[complete.cases(few), c("subject", "au_count", "au_intensity", "score")]
  known$glad <- known$score > 0
  known$mood <- factor(ifelse(known$glad, "glad", "calm"), c("glad", "calm", "never"))
  theirs <- pyexpr:::ask("twin_of_classes", list(data = pyexpr:::table_node(known)))
  logit <- "sklearn.linear_model.LogisticRegression"
  spec <- list(logit = model_spec(logit, grid = list(C = c(0.1, 1))))
  fitted_classes <- function(label, ..., models = spec) {
    fit_models(known, {{ label }}, c(au_count, au_intensity), subject, folds = 2, seed = 4,
      inner_folds = 2, models = models, ...)
  }
  ours <- fitted_classes(mood, positive = "glad")
  plain <- function(x) lapply(as.list(x), as.vector)
  expect_identical(plain(tidy(ours, "predictions")), plain(theirs[[1]]))
  expect_identical(plain(tidy(ours)), plain(theirs[[2]]))
  expect_identical(plain(tidy(ours, "weights")), plain(theirs[[3]]))
  final <- fit_all(ours)
  predicted <- predict(final, known[1:5, ])
  expect_identical(plain(predicted), plain(c(theirs[[4]], theirs[[5]])))
  compared <- tidy(compare_models(ours, n_boot = 0))
  expect_identical(compared$metric, c("auc", "balanced_accuracy"))
  expect_identical(compared$estimate, theirs[[6]]$estimate)

  # Classes are again what the user has, here and in another session.
  for (column in list(tidy(ours, "predictions")$truth, tidy(ours, "predictions")$prediction,
    tidy(ours, "weights")$class, predicted$logit)) expect_identical(levels(column), levels(known$mood))
  expect_identical(tidy(ours, "predictions")$truth, known$mood)
  expect_identical(names(augment(final, known[1:2, 2:3]))[3:5], paste0(".", names(predicted)))
  shown <- capture.output(print(ours), print(final))
  expect_match(shown[1], "1 model of 'mood' (classes 'calm', 'glad') from 2 features", fixed = TRUE)
  expect_match(shown, "model context_as context +auc brier accuracy balanced_accuracy", all = FALSE)
  back <- unserialize(serialize(list(ours, final), NULL))
  expect_identical(predict(back[[2]], known[1:5, ]), predicted)
  expect_identical(predict(fit_all(back[[1]]), known[1:5, ]), predicted)
  expect_identical(tidy(compare_models(back[[1]], n_boot = 0)), compared)

  # Of text, of logical, and of 0 and 1 as numbers or levels: the same numbers.
  known$text <- as.character(known$mood)
  known$number <- as.numeric(known$glad)
  known$levels <- factor(known$number)
  others <- list(text = fitted_classes(text, positive = "glad"),
    glad = fitted_classes(glad, positive = TRUE), levels = fitted_classes(levels, positive = 1),
    number = fitted_classes(number, positive = 1, kind = "classification"))
  for (label in names(others)) {
    other <- others[[label]]
    expect_identical(tidy(other), tidy(ours))
    expect_identical(tidy(other, "predictions")$truth, known[[label]])
    new <- predict(other, known[1:5, ])
    expect_identical(new[[3]], predicted[[3]])
    expect_identical(class(new$logit), class(known[[label]]))
  }
  expect_identical(names(new), c("logit", "logit: 0", "logit: 1"))
  # The elastic net is a classifier, too; the class may be named where models are compared.
  net <- fitted_classes(levels, models = list(net = "elastic_net"))
  f1 <- function(x, positive) {
    tidy(compare_models(x, metrics = "f1", positive = positive, n_boot = 0))$estimate
  }
  expect_identical(f1(net, 0), f1(net, "0"))
  expect_true(f1(net, 0) != f1(net, 1))

  said <- function(...) conditionMessage(expect_error(fitted_classes(...), class = "pyexpr_error"))
  expect_match(said(number), "`kind = 'classification'` if they are classes, or pass a regressor")
  expect_match(said(mood, positive = "sad"), "`positive` is 'sad', which is not a class of label 'mood'")
  expect_match(said(mood, label_pooled = score), "`label_pooled` is only for labels that are numbers")
  expect_match(said(score, kind = "classification"), "use `kind = 'regression'`")
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
    "leave out `scale`")
  expect_match(said(au_count, subject, scheme = "split", repeats = 2), "use `scheme = 'cross_validation'`")
  expect_match(said(au_count, subject, folds = 500), "`folds = 500` requires at least as many subjects")
  expect_match(said(au_count, subject, n_jobs = 0), "`n_jobs` must be NULL or a whole number")
  expect_error(model_spec(1), "`estimator` must be the full name of a class")
  expect_error(model_spec("a.b", list(1)), "`params` must name each parameter")
  expect_error(model_spec("a.b", grid = list(x = 1, x = 2)), "`grid` names `x` more than once")
})

test_that("feature_importance() is that of Python, by hand for a linear model", {
  need_python()
  set.seed(2)
  rows <- data.frame(subject = rep(1:24, each = 6), task = rep(c("pain", "startle"), 72),
    smile = rnorm(144), nod = rnorm(144))
  rows$y <- rows$smile + rnorm(144)
  fitted <- fit_models(rows, y, c(smile, nod), subject, context = task, context_as = "pooled",
    models = list(line = "sklearn.linear_model.LinearRegression"), folds = 3, seed = 1)
  found <- feature_importance(fitted, metrics = c("mse", "rmse"), n_repeats = "all")
  table <- tidy(found)
  weights <- tidy(fitted, "weights")
  folds <- tidy(fitted, "folds")
  rows$fold <- folds$fold[match(rows$subject, folds$cluster)]
  more <- 0
  for (k in unique(rows$fold)) {
    own <- rows[rows$fold == k, ]
    line <- lm(y ~ smile + nod, rows[rows$fold != k, ])
    own$e <- own$y - predict(line, own)
    for (task in unique(own$task)) {
      mine <- own[own$task == task, ]
      for (i in seq_len(nrow(mine))) {
        other <- mine$smile[mine$subject != mine$subject[i]]
        new <- mine$e[i] - coef(line)[["smile"]] * (other - mine$smile[i])
        more <- more + mean(new^2) - mine$e[i]^2
      }
    }
  }
  expect_equal(table$estimate[table$metric == "mse" & table$term == "smile" & table$context == "all"],
    more / 144)
  expect_identical(nobs(found), 144L)
  expect_identical(dim(confint(found)), c(nrow(table), 2L))
  expect_s3_class(ggplot2::autoplot(found), "ggplot")
  apart <- context_contrasts(found)
  expect_identical(unique(tidy(apart)$context), "pain - startle")
  expect_true(all(tidy(adjust_tests(apart, "holm"))$adj.p.value >= tidy(apart)$p.value))
  expect_s3_class(ggplot2::autoplot(apart), "ggplot")
  grouped <- feature_importance(fitted, groups = list(both = c("smile", "nod")), permute = "within")
  expect_identical(unique(tidy(grouped)$term), "both")
  expect_match(found$notes[[1]], "interval_for = 'procedure'", fixed = TRUE)
  rows$glad <- ifelse(rows$y > 0, "yes", "no")
  kinds <- fit_models(rows, glad, c(smile, nod), subject, positive = "yes",
    models = list(logit = "sklearn.linear_model.LogisticRegression"), folds = 3, seed = 1)
  of_classes <- feature_importance(kinds, metrics = c("accuracy", "f1", "log_loss"), positive = "no")
  expect_identical(unique(tidy(of_classes)$metric), c("accuracy", "f1", "log_loss"))
  expect_gt(tidy(of_classes)$estimate[1], 0.1)
  expect_s3_class(ggplot2::autoplot(of_classes), "ggplot")
  expect_error(feature_importance(kinds, metrics = "rmse"), "predict classes must name any of")
  expect_error(feature_importance(fitted, groups = list(a = "smille")), "did you mean",
    class = "pyexpr_column_error")
  expect_error(feature_importance(found), "must be a result of `fit_models\\(\\)`")
  expect_error(context_contrasts(found, null_difference = 1), "`null_difference` is for comparisons")
})
