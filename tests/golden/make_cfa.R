# Numbers of lavaan, called directly, for tests/parity/factor_model.py.
# Run in tests/golden: Rscript --vanilla make_cfa.R
suppressMessages(library(lavaan))
options(digits = 17)
control <- list(abs.tol = 1e-20, rel.tol = 1e-14, x.tol = 1e-14)
measures <- c("npar", "chisq", "df", "pvalue", "cfi", "tli", "rmsea", "rmsea.ci.lower",
              "rmsea.ci.upper", "srmr", "logl", "aic", "bic")
robust <- c("chisq.scaled", "df.scaled", "pvalue.scaled", "cfi.robust", "tli.robust",
            "rmsea.robust")
estimates <- list()
fits <- list()
scores <- list()
reliabilities <- list()
keep <- function(name, fit, predict = TRUE) {
    e <- parameterEstimates(fit, standardized = TRUE)
    s <- standardizedSolution(fit)
    at <- function(x) paste(x$lhs, x$op, x$rhs, if (is.null(x$group)) 1L else x$group)
    e$std.se <- s$se[match(at(e), at(s))]
    if (is.null(e$group)) e$group <- 1L
    labels <- if (lavInspect(fit, "ngroups") > 1) lavInspect(fit, "group.label") else "all"
    estimates[[name]] <<- data.frame(case = name, group = labels[e$group], lhs = e$lhs, op = e$op,
        rhs = e$rhs, estimate = e$est, std_error = e$se, std_all = e$std.all,
        std_all_error = e$std.se)
    # At these tolerances the baseline model may not converge: then by lavaan's own.
    m <- tryCatch(fitMeasures(fit), warning = function(w) fitMeasures(usual(fit)))
    found <- c(measures, if ("chisq.scaled" %in% names(m)) robust)
    fits[[name]] <<- data.frame(case = name, measure = found, value = unclass(m[found]))
    if (!predict) return(invisible())
    for (method in c("Bartlett", "regression")) {
        # Standard errors of scores: from complete rows only.
        whole <- lavInspect(fit, "options")$missing == "listwise"
        s <- lavPredict(fit, method = method, se = if (whole) "standard" else "none")
        errors <- attr(s, "se")
        if (!is.list(s)) s <- list(s)
        rows <- lavInspect(fit, "case.idx")
        if (!is.list(rows)) rows <- list(rows)
        scores[[paste(name, method)]] <<- do.call(rbind, lapply(seq_along(s), function(g)
            data.frame(case = name, method = tolower(method), row = rows[[g]],
                       factor = rep(colnames(s[[g]]), each = nrow(s[[g]])),
                       score = as.vector(unclass(s[[g]])),
                       se = if (is.null(errors)) NA_real_ else rep(as.vector(errors[[g]]),
                                                                   each = nrow(s[[g]])))))
    }
}
data <- HolzingerSwineford1939[c("school", paste0("x", 1:9))]
data$school <- as.character(data$school)
holey <- data
for (i in seq_len(nrow(holey))) {
    if (i %% 7 == 0) holey$x1[i] <- NA
    if (i %% 11 == 0) holey$x3[i] <- NA
}
fit <- function(model, ...) {
    usual <<- function(start) cfa(model, ..., std.lv = TRUE, meanstructure = TRUE,
                                  likelihood = "normal", start = start)
    first <- suppressWarnings(cfa(model, ..., std.lv = TRUE, meanstructure = TRUE,
                                  likelihood = "normal", control = control))
    if (lavInspect(first, "converged")) return(first)
    # nlminb stopped short of these tolerances: lavaan's Gauss-Newton goes on. lavaan 0.7 has
    # another option for its tolerances.
    newton <- if ("gn.args" %in% names(lavOptions()))
        list(gn.args = list(tol_x = 1e-12, tol_g = 1e-12)) else list(optim.gn.tol.x = 1e-12)
    do.call("cfa", c(list(model, ..., std.lv = TRUE, meanstructure = TRUE, likelihood = "normal",
                        start = first, optim.method = "GN"), newton))
}
# Reliability by lavaan's own delta method: log I and log J are defined parameters.
precision <- function(name, items, ...) {
    k <- seq_along(items)
    sum_of <- function(x) paste0("(", paste(x, collapse = " + "), ")")
    model <- c(paste("f =~", paste0("l", k, "*", items, collapse = " + ")),
               paste0(items, " ~~ t", k, "*", items),
               paste0("I := log", sum_of(paste0("l", k, "^2/t", k))),
               paste0("J := log(", sum_of(paste0("l", k)), "^2/", sum_of(paste0("t", k)), ")"))
    e <- parameterEstimates(fit(paste(model, collapse = "\n"), ...))
    share <- function(label, power) {
        x <- e[e$label == label, ]
        plogis(x$est + c(0, -1, 1) * qnorm(0.975) * x$se)^power
    }
    rows <- rbind(share("I", 1), share("I", 0.5), share("J", 1))
    reliabilities[[name]] <<- data.frame(case = name, estimate = rows[, 1], conf_low = rows[, 2],
        conf_high = rows[, 3], quantity = c("score_reliability", "determinacy", "omega"))
}
one <- "visual =~ x1 + x2 + x3"
three <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
keep("one", fit(one, data))
keep("one_by_school", fit(one, data, group = "school"))
keep("six", fit("g =~ x1 + x2 + x3 + x4 + x5 + x6", data))
keep("six_by_school", fit("g =~ x1 + x2 + x3 + x4 + x5 + x6", data, group = "school"))
keep("three_factors", fit(three, data))
keep("three_by_school", fit(three, data, group = "school"))
keep("listwise", fit(one, holey))
keep("fiml", fit(one, holey, missing = "ml"))
keep("mlr", fit("g =~ x1 + x2 + x3 + x4 + x5 + x6", data, estimator = "MLR"))
paper <- list(startle = c(.98, .97, .95), pain = c(.98, .96, .85), disgust = c(.98, .98, .90),
              all = c(.98, .97, .91))
