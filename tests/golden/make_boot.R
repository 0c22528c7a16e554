# Numbers for tests/inference: boot::boot over subjects, with the rows of a drawn subject
# copied (the statistic as mlboot defines it), and boot::boot.ci on its replicates.
# Run in tests/golden: Rscript --vanilla make_boot.R
library(boot)
set.seed(20)
sizes <- c(3, 9, 5, 1, 7, 6, 4, 8, 5, 5, 2, 12, 6, 5, 4, 3)
subject <- rep(seq_along(sizes), sizes)
n <- length(subject)
y <- rnorm(length(sizes))[subject] + rnorm(n)
good <- 0.7 * y + 0.6 * rnorm(n)
poor <- 0.3 * y + 0.9 * rnorm(n) + 0.4 * rnorm(length(sizes))[subject]
rows <- data.frame(subject, y, good, poor)

metrics <- function(d) {
  e <- c(sqrt(mean((d$good - d$y)^2)), sqrt(mean((d$poor - d$y)^2)))
  r <- c(cor(d$good, d$y), cor(d$poor, d$y))
  c(e, e[1] - e[2], r, r[1] - r[2])
}
names <- c("rmse good", "rmse poor", "rmse good - poor",
           "correlation good", "correlation poor", "correlation good - poor")
pieces <- split(rows, rows$subject)
statistic <- function(ids, index) metrics(do.call(rbind, pieces[ids[index]]))
G <- length(sizes)
b <- boot(seq_len(G), statistic, R = 999)
jackknife <- t(sapply(seq_len(G), function(g) metrics(rows[rows$subject != g, ])))

exact <- function(x) sprintf("%.17g", x)
write_exact <- function(m, file) {
  m[] <- lapply(m, function(x) if (is.numeric(x)) exact(x) else x)
  write.csv(m, file, row.names = FALSE, quote = FALSE)
}
write_exact(rows, "boot_rows.csv")
write_exact(setNames(as.data.frame(b$t), names), "boot_replicates.csv")
write_exact(setNames(as.data.frame(jackknife), names), "boot_jackknife.csv")

out <- NULL
for (i in seq_along(names)) {
  L <- (G - 1) * (mean(jackknife[, i]) - jackknife[, i])
  for (conf in c(0.8, 0.95, 0.98)) {
    ci <- boot.ci(b, conf = conf, type = c("norm", "basic", "perc", "bca"), index = i, L = L)
    ends <- list(normal = ci$normal[2:3], basic = ci$basic[4:5],
                 percentile = ci$percent[4:5], bca = ci$bca[4:5])
    for (method in base::names(ends))
      out <- rbind(out, data.frame(quantity = names[i], estimate = b$t0[i], method,
                                   confidence = conf, low = ends[[method]][1],
                                   high = ends[[method]][2]))
  }
}
write_exact(out, "boot_intervals.csv")
# The same with many replicates of their own: an interval with little Monte Carlo error.
many <- boot(seq_len(G), statistic, R = 5000)
long <- t(apply(many$t, 2, quantile, c(0.025, 0.975), type = 6))
write_exact(data.frame(quantity = names, low = long[, 1], high = long[, 2]), "boot_long.csv")
write.csv(data.frame(package = "boot", version = sapply("boot", function(p)
  as.character(packageVersion(p)))), "boot_versions.csv", row.names = FALSE, quote = FALSE)
