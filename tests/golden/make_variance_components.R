# Variance components by lme4, written to variance_components.json with the ratings they are from.
# Run in tests/golden: Rscript --vanilla make_variance_components.R
suppressPackageStartupMessages(library(lme4))

json <- function(x) {
  if (is.list(x)) {
    inner <- vapply(x, json, "")
    return(paste0("{", paste0('"', names(x), '": ', inner, collapse = ",\n"), "}"))
  }
  text <- if (is.character(x)) paste0('"', x, '"') else sprintf("%.15g", x)
  paste0("[", paste(text, collapse = ", "), "]")
}

simulated <- function(seed, subjects, clips, raters, sd, missing, questions = 1) {
  set.seed(seed)
  d <- do.call(rbind, lapply(seq_len(subjects), function(s) {
    expand.grid(subject = s, clip = seq_len(sample(clips, 1)), rater = seq_len(raters),
                question = seq_len(questions))
  }))
  d <- d[runif(nrow(d)) >= missing, ]
  draw <- function(sd, ...) {
    cell <- factor(paste(...))
    rnorm(nlevels(cell), 0, sd)[cell]
  }
  score <- 2 + draw(sd[1], d$subject) + draw(sd[2], d$subject, d$clip) + draw(sd[3], d$rater) +
    draw(sd[4], d$subject, d$rater) + rnorm(nrow(d), 0, sd[5])
  if (questions > 1) score <- score + draw(0.5, d$question) + draw(0.3, d$subject, d$question)
  else d$question <- NULL
  cbind(d, score = round(score, 3))
}

nested <- score ~ 1 + (1 | subject) + (1 | subject:clip) + (1 | rater) + (1 | subject:rater)
many <- update(nested, ~ . + (1 | question) + (1 | rater:question) + (1 | subject:question))
cases <- list(
  dyestuff = list(Dyestuff, Yield ~ 1 + (1 | Batch)),
  dyestuff2 = list(Dyestuff2, Yield ~ 1 + (1 | Batch)),
  penicillin = list(Penicillin, diameter ~ 1 + (1 | plate) + (1 | sample)),
  pastes = list(Pastes[c("strength", "batch", "cask")],
                strength ~ 1 + (1 | batch) + (1 | batch:cask)),
  unequal = list(simulated(1, 10, 1:7, 5, c(0.8, 0.6, 0.4, 0.5, 0.9), 0.3), nested),
  at_bound = list(simulated(2, 12, 3:6, 4, c(0, 0.7, 0.4, 0, 1), 0.3), nested),
  questions = list(simulated(5, 8, 2:4, 3, c(0.8, 0.5, 0.5, 0.3, 0.7), 0.1, 3), many)
)

# Restarted at its own result, the optimiser goes on until the last digits.
fitted <- function(formula, d) {
  d[setdiff(names(d), all.vars(formula)[1])] <- lapply(
    d[setdiff(names(d), all.vars(formula)[1])], factor)
  control <- lmerControl(optimizer = "bobyqa", calc.derivs = FALSE,
                         check.conv.singular = "ignore", optCtrl = list(rhoend = 1e-10,
                         maxfun = 1e5))
  m <- lmer(formula, d, control = control)
  for (i in 1:6) m <- update(m, start = list(theta = getME(m, "theta")))
  found <- as.data.frame(VarCorr(m))
  list(groups = found$grp, variances = found$vcov, criterion = REMLcrit(m))
}

made <- lapply(cases, function(case) {
  c(list(data = lapply(case[[1]], function(x) if (is.factor(x)) as.character(x) else x)),
    fitted(case[[2]], case[[1]]))
})
writeLines(json(made), "variance_components.json")
writeLines(c("package,version", paste0("R,", getRversion()),
             paste0("lme4,", packageVersion("lme4"))), "variance_components_versions.csv")
