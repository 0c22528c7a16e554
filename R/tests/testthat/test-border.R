# What goes to Python and comes back is the same, bit for bit.

bits <- function(x) writeBin(x, raw())

expect_back <- function(data) {
  back <- echo_frame(data)
  expect_identical(names(back), names(data))
  expect_identical(nrow(back), nrow(data))
  expect_identical(as.list(back), as.list(data))
  invisible(gc())
  expect_identical(as.list(back), as.list(data))
}

test_that("doubles keep every bit, NA and NaN apart", {
  need_python()
  x <- c(1.5, NA, NaN, Inf, -Inf, -0, 0, 5e-324, .Machine$double.xmax, 0.1 + 0.2, pi)
  back <- echo_frame(data.frame(x = x))$x
  expect_identical(bits(back), bits(x))
  expect_identical(is.nan(back), is.nan(x))
  expect_identical(is.na(back), is.na(x))
})

test_that("integers, logicals and characters keep their NA", {
  need_python()
  expect_back(data.frame(
    i = c(1L, NA, -.Machine$integer.max, .Machine$integer.max),
    l = c(TRUE, NA, FALSE, TRUE),
    s = c("NA", NA, "", "a")
  ))
  expect_back(data.frame(i = 1:3, l = c(TRUE, FALSE, TRUE), s = c("x", "y", "x")))
  expect_back(data.frame(i = rep(NA_integer_, 2), l = NA, s = NA_character_))
})

test_that("text is any text", {
  need_python()
  text <- c("Gr\u00fc\u00dfe", "\u8868\u60c5", "\U0001f600", "a\nb\t\"c\" 'd'", "\\n", "NULL", "`if`")
  expect_back(data.frame(s = text))
  latin <- "r\xe9ponse"
  Encoding(latin) <- "latin1"
  expect_identical(echo_frame(data.frame(s = latin))$s, "r\u00e9ponse")
})

test_that("factors keep levels, order of levels, and being ordered", {
  need_python()
  expect_back(data.frame(
    f = factor(c("b", NA, "a", "b"), levels = c("b", "unused", "a")),
    o = factor(c("low", "high", "low", NA), c("low", "mid", "high"), ordered = TRUE),
    u = factor(c("\u00e9", "z", "\u00e9", "z"))
  ))
  expect_back(data.frame(f = factor(c(NA, NA), levels = character())))
})

test_that("a level that is NA is a missing value", {
  need_python()
  back <- echo_frame(data.frame(f = addNA(factor(c("b", NA, "a")))))$f
  expect_identical(as.character(back), c("b", NA, "a"))
  expect_identical(levels(back), c("a", "b"))
})

test_that("labels read as R writes them, and come back as what they were", {
  need_python()
  data <- clips[c("subject", "score", "au_count", "response", "emotion", "motion")]
  wanted <- c("startle", "pain", "disgust")
  number <- match(clips$context, wanted)
  kinds <- list(c(8, 9, 10)[number], c(8L, 9L, 10L)[number], number == 1L,
    stats::setNames(as.Date("2020-01-02") + number, seq_along(number)), factor(clips$context, wanted))
  for (labels in kinds) {
    data$label <- labels
    shown <- unique(tidy(compare_models(data, score, au_count, subject, context = label, n_boot = 0,
      metrics = "correlation"))$context)
    own <- as.character(unique(labels))
    expect_true(all(own %in% shown), info = class(labels))
    # Numbers are sorted as numbers; all else as text.
    sorted <- if (is.numeric(labels)) as.character(sort(unique(labels))) else sort(own)
    expect_identical(utils::head(shown, length(own)), sorted, info = class(labels))
    fit <- fit_cfa(data, c(response, emotion, motion), context = label, engine = "native")
    expect_identical(class(tidy(fit)$label), class(labels))
    expect_named(tidy(fit)$label, NULL)
    expect_identical(typeof(tidy(fit)$label), typeof(labels))
    expect_setequal(tidy(fit)$label, unique(labels))
    drawn <- suppressWarnings(bootstrap_cfa(data, c(response, emotion, motion), subject, label, 99))
    expect_identical(tidy(boot_interval(drawn, confidence = 0.9))$label, tidy(drawn)$label)
    expect_false(anyNA(cfa_scores(fit, data[1:3, ])$score))
  }
})

test_that("dates and times stay the same instants", {
  need_python()
  expect_back(data.frame(d = as.Date(c("2020-02-29", NA, "1969-12-31", "0001-01-01"))))
  times <- as.POSIXct(c(0.1, 1.7e9 + 0.123456, NA, -1.5, 1583020800), origin = "1970-01-01", tz = "UTC")
  expect_back(data.frame(t = times))
  expect_back(data.frame(t = structure(times, tzone = "Europe/Berlin")))
  local <- as.POSIXct("2024-07-01 12:00:00")
  expect_equal(as.numeric(echo_frame(data.frame(t = local))$t), as.numeric(local))
})

