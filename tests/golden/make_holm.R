# Numbers for tests/parity and tests/inference: p.adjust by Holm's steps, with missing p-values,
# which are not counted. Run in tests/golden: Rscript --vanilla make_holm.R
set.seed(7)
exact <- function(x) ifelse(is.na(x), "NA", sprintf("%.17g", x))
sets <- lapply(1:6, function(i) {
  p <- rbeta(9, 0.4, 2)
  # One with ties, one with values that are missing.
  if (i == 5) p[c(2, 6)] <- p[4]
  if (i == 6) p[c(1, 8)] <- NA
  data.frame(set = i, p = exact(p), adjusted = exact(p.adjust(p, "holm")))
})
write.csv(do.call(rbind, sets), "holm.csv", row.names = FALSE, quote = FALSE)
write.csv(data.frame(package = "stats", version = as.character(getRversion())),
          "holm_versions.csv", row.names = FALSE, quote = FALSE)
