# Multilevel models of slopes by lme4, written to pooling.json with the rows they are from.
# Run in tests/golden: Rscript --vanilla make_pooling.R
suppressPackageStartupMessages(library(lme4))

json <- function(x) {
  if (is.list(x)) {
    inner <- vapply(x, json, "")
    return(paste0("{", paste0('"', names(x), '": ', inner, collapse = ",\n"), "}"))
  }
  text <- if (is.character(x)) paste0('"', x, '"') else sprintf("%.12g", x)
  paste0("[", paste(text, collapse = ", "), "]")
}

simulated <- function(seed, subjects, contexts, rows, tau, missing) {
  set.seed(seed)
  d <- expand.grid(row = seq_len(rows), context = letters[seq_len(contexts)],
                   subject = seq_len(subjects), stringsAsFactors = FALSE)
  d <- d[runif(nrow(d)) >= missing, ]
  d$f <- round(rnorm(nrow(d), 2), 3)
  d$g <- round(rnorm(nrow(d)) + 0.3 * d$f, 3)
  slopes <- matrix(rnorm(2 * contexts, 0.4), contexts) %*% diag(tau) + 0.2
  rownames(slopes) <- letters[seq_len(contexts)]
  own <- matrix(rnorm(2 * subjects, 0, 0.3), subjects)
  u <- rnorm(subjects, 0, 0.8)
  cell <- factor(paste(d$subject, d$context))
  within <- matrix(rnorm(2 * nlevels(cell), 0, 0.3), nlevels(cell))
  y <- u[d$subject] + rnorm(nlevels(cell), 0, 0.4)[cell] + rnorm(nrow(d))
  for (j in 1:2) {
    slope <- slopes[cbind(match(d$context, rownames(slopes)), j)] + own[d$subject, j] +
      within[as.integer(cell), j]
    y <- y + slope * d[[c("f", "g")[j]]]
  }
  d$y <- round(y, 3)
  d$row <- NULL
  d
}

common <- y ~ 0 + context + zf + zg + (0 + zf | context) + (0 + zg | context) + (1 | subject)
slopes <- update(common, ~ . + (0 + zf | subject) + (0 + zg | subject))
cells <- update(slopes, ~ . + (1 | subject:context) + (0 + zf | subject:context) +
                  (0 + zg | subject:context))

fitted <- function(d, formula) {
  z <- d
  for (name in c("f", "g")) {
    centred <- d[[name]] - ave(d[[name]], d$context)
    z[[paste0("z", name)]] <- centred / sqrt(mean(centred^2))
  }
  fits <- lapply(c("nloptwrap", "bobyqa"), function(optimizer) {
    tight <- if (optimizer == "bobyqa") list(maxfun = 1e5, rhoend = 1e-9)
             else list(maxeval = 1e5, xtol_abs = 1e-12, ftol_abs = 1e-12)
    control <- lmerControl(optimizer = optimizer, optCtrl = tight, calc.derivs = FALSE,
                           check.conv.singular = "ignore")
    suppressMessages(lmer(formula, z, control = control))
  })
  best <- fits[[which.min(sapply(fits, REMLcrit))]]
  parts <- as.data.frame(VarCorr(best))
  name <- ifelse(is.na(parts$var1), "", sub("(Intercept)", "intercept", sub("^z", "", parts$var1),
                                            fixed = TRUE))
  pooled <- coef(best)$context
  list(
    data = as.list(d),
    groups = sub("subject.context", "subject:context", fixed = TRUE,
                 sub("Residual", "residual", sub("[.][0-9]+$", "", parts$grp))), terms = name,
    variances = parts$vcov, criterion = REMLcrit(best),
    common = unname(fixef(best)[c("zf", "zg")]), contexts = rownames(pooled),
    pooled_f = pooled$zf, pooled_g = pooled$zg
  )
}

balanced <- simulated(1, 12, 4, 5, c(0.5, 0.2), 0)
unbalanced <- simulated(2, 16, 5, 5, c(0.4, 0), 0.45)
cases <- list(
  intercepts = fitted(balanced, common), slopes = fitted(balanced, slopes),
  contexts = fitted(balanced, cells), unbalanced = fitted(unbalanced, cells),
  unbalanced_slopes = fitted(unbalanced, slopes)
)

# Slopes of persons: intercepts of the persons are fixed, their slopes random. All persons have
# the same signal, so that their errors have the same variance.
set.seed(3)
x <- round(rnorm(10), 3)
persons <- data.frame(subject = sprintf("p%02d", rep(1:15, each = 10)), x = rep(x, 15))
own <- rnorm(15, 0.4, 0.4)
persons$y <- round(own[rep(1:15, each = 10)] * persons$x + rnorm(150), 3)
model <- lmer(y ~ 0 + subject + x + (0 + x | subject), persons, control = lmerControl(
  optCtrl = list(maxeval = 1e5, xtol_abs = 1e-12, ftol_abs = 1e-12)))
parts <- as.data.frame(VarCorr(model))
cases$persons <- list(
  data = as.list(persons), mean = unname(fixef(model)["x"]), std_dev = parts$sdcor[1],
  residual = parts$vcov[2], shrunken = unname(fixef(model)["x"]) + ranef(model)$subject$x
)
writeLines(json(cases), "pooling.json")
parts <- c(R = as.character(getRversion()), lme4 = as.character(packageVersion("lme4")))
write.csv(data.frame(package = names(parts), version = parts), "pooling_versions.csv",
          row.names = FALSE, quote = FALSE)