test_that("a missing date is NA, not NaN", {
  need_python()
  data <- data.frame(d = as.Date(c("2020-02-29", NA)),
    t = as.POSIXct(c(1.5, NA), origin = "1970-01-01", tz = "UTC"),
    i = structure(c(3L, NA), class = "Date"), none = as.Date(c(NA, NA)))
  back <- echo_frame(data)
  for (name in names(data)) {
    # To identical() NaN and NA are alike in dates.
    expect_false(any(is.nan(as.double(back[[name]]))), info = name)
    expect_identical(is.na(back[[name]]), is.na(data[[name]]), info = name)
    expect_identical(format(back[[name]])[2], NA_character_, info = name)
  }
})

test_that("integer64 stays integer64", {
  need_python()
  skip_if_not_installed("bit64")
  big <- bit64::as.integer64(c("9007199254740993", NA, "-9223372036854775807", "5"))
  expect_back(data.frame(x = big))
  expect_back(data.frame(x = bit64::as.integer64(1:2)))
})

test_that("empty frames, single cells and odd names cross", {
  need_python()
  expect_back(data.frame(a = double(), b = character(), c = integer(), d = logical(),
    f = factor(character()), g = as.Date(character())))
  expect_back(data.frame(x = 1))
  expect_back(data.frame(x = NA))
  none <- data.frame(a = 1:3)[, FALSE]
  expect_identical(dim(echo_frame(none)), c(3L, 0L))
  odd <- data.frame(1, 2, 3, 4, 5, 6)
  names(odd) <- c("", "a b", "\u00e9", "if", "a", "_x")
  expect_back(odd)
  double <- data.frame(a = 1, a = 2, check.names = FALSE)
  expect_back(double)
})

test_that("tibbles, grouped classes and AsIs columns are data frames", {
  need_python()
  expect_s3_class(echo_frame(tibble::tibble(a = 1)), "tbl_df")
  expect_identical(echo_frame(data.frame(a = I(c("x", "y"))))$a, c("x", "y"))
  scaled <- tibble::tibble(a = scale(1:3), b = matrix(c("x", NA, "y")), c = matrix(1:6, 3))
  expect_identical(as.list(echo(pyexpr:::table_node(scaled, c("a", "b")))), list(a = c(-1, 0, 1), b = c("x", NA, "y")))
  expect_error(echo_frame(scaled), "column `c` of `data` is itself a table", class = "pyexpr_column_error")
})

test_that("a million numbers cross", {
  need_python()
  x <- sin(seq_len(1e6))
  expect_identical(echo_frame(data.frame(x = x))$x, x)
})

test_that("plain values cross", {
  need_python()
  expect_null(echo(NULL))
  expect_identical(echo(TRUE), TRUE)
  expect_identical(echo("\u00e9"), "\u00e9")
  expect_identical(echo(3), 3L)
  expect_identical(echo(0.1), 0.1)
  expect_identical(echo(pyexpr:::many("a")), "a")
  expect_identical(echo(c("a", "b")), c("a", "b"))
  expect_identical(echo(list(a = 1.5, b = "x", c = NULL)), list(a = 1.5, b = "x", c = NULL))
})

