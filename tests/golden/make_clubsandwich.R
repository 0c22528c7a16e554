# Writes clubsandwich_data.csv and clubsandwich.csv: vcovCR, coef_test, linear_contrast and
# Wald_test(test = "HTZ") of lm fits on four kinds of data.
# Run in tests/golden: Rscript --vanilla make_clubsandwich.R (needs r-cran-clubsandwich).
suppressPackageStartupMessages(library(clubSandwich))
set.seed(7)
study <- function(name, sizes, shared = 0) {
  subject <- rep(seq_along(sizes), sizes)
  n <- length(subject)
  x <- matrix(rnorm(n * 3), n) + matrix(rnorm(length(sizes) * 3), ncol = 3)[subject, ]
  x[, 3] <- x[, 3] + shared * x[, 2]
  between <- rnorm(length(sizes))[subject]
  # The first subject alone has x4: it determines that coefficient by itself.
  alone <- if (name == "singular") as.numeric(subject == 1) * rnorm(n) else rnorm(n)
  y <- 1 + 0.5 * x[, 1] - 0.3 * x[, 2] + between + rnorm(n) * (1 + abs(x[, 1]))
  data.frame(study = name, subject, y, x1 = x[, 1], x2 = x[, 2], x3 = x[, 3], x4 = alone,
             between)
}
rows <- rbind(
  study("balanced", rep(6, 15)),
  study("unbalanced", c(1, 2, 30, 4, 4, 9, 3, 1, 17, 5, 2, 8)),
  study("singular", c(5, 4, 7, 3, 6, 5, 8, 4), shared = 100),
  study("few", c(9, 7, 12, 10, 8))
)
exact <- function(m) { m[] <- lapply(m, function(x) if (is.numeric(x)) sprintf("%.17g", x) else x); m }
write.csv(exact(rows), "clubsandwich_data.csv", row.names = FALSE, quote = FALSE)

out <- NULL
add <- function(...) out <<- rbind(out, data.frame(...))
C <- rbind(c(0, 1, -1, 0, 0), c(0, 0, 1, 0, -1))
for (name in unique(rows$study)) {
  d <- rows[rows$study == name, ]
  fit <- lm(y ~ x1 + x2 + x3 + x4, d)
  for (cr in c("CR0", "CR1", "CR2", "CR3")) {
    V <- try(vcovCR(fit, cluster = d$subject, type = cr), silent = TRUE)
    # A subject that determines a coefficient alone leaves CR3 undefined.
    if (inherits(V, "try-error") || (cr == "CR3" && name == "singular")) next
    for (i in 1:5) for (j in 1:i)
      add(study = name, cr, what = "vcov", i, j, value = V[i, j])
    ct <- coef_test(fit, vcov = V, test = "Satterthwaite")
    lc <- linear_contrast(fit, vcov = V, contrasts = C, test = "Satterthwaite", p_values = TRUE)
    columns <- list(SE = "SE", df = if ("df_Satt" %in% names(ct)) "df_Satt" else "df", p = "p_Satt")
    for (k in names(columns)) for (i in 1:5)
      add(study = name, cr, what = paste0("coef_", k), i, j = 0, value = ct[[columns[[k]]]][i])
    for (k in c("Est", "SE", "df", "CI_L", "CI_U", "p_val")) for (i in 1:2)
      add(study = name, cr, what = paste0("contrast_", k), i, j = 0, value = lc[[k]][i])
    w <- Wald_test(fit, constraints = C, vcov = V, test = "HTZ")
    for (k in c("Fstat", "df_denom", "p_val"))
      add(study = name, cr, what = paste0("wald_", k), i = 0, j = 0, value = w[[k]])
  }
}
write.csv(exact(out), "clubsandwich.csv", row.names = FALSE, quote = FALSE)
write.csv(data.frame(package = "clubSandwich", version = sapply("clubSandwich", function(p)
  as.character(packageVersion(p)))), "clubsandwich_versions.csv", row.names = FALSE, quote = FALSE)
