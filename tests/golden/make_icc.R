# Intraclass correlations by psych and lme4, written to icc.json with the ratings they are from.
# Run in tests/golden: Rscript --vanilla make_icc.R
suppressPackageStartupMessages({
  library(psych)
  library(lme4)
})

json <- function(x) {
  if (is.list(x)) {
    inner <- vapply(x, json, "")
    if (is.null(names(x))) return(paste0("[", paste(inner, collapse = ",\n"), "]"))
    return(paste0("{", paste0('"', names(x), '": ', inner, collapse = ",\n"), "}"))
  }
  if (is.matrix(x)) return(json(lapply(seq_len(nrow(x)), function(i) x[i, ])))
  text <- ifelse(is.na(x), "null", sprintf("%.17g", x))
  paste0("[", paste(text, collapse = ", "), "]")
}

set.seed(20240101)
effects <- function(n, k, target, rater, error) {
  round(outer(rnorm(n, 0, target), rnorm(k, 0, rater), "+") + rnorm(n * k, 0, error) + 2, 3)
}
tables <- list(
  shrout_fleiss = matrix(c(9, 2, 5, 8, 6, 1, 3, 2, 8, 4, 6, 8, 7, 1, 2, 6, 10, 5, 6, 9, 6, 2, 4, 7),
                         ncol = 4, byrow = TRUE),
  strong = effects(40, 6, 1, 0.4, 0.5),
  no_rater_effect = effects(25, 3, 1, 0, 1),
  negative = effects(8, 4, 0, 0.2, 1),
  two_by_two = matrix(c(1, 2.5, 3, 3.25), 2, byrow = TRUE),
  ordinal = pmin(pmax(round(effects(60, 5, 1, 0.3, 0.8)), 0), 4)
)

psych_icc <- function(x, level, lmer) {
  # psych's order: ICC1, ICC2, ICC3, ICC1k, ICC2k, ICC3k
  suppressMessages(suppressWarnings({
    found <- ICC(x, alpha = 1 - level, lmer = lmer)$results[c(1, 4, 2, 5, 3, 6), ]
  }))
  columns <- c("ICC", "lower bound", "upper bound", "F", "df1", "df2", "p")
  m <- as.matrix(found[, columns])
  dimnames(m) <- NULL
  m
}

cases <- lapply(tables, function(x) list(
  table = x,
  psych_95 = psych_icc(x, 0.95, FALSE),
  psych_90 = psych_icc(x, 0.90, FALSE),
  psych_lmer = psych_icc(x, 0.95, TRUE)
))

# Unequal numbers of ratings: mean squares by aov.
size <- c(1, 2, 2, 3, 3, 4, 5, 7, 9, 1, 6, 3)
target <- rep(seq_along(size), size)
unequal <- round(rnorm(length(size))[target] + rnorm(length(target), 0, 0.8), 3)
mean_squares <- summary(aov(unequal ~ factor(target)))[[1]][["Mean Sq"]]

# Two-way with missing cells: variance components by REML.
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10),
                       check.conv.singular = "ignore", check.conv.grad = "ignore")
components <- function(fit) {
  v <- as.data.frame(VarCorr(fit))
  c(v$vcov[match(c("t", "r", "Residual"), v$grp)], as.numeric(REMLcrit(fit)))
}
# Covariance of (log lambda_t, log lambda_r): second differences of lme4's own criterion.
curvature <- function(d) {
  f <- lmer(y ~ 1 + (1 | t) + (1 | r), d, control = control)
  v <- as.data.frame(VarCorr(f))
  tau <- log(v$vcov[1:2] / v$vcov[3])
  criterion <- lmer(y ~ 1 + (1 | t) + (1 | r), d, devFunOnly = TRUE)
  at <- function(x, y) criterion(exp((tau + c(x, y)) / 2))
  h <- 1e-3
  second <- matrix(0, 2, 2)
  second[1, 1] <- (at(h, 0) - 2 * at(0, 0) + at(-h, 0)) / h^2
  second[2, 2] <- (at(0, h) - 2 * at(0, 0) + at(0, -h)) / h^2
  second[1, 2] <- second[2, 1] <- (at(h, h) - at(h, -h) - at(-h, h) + at(-h, -h)) / (4 * h^2)
  found <- 2 * solve(second)
  order <- match(c("t", "r"), v$grp[1:2])
  found[order, order]
}
holes <- function(n, k, target, rater, error, share) {
  x <- effects(n, k, target, rater, error)
  x[matrix(runif(n * k) < share, n)] <- NA
  x
}
incomplete <- lapply(list(
  some = holes(30, 6, 1, 0.5, 0.7, 0.2),
  many = holes(50, 12, 0.8, 0.4, 1, 0.6),
  no_raters = holes(20, 5, 1, 0, 1, 0.3)
), function(x) {
  d <- data.frame(t = factor(c(row(x))), r = factor(c(col(x))), y = c(x))
  list(table = x, components = components(lmer(y ~ 1 + (1 | t) + (1 | r), d, control = control)),
       covariance = curvature(d))
})
complete <- tables$strong
d <- data.frame(t = factor(c(row(complete))), r = factor(c(col(complete))), y = c(complete))
strong_components <- components(lmer(y ~ 1 + (1 | t) + (1 | r), d, control = control))

# One-way and balanced: REML is then the analysis of variance.
one_way <- lapply(tables[c("shrout_fleiss", "strong", "ordinal")], function(x) {
  d <- data.frame(t = factor(c(row(x))), y = c(x))
  v <- as.data.frame(VarCorr(lmer(y ~ 1 + (1 | t), d, control = control)))$vcov
  v[1] / sum(v)
})

writeLines(json(list(
  cases = cases,
  one_way = one_way,
  unequal = list(values = unequal, targets = target, mean_squares = mean_squares),
  incomplete = incomplete,
  strong_components = strong_components
)), "icc.json")
write.csv(data.frame(package = c("psych", "lme4"), version = sapply(c("psych", "lme4"), function(p)
  as.character(packageVersion(p)))), "icc_versions.csv", row.names = FALSE, quote = FALSE)
