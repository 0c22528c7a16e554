# lme4's REML on its 73,421 ratings of lecturers (d) by students (s), written to insteval.csv.
# Run in tests/golden: Rscript --vanilla make_insteval.R (10 s)
suppressPackageStartupMessages(library(lme4))
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10))
components <- function(formula, name) {
  fit <- lmer(formula, InstEval, control = control)
  v <- as.data.frame(VarCorr(fit))
  found <- setNames(v$vcov, v$grp)
  data.frame(model = name, lecturer = found[["d"]],
             student = if (name == "crossed") found[["s"]] else 0,
             error = found[["Residual"]], criterion = as.numeric(REMLcrit(fit)))
}
rows <- rbind(components(y ~ 1 + (1 | d), "one-way"),
              components(y ~ 1 + (1 | s) + (1 | d), "crossed"))
rows[-1] <- lapply(rows[-1], function(x) sprintf("%.17g", x))
write.csv(rows, "insteval.csv", row.names = FALSE, quote = FALSE)
F <- unname(oneway.test(y ~ d, InstEval, var.equal = TRUE)$statistic)
size <- as.double(table(InstEval$d))
n0 <- (sum(size) - sum(size^2) / sum(size)) / (length(size) - 1)
write.csv(data.frame(F = sprintf("%.17g", F), icc = sprintf("%.17g", (F - 1) / (F - 1 + n0))),
          "insteval_anova.csv", row.names = FALSE, quote = FALSE)
write.csv(data.frame(package = "lme4", version = as.character(packageVersion("lme4"))),
          "insteval_versions.csv", row.names = FALSE, quote = FALSE)
