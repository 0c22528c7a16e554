# Chi-square differences of lavaan for many studies at once, groups treated as independent.
#   Rscript measurement_lavaan.R rows.csv answers.csv
# rows.csv: study, context, x1 ... xp. answers.csv: study, metric, scalar (p-values, NA
# where lavaan did not converge). Parsed once: later studies reuse options and table.
suppressMessages(library(lavaan))
files <- commandArgs(TRUE)
rows <- read.csv(files[1])
names_x <- grep("^x", names(rows), value = TRUE)
model <- paste("f =~", paste(names_x, collapse = " + "))
moments <- function(data) {
    parts <- split(data[names_x], data$context)
    list(sample.cov = lapply(parts, function(x) cov(x) * (nrow(x) - 1) / nrow(x)),
         sample.mean = lapply(parts, colMeans), sample.nobs = lapply(parts, nrow))
}
studies <- lapply(split(rows, rows$study), moments)
first <- lapply(list("", "loadings", c("loadings", "intercepts")), function(equal)
    do.call("cfa", c(list(model, sample.cov.rescale = FALSE, std.lv = TRUE, meanstructure = TRUE,
                        likelihood = "normal", group.equal = equal, se = "none",
                        baseline = FALSE), studies[[1]])))
chisq <- function(template, study) {
    fit <- tryCatch(suppressWarnings(do.call("lavaan",
        c(list(slotOptions = template@Options, slotParTable = template@ParTable), study))),
        error = function(e) NULL)
    if (is.null(fit) || !lavInspect(fit, "converged")) return(c(NA, NA))
    c(fit@test$standard$stat, fit@test$standard$df)
}
answer <- lapply(names(studies), function(number) {
    fits <- sapply(first, chisq, study = studies[[number]])
    p <- pchisq(diff(fits[1, ]), diff(fits[2, ]), lower.tail = FALSE)
    data.frame(study = number, metric = p[1], scalar = p[2])
})
write.csv(do.call(rbind, answer), files[2], row.names = FALSE)