test_that("what Python sees is what R meant", {
  need_python()
  python("
from pyexpr.hosted import verbs
def _look(value):
    return [str(value[name].dtype) for name in value] + [str(int(value[name].isna().sum())) for name in value]
verbs.do_look = _look
")
  data <- data.frame(d = c(1, NA), i = c(1L, NA), j = 1:2, l = c(TRUE, NA), s = c("NA", NA),
    f = factor(c("b", "a")), t = as.POSIXct(c(0, NA), origin = "1970-01-01", tz = "UTC"),
    day = as.Date(c("2020-01-01", NA)))
  seen <- pyexpr:::ask("look", list(value = pyexpr:::table_node(data)))
  expect_identical(seen[c(1:4, 6:8)], c("float64", "Int32", "int32", "boolean", "category",
    "datetime64[ns, UTC]", "datetime64[s]"))
  expect_identical(seen[9:16], c("1", "1", "0", "1", "1", "0", "1", "1"))
})

test_that("whole numbers of pandas become the smallest type of R that holds them", {
  need_python()
  python("
from pyexpr.hosted import verbs
import pandas as pd
def _made():
    return pd.DataFrame({'i': [1, 2], 'd': [2**40, 1], 'b': [2**60, 1], 'u': pd.array([3, None], 'UInt8')})
verbs.do_made = _made
")
  made <- pyexpr:::ask("made")
  expect_type(made$i, "integer")
  expect_identical(made$d, c(2^40, 1))
  expect_s3_class(made$b, "integer64")
  expect_identical(made$u, c(3L, NA))
})

test_that("what cannot cross is refused by name, unless it is not needed", {
  need_python()
  data <- tibble::tibble(x = 1:2, bad = list(1, 2))
  expect_snapshot(echo_frame(data), error = TRUE)
  expect_snapshot(echo_frame(data.frame(z = 1i)), error = TRUE)
  expect_snapshot(echo_frame(tibble::tibble(d = structure(1, class = "strange"))), error = TRUE)
  expect_snapshot(echo_frame(list(a = 1)), error = TRUE)
  expect_snapshot(echo_frame(data.frame(d = structure(0.5, class = "Date"))), error = TRUE)
  expect_identical(names(echo(pyexpr:::table_node(data, needed = "x"))), "x")
})

test_that("labelled numbers are their numbers, without what they declare missing", {
  need_python()
  labelled <- structure(c(0, 4, 9, 98, 99, NA), na_values = 9, na_range = c(98, Inf),
    labels = c("not at all" = 0, "cannot tell" = 9),
    class = c("haven_labelled_spss", "haven_labelled", "vctrs_vctr", "double"))
  data <- tibble::tibble(id = 1:6, x = labelled)
  expect_message(back <- echo_frame(data), "its numbers are used, and 3 values that it declares",
    class = "pyexpr_unclassed")
  expect_identical(back$x, c(0, 4, NA, NA, NA, NA))
  once <- structure(c(0, 9), na_values = 9, class = class(labelled))
  expect_message(echo_frame(tibble::tibble(x = once)),
    "and 1 value that it declares missing (`9`) is missing", class = "pyexpr_unclassed", fixed = TRUE)
  plain <- structure(c(1, 2), labels = c(low = 1), class = c("haven_labelled", "vctrs_vctr", "double"))
  expect_message(back <- echo_frame(tibble::tibble(x = plain)), "has value labels: its numbers are used",
    class = "pyexpr_unclassed")
  expect_identical(back$x, c(1, 2))
})

test_that("durations and units are their numbers, in a unit that is said; series are vectors", {
  need_python()
  minutes <- as.difftime(c(1, 2.5), units = "mins")
  expect_message(back <- echo_frame(data.frame(x = minutes)), "in mins", class = "pyexpr_unclassed")
  expect_identical(back$x, c(1, 2.5))
  speed <- structure(c(3, 4), class = "units",
    units = structure(list(numerator = "m", denominator = "s"), class = "symbolic_units"))
  expect_message(back <- echo_frame(tibble::tibble(x = speed)), "in m/s", class = "pyexpr_unclassed")
  expect_identical(back$x, c(3, 4))
  expect_identical(echo_frame(data.frame(x = stats::ts(c(1, 2), start = 2000)))$x, c(1, 2))
})

test_that("the advice for a factor of numbers keeps the numbers", {
  need_python()
  scores <- data.frame(target = rep(1:6, 4), score = factor(as.character(rep(c(10, 2, 5, 8, 1, 3), 4))))
  expect_error(icc(scores, target, score), "as.numeric(as.character(x))", fixed = TRUE)
})

test_that("labels never travel by the locale", {
  need_python()
  code <- "
    library(pyexpr)
    file <- tempfile()
    labels <- c('Gef\\xc3\\xbchl', 'St\\xc3\\xa4rke', 'Mut')
    rows <- c('question,target,score', unlist(lapply(labels, function(q) sprintf('%s,%d,%d', q,
      rep(1:8, 2), c(1:8, 2:9)))))
    writeLines(rows, file, useBytes = TRUE)
    for (factors in c(TRUE, FALSE)) {
      ratings <- read.csv(file, stringsAsFactors = factors)
      found <- tidy(icc(ratings, target, score, context = question, form = 'ICC(1,1)', cluster = FALSE))
      own <- unique(as.character(ratings$question))
      cat(all(as.character(found$question) %in% own), anyNA(found$question), '')
    }
    labels <- tapply(clips$response, clips$context, mean)
    fit <- fit_cfa(clips, c(response, emotion, motion), context = context)
    cat(nrow(tidy(fit)) > 0, fit$provenance$engine, Sys.getlocale('LC_CTYPE'))
  "
  script <- tempfile(fileext = ".R")
  writeLines(code, script)
  said <- system2(file.path(R.home("bin"), "Rscript"), script, stdout = TRUE, stderr = TRUE,
    env = c("LC_ALL=C", paste0("R_LIBS=", paste(.libPaths(), collapse = ":"))))
  engine <- if (requireNamespace("lavaan", quietly = TRUE)) "host" else "native"
  expect_identical(as.vector(said), sprintf("TRUE FALSE TRUE FALSE TRUE %s C", engine))
})
