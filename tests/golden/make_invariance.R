# Numbers of lavaan for tests/measurement/test_invariance.py. Run in tests/golden:
#   Rscript --vanilla make_invariance.R
# The Wald tests by another road than ours: lavaan refitted on the rows that are left without
# each subject, the covariance of the contrasts from pseudo-values, Hotelling's T squared by
# stats::mahalanobis. Made with lavaan 0.6-14 (Debian 12); takes minutes.
suppressMessages(library(lavaan))
control <- list(abs.tol = 1e-20, rel.tol = 1e-14, x.tol = 1e-14, iter.max = 1000L,
                eval.max = 2000L)
set.seed(20)
# 16 subjects in three contexts, the last two absent from one; loadings and intercepts differ
# a little, and a subject's leanings are shared by its contexts.
subjects <- 16L
rows <- expand.grid(clip = 1:5, context = c("pain", "disgust", "startle"),
                    subject = sprintf("s%02d", seq_len(subjects)), stringsAsFactors = FALSE)
rows <- rows[!(rows$subject == "s15" & rows$context == "pain") &
             !(rows$subject == "s16" & rows$context == "startle"), ]
person <- as.integer(factor(rows$subject))
f <- rnorm(subjects)[person] * 0.7 + rnorm(nrow(rows)) * 0.8
f <- f * c(pain = 1, disgust = 0.8, startle = 1.2)[rows$context] +
    c(pain = 0, disgust = 0.6, startle = -0.4)[rows$context]
loading <- c(0.9, 0.8, 0.7, 0.6)
for (j in 1:4) {
    leaning <- rnorm(subjects)[person] * 0.3
    own <- loading[j] + ifelse(rows$context == "disgust" & j == 3, 0.25, 0)
    rows[[paste0("x", j)]] <- round(2 + own * f + leaning + 0.5 * rnorm(nrow(rows)), 3)
}
rows <- rows[c("subject", "context", "clip", paste0("x", 1:4))]
write.csv(rows, "invariance_rows.csv", row.names = FALSE, quote = FALSE)

# Loadings and intercepts of each group, (groups, 2, indicators), labels sorted.
estimates <- function(data, model, names, group) {
    call <- function(...) suppressWarnings(cfa(model, data, group = group, std.lv = TRUE,
        meanstructure = TRUE, likelihood = "normal", se = "none", ...))
    fit <- call(control = control)
    # lavaan 0.7 has another option for the tolerances of its Gauss-Newton.
    newton <- if ("gn.args" %in% names(lavOptions()))
        list(gn.args = list(tol_x = 1e-12, tol_g = 1e-12)) else list(optim.gn.tol.x = 1e-12)
    if (!lavInspect(fit, "converged"))
        fit <- do.call(call, c(list(start = fit, optim.method = "GN"), newton))
    stopifnot(lavInspect(fit, "converged"))
    found <- lavInspect(fit, "est")
    found <- found[sort(names(found))]
    sapply(found, function(g) {
        l <- g$lambda[names, 1]
        rbind(l * sign(sum(l)), g$nu[names, 1])
    }, simplify = "array")
}
# Contrasts (all of a level in one vector) of an array (2, indicators, groups).
metric <- function(e, held) {
    ratio <- log(e[1, held, ] / rep(e[1, held[1], ], each = length(held)))
    as.vector(ratio[-1, -1, drop = FALSE] - ratio[-1, 1])
}
scalar <- function(e, held) {
    r <- exp(rowMeans(log(e[1, held, ] / rep(e[1, held[1], ], each = length(held)))))
    rise <- e[2, held, -1, drop = FALSE][1, , ] - e[2, held, 1]
    rise <- matrix(rise, nrow = length(held))
    as.vector(rise[-1, , drop = FALSE] - r[-1] %o% rise[1, ])
}
answers <- list()
keep <- function(case, whole, left, strata, held) {
    for (level in c("metric", "scalar")) {
        contrast <- get(level)
        d <- contrast(whole, held)
        without <- t(sapply(left, contrast, held = held))
        covariance <- 0
        for (h in unique(strata)) {
            mine <- strata == h
            n <- sum(mine)
            pseudo <- n * matrix(d, n, length(d), byrow = TRUE) - (n - 1) * without[mine, ]
            covariance <- covariance + cov(pseudo) / n
        }
        q <- length(d)
        df <- length(left) - length(unique(strata))
        statistic <- mahalanobis(rep(0, q), d, covariance) * (df + 1 - q) / (q * df)
        answers[[length(answers) + 1]] <<- data.frame(case = case, level = level, df1 = q,
            df2 = df + 1 - q, statistic = statistic,
            p_value = pf(statistic, q, df + 1 - q, lower.tail = FALSE),
            first = d[1], first_error = sqrt(covariance[1, 1]))
    }
}
x <- paste0("x", 1:4)
model <- paste("f =~", paste(x, collapse = " + "))
whole <- estimates(rows, model, x, "context")
left <- lapply(unique(rows$subject), function(s)
    estimates(rows[rows$subject != s, ], model, x, "context"))
keep("shared", whole, left, rep(1, subjects), 1:4)
keep("shared, x3 free", whole, left, rep(1, subjects), c(1, 2, 4))
keep("shared, x1 free", whole, left, rep(1, subjects), 2:4)
# Groups that share nobody: every child a subject, the jackknife within schools.
school <- HolzingerSwineford1939[c("school", "x1", "x2", "x3")]
school$school <- as.character(school$school)
v <- paste0("x", 1:3)
model <- "visual =~ x1 + x2 + x3"
whole <- estimates(school, model, v, "school")
left <- lapply(seq_len(nrow(school)), function(i) estimates(school[-i, ], model, v, "school"))
keep("schools", whole, left, school$school, 1:3)
answers <- do.call(rbind, answers)
for (name in names(answers)[-(1:4)]) answers[[name]] <- sprintf("%.15g", answers[[name]])
write.csv(answers, "invariance.csv", row.names = FALSE, quote = c(1, 2))