for (context in names(paper)) {
    l <- paper[[context]]
    s <- tcrossprod(l)
    diag(s) <- 1
    dimnames(s) <- rep(list(c("response", "emotion", "motion")), 2)
    sample <- list(sample.cov = s, sample.mean = c(response = 0, emotion = 0, motion = 0),
                   sample.nobs = 560, sample.cov.rescale = FALSE)
    keep(context, do.call(fit, c("expressiveness =~ response + emotion + motion", sample)),
         predict = FALSE)
    do.call(precision, c(list(context, names(sample$sample.mean)), sample))
}
# Random covariance matrices of three to seven indicators: one factor and noise of low rank,
# so that misfit and a Heywood case are among them.
set.seed(12)
matrices <- list()
for (i in 1:14) {
    p <- 3L + (i - 1L) %% 5L
    l <- runif(p, 0.2, 0.95) * sample(c(1, 1, 1, -1), p, replace = TRUE)
    noise <- matrix(rnorm(p * (p + i)), p)
    s <- tcrossprod(l) + diag(1 - l^2) + c(0, 0.2, 0.5)[1 + i %% 3] * tcrossprod(noise) / ncol(noise)
    s <- s * tcrossprod(exp(rnorm(p)))
    if (p == 3 && s[1, 2] * s[1, 3] * s[2, 3] <= 0) next
    items <- paste0("x", seq_len(p))
    dimnames(s) <- list(items, items)
    n <- sample(40:400, 1)
    name <- paste0("random", i)
    matrices[[name]] <- data.frame(case = name, n, row = c(row(s)), column = c(col(s)),
                                   value = c(s))
    keep(name, suppressWarnings(fit(paste("f =~", paste(items, collapse = " + ")), sample.cov = s,
        sample.mean = setNames(numeric(p), items), sample.nobs = n, sample.cov.rescale = FALSE)),
        predict = FALSE)
}
precision("one", paste0("x", 1:3), data)
precision("six", paste0("x", 1:6), data)
two <- Demo.twolevel[1:500, c("y1", "y2", "y3", "y4", "y5", "y6", "cluster")]
keep("cluster", fit("fw =~ y1 + y2 + y3 + y4", two, cluster = "cluster", estimator = "MLR"),
     predict = FALSE)
write <- function(x, name) {
    x <- do.call(rbind, x)
    for (column in names(x)) if (is.double(x[[column]]))
        x[[column]] <- ifelse(is.na(x[[column]]), "", sprintf("%.17g", x[[column]]))
    write.csv(x, name, row.names = FALSE, quote = FALSE)
}
# Rounded: equality is tested to 1e-5 standard errors.
write(estimates, "cfa_estimates.csv")
write(fits, "cfa_fit.csv")
s <- do.call(rbind, scores)
s$score <- signif(s$score, 12)
s$se <- signif(s$se, 12)
s <- s[s$row %% 10 == 1, ]
write(list(s), "cfa_scores.csv")
write(reliabilities, "cfa_reliability.csv")
write(matrices, "cfa_random.csv")
d <- cbind(row = seq_len(nrow(data)), data)
write(list(d), "cfa_holzinger.csv")
write(list(two), "cfa_twolevel.csv")
write(list(data.frame(package = "lavaan", version = as.character(packageVersion("lavaan")))),
      "cfa_versions.csv")
