# Slopes of absolute errors by clubSandwich, written to error_slopes.csv with the rows they are from.
# Run in tests/golden: Rscript --vanilla make_error_slopes.R
suppressPackageStartupMessages(library(clubSandwich))
set.seed(20261130)
sizes <- sample(2:12, 24, replace = TRUE)
rows <- data.frame(subject = rep(seq_along(sizes), sizes))
n <- nrow(rows)
rows$task <- sample(c("a", "b"), n, replace = TRUE)
rows$share <- round(pmax(0, 1 - rgamma(n, 2, 20)), 4)
rows$confidence <- round(runif(n, 0.7, 1), 4)
rows$y <- round(rnorm(n), 4)
rows$p <- round(rows$y + rnorm(n) * (1.6 - rows$share) + rnorm(24, 0, 0.3)[rows$subject], 4)
rows$q <- round(rnorm(n), 4)
within <- function(x) sqrt(mean((x - ave(x, rows$task))^2))
rows$s <- rows$share / within(rows$share)
rows$k <- rows$confidence / within(rows$confidence)
errors <- list("p" = abs(rows$y - rows$p), "q" = abs(rows$y - rows$q))
errors[["p - q"]] <- errors$p - errors$q
found <- do.call(rbind, lapply(names(errors), function(term) {
  rows$e <- errors[[term]]
  own <- lm(e ~ 0 + task + task:s + task:k, rows)
  over <- lm(e ~ 0 + task + s + k, rows)
  tests <- function(m, context, at) {
    t <- coef_test(m, vcov = "CR2", cluster = rows$subject)[at, ]
    data.frame(term = term, context = context, property = c("share", "confidence"),
               estimate = t$beta, std_error = t$SE, df = t$df_Satt, p_value = t$p_Satt)
  }
  contrast <- function(at, property) {
    weights <- rbind(replace(numeric(6), at, c(1, -1)))
    t <- linear_contrast(own, vcov = "CR2", cluster = rows$subject, contrasts = weights,
                         test = "Satterthwaite", p_values = TRUE)
    data.frame(term = term, context = "a - b", property = property, estimate = t$Est,
               std_error = t$SE, df = t$df, p_value = t$p_val)
  }
  rbind(tests(own, "a", c(3, 5)), tests(own, "b", c(4, 6)), tests(over, "all", 3:4),
        contrast(3:4, "share"), contrast(5:6, "confidence"))
}))
write.csv(format(found, digits = 15), "error_slopes.csv", row.names = FALSE, quote = FALSE)
write.csv(rows[c("subject", "task", "share", "confidence", "y", "p", "q")],
          "error_slopes_data.csv", row.names = FALSE)
versions <- data.frame(package = "clubSandwich",
                       version = as.character(packageVersion("clubSandwich")))
write.csv(versions, "error_slopes_versions.csv", row.names = FALSE, quote = FALSE)
