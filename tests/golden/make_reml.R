# Restricted maximum likelihood by lme4 of 600 odd tables of targets by raters: writes reml.csv.
# Run in tests/golden: Rscript --vanilla make_reml.R
#
# A row is a table: its scores row by row, "." where there is none; lme4's least criterion over
# three optimisers, and the components there; and the criterion at which lmer() itself stops.

suppressMessages(library(lme4))
folder <- c(commandArgs(trailingOnly = TRUE), ".")[1]
set.seed(20240613)

sizes <- c(0, 0.01, 0.05, 0.3, 1, 5)

# Which raters rate which targets: TRUE where there is a score.
pattern <- function(kind, n, k, missing) {
  cells <- matrix(runif(n * k) > missing, n, k)
  if (kind == "blocks") {
    # No target of the first half is rated by a rater of the second: nothing links them.
    half <- k %/% 2
    cells[seq_len(n %/% 2), (half + 1):k] <- FALSE
    cells[(n %/% 2 + 1):n, seq_len(half)] <- FALSE
    for (i in seq_len(n)) if (!any(cells[i, ])) {
      cells[i, if (i <= n %/% 2) seq_len(half) else (half + 1):k] <- TRUE
    }
  } else if (kind == "chain") {
    # Each target by two neighbours.
    first <- (seq_len(n) - 1) %% (k - 1) + 1
    cells[] <- FALSE
    cells[cbind(seq_len(n), first)] <- TRUE
    cells[cbind(seq_len(n), first + 1)] <- TRUE
  } else if (kind == "one rater has all") {
    cells[, 1] <- TRUE
  }
  empty <- which(rowSums(cells) == 0)
  cells[cbind(empty, sample(k, length(empty), replace = TRUE))] <- TRUE
  for (j in which(colSums(cells) == 0)) cells[sample(n, 1), j] <- TRUE
  cells
}

one <- function(kind) {
  many <- kind == "more raters than targets"
  k <- if (many) sample(12:30, 1) else sample((if (kind == "blocks") 4 else 2 + (kind == "chain")):8, 1)
  n <- if (many) sample(4:9, 1) else sample(8:60, 1)
  missing <- runif(1, 0.02, 0.8)
  variances <- sample(sizes, 2, replace = TRUE)
  y <- outer(sqrt(variances[1]) * rnorm(n), sqrt(variances[2]) * rnorm(k), "+") + rnorm(n * k)
  y <- if (kind == "scores 0 to 4") pmin(pmax(round(2 + y), 0), 4) else round(50 + 10 * y)
  y[!pattern(kind, n, k, missing)] <- NA
  y
}

fit <- function(long, optimizer) {
  control <- lmerControl(
    optimizer = optimizer, calc.derivs = FALSE,
    check.nobs.vs.nlev = "ignore", check.nobs.vs.rankZ = "ignore", check.conv.singular = "ignore"
  )
  suppressWarnings(suppressMessages(
    lmer(y ~ 1 + (1 | target) + (1 | rater), long, control = control)
  ))
}

rows <- list()
kinds <- c("random", "random", "random", "scores 0 to 4", "blocks", "chain", "one rater has all",
           "more raters than targets")
while (length(rows) < 600) {
  kind <- kinds[length(rows) %% length(kinds) + 1]
  table <- one(kind)
  present <- which(!is.na(table), arr.ind = TRUE)
  long <- data.frame(y = table[present], target = factor(present[, 1]), rater = factor(present[, 2]))
  # One score per target, or per rater, or a table that targets and raters explain fully.
  if (nrow(long) <= nlevels(long$target) + nlevels(long$rater)) next
  if (sd(resid(lm(y ~ target + rater, long))) < 1e-8) next
  fits <- lapply(c("nloptwrap", "bobyqa", "Nelder_Mead"), function(o) fit(long, o))
  criteria <- sapply(fits, REMLcrit)
  best <- fits[[which.min(criteria)]]
  parts <- as.data.frame(VarCorr(best))
  variance <- setNames(parts$vcov, parts$grp)
  cells <- t(table)
  rows[[length(rows) + 1]] <- data.frame(
    kind = kind, raters = ncol(table),
    target = signif(variance[["target"]], 12), rater = signif(variance[["rater"]], 12),
    error = signif(variance[["Residual"]], 12), criterion = sprintf("%.9f", min(criteria)),
    lmer = sprintf("%.9f", criteria[1]),
    scores = paste(ifelse(is.na(cells), ".", cells), collapse = " ")
  )
}
write.csv(do.call(rbind, rows), file.path(folder, "reml.csv"), row.names = FALSE, quote = FALSE)
