# Numbers of lavaan for tests/measurement/test_cfa.py. Run from the repository root:
#   Rscript tests/golden/make_cfa.R
# Made with lavaan 0.6-14 (Debian 12).
suppressMessages(library(lavaan))
options(digits = 17)
control <- list(abs.tol = 1e-20, rel.tol = 1e-14, x.tol = 1e-14)
measures <- c("npar", "chisq", "df", "pvalue", "cfi", "tli", "rmsea", "rmsea.ci.lower",
              "rmsea.ci.upper", "srmr", "logl", "aic", "bic")
estimates <- list()
fits <- list()
scores <- list()
keep <- function(name, fit, predict = TRUE) {
    e <- parameterEstimates(fit, standardized = TRUE)
    if (is.null(e$group)) e$group <- 1L
    labels <- if (lavInspect(fit, "ngroups") > 1) lavInspect(fit, "group.label") else "all"
    estimates[[name]] <<- data.frame(case = name, group = labels[e$group], lhs = e$lhs, op = e$op,
        rhs = e$rhs, estimate = e$est, std_error = e$se, std_all = e$std.all)
    m <- fitMeasures(fit)
    fits[[name]] <<- data.frame(case = name, measure = measures, value = unclass(m[measures]))
    if (!predict) return(invisible())
    for (method in c("Bartlett", "regression")) {
        s <- lavPredict(fit, method = method)
        if (!is.list(s)) s <- list(s)
        rows <- lavInspect(fit, "case.idx")
        if (!is.list(rows)) rows <- list(rows)
        scores[[paste(name, method)]] <<- do.call(rbind, lapply(seq_along(s), function(g)
            data.frame(case = name, method = tolower(method), row = rows[[g]],
                       factor = rep(colnames(s[[g]]), each = nrow(s[[g]])),
                       score = as.vector(unclass(s[[g]])))))
    }
}
data <- HolzingerSwineford1939[c("school", paste0("x", 1:9))]
data$school <- as.character(data$school)
holey <- data
for (i in seq_len(nrow(holey))) {
    if (i %% 7 == 0) holey$x1[i] <- NA
    if (i %% 11 == 0) holey$x3[i] <- NA
}
fit <- function(model, data, ...) {
    first <- suppressWarnings(cfa(model, data, std.lv = TRUE, meanstructure = TRUE,
                                  likelihood = "normal", control = control, ...))
    if (lavInspect(first, "converged")) return(first)
    # nlminb stopped short of these tolerances: lavaan's Gauss-Newton goes on.
    cfa(model, data, std.lv = TRUE, meanstructure = TRUE, likelihood = "normal",
        start = first, optim.method = "GN", optim.gn.tol.x = 1e-12, ...)
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
    keep(context, cfa("expressiveness =~ response + emotion + motion", sample.cov = s,
        sample.mean = c(response = 0, emotion = 0, motion = 0), sample.nobs = 560,
        sample.cov.rescale = FALSE, std.lv = TRUE, meanstructure = TRUE, likelihood = "normal",
        control = control), predict = FALSE)
}
two <- Demo.twolevel[1:500, c("y1", "y2", "y3", "y4", "y5", "y6", "cluster")]
keep("cluster", fit("fw =~ y1 + y2 + y3 + y4", two, cluster = "cluster", estimator = "MLR"),
     predict = FALSE)
write <- function(x, name) {
    x <- do.call(rbind, x)
    for (column in names(x)) if (is.double(x[[column]]))
        x[[column]] <- ifelse(is.na(x[[column]]), "", sprintf("%.17g", x[[column]]))
    write.csv(x, file.path("tests/golden", name), row.names = FALSE, quote = FALSE)
}
# Rounded: equality is tested to 1e-5 standard errors.
write(estimates, "cfa_estimates.csv")
write(fits, "cfa_fit.csv")
s <- do.call(rbind, scores)
s$score <- signif(s$score, 12)
s <- s[s$row %% 10 == 1, ]
write(list(s), "cfa_scores.csv")
d <- cbind(row = seq_len(nrow(data)), data)
write(list(d), "cfa_holzinger.csv")
write(list(two), "cfa_twolevel.csv")
