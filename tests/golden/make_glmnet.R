# Writes glmnet_data.csv and glmnet.csv: glmnet's weights of standardised features, for penalties
# given as scikit-learn counts them. Run: Rscript --vanilla make_glmnet.R (needs glmnet).
suppressPackageStartupMessages(library(glmnet))
set.seed(20)
n <- 60
x <- matrix(rnorm(n * 5), n) %*% matrix(rnorm(25), 5) + 10
colnames(x) <- paste0("x", 1:5)
y <- drop(x %*% c(0.5, -0.3, 0, 0.2, 0)) + rnorm(n)
digits <- function(table) format(as.data.frame(table), digits = 17, trim = TRUE, scientific = TRUE)
write.csv(digits(cbind(x, y)), "glmnet_data.csv", row.names = FALSE, quote = FALSE)

sd_n <- function(v) sqrt(mean((v - mean(v))^2))
rows <- NULL
for (a in c(0.01, 0.1, 0.5, 1)) {
  for (l1_ratio in c(0, 0.3, 0.7, 1)) {
    # glmnet divides the label by its standard deviation, which reaches the L2 penalty alone.
    l1 <- a * l1_ratio
    l2 <- a * (1 - l1_ratio) * sd_n(y)
    fit <- glmnet(x, y, lambda = l1 + l2, alpha = l1 / (l1 + l2), thresh = 1e-28, maxit = 1e7)
    weights <- as.numeric(fit$beta) * apply(x, 2, sd_n)
    rows <- rbind(rows, c(a, l1_ratio, weights))
  }
}
colnames(rows) <- c("alpha", "l1_ratio", colnames(x))
write.csv(digits(rows), "glmnet.csv", row.names = FALSE, quote = FALSE)
write.csv(data.frame(package = "glmnet", version = sapply("glmnet", function(p)
  as.character(packageVersion(p)))), "glmnet_versions.csv", row.names = FALSE, quote = FALSE)
