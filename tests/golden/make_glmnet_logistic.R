# Writes glmnet_logistic_data.csv and glmnet_logistic.csv: glmnet's weights of standardised
# features and its intercepts where features are at their means, for two classes (y2) and three
# (y3). glmnet's lambda is alpha, its alpha l1_ratio.
# Run: Rscript --vanilla make_glmnet_logistic.R (needs glmnet).
suppressPackageStartupMessages(library(glmnet))
set.seed(21)
n <- 90
x <- matrix(rnorm(n * 5), n) %*% matrix(rnorm(25), 5) + 10
colnames(x) <- paste0("x", 1:5)
slope <- scale(x) %*% cbind(c(0.9, -0.6, 0, 0.4, 0), c(-0.5, 0, 0.7, 0, 0.3))
y2 <- as.integer(slope[, 1] + rlogis(n) > 0)
y3 <- max.col(cbind(0.3, slope) - log(-log(matrix(runif(3 * n), n))), "first") - 1L
digits <- function(table) format(as.data.frame(table), digits = 17, trim = TRUE, scientific = TRUE)
write.csv(cbind(digits(x), y2, y3), "glmnet_logistic_data.csv", row.names = FALSE, quote = FALSE)

mean_sd <- apply(x, 2, function(v) c(mean(v), sqrt(mean((v - mean(v))^2))))
rows <- NULL
add <- function(label, class, alpha, l1_ratio, intercept, beta) {
  beta <- as.numeric(beta)
  rows <<- rbind(rows, c(label, class, alpha, l1_ratio, intercept + sum(beta * mean_sd[1, ]),
                         beta * mean_sd[2, ]))
}
for (a in c(0.01, 0.05, 0.1, 0.3)) {
  for (l1_ratio in c(0, 0.3, 0.7, 1)) {
    fit <- glmnet(x, y2, "binomial", lambda = a, alpha = l1_ratio, thresh = 1e-28, maxit = 1e7,
                  type.logistic = "Newton")
    add(2, 1, a, l1_ratio, fit$a0, fit$beta)
    fit <- glmnet(x, y3, "multinomial", lambda = a, alpha = l1_ratio, thresh = 1e-28, maxit = 1e7)
    # Only differences of intercepts mean anything: as they are given, and with sum 0 at the means.
    own <- sapply(1:3, function(k) fit$a0[k, 1] + sum(as.numeric(fit$beta[[k]]) * mean_sd[1, ]))
    for (k in 1:3) add(3, k - 1, a, l1_ratio, fit$a0[k, 1] - mean(own), fit$beta[[k]])
  }
}
colnames(rows) <- c("classes", "class", "alpha", "l1_ratio", "intercept", colnames(x))
write.csv(digits(rows), "glmnet_logistic.csv", row.names = FALSE, quote = FALSE)
write.csv(data.frame(package = "glmnet", version = sapply("glmnet", function(p)
  as.character(packageVersion(p)))), "glmnet_logistic_versions.csv", row.names = FALSE,
  quote = FALSE)
