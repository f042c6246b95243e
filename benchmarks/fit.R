# Fit glmnet or nnet::multinom to the data in a folder, as r_packages.py wants it:
#
#   Rscript fit.R FOLDER PACKAGE n p K lambda alpha [SETTING ...]
#
# Leaves there `theta`, rows of coefficients and intercept, and `report`: seconds, then a warning. With a
# file `path` of lambdas there, those are the rows of glmnet at each of them, one after the other.

arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
package <- arguments[2]
numbers <- as.numeric(arguments[-(1:2)])
n <- numbers[1]
p <- numbers[2]
K <- numbers[3]
lambda <- numbers[4]
alpha <- numbers[5]
setting <- numbers[-(1:5)]
suppressMessages(library(package, character.only = TRUE))

read <- function(name, what) {
  path <- file.path(folder, name)
  readBin(path, what, file.size(path) / if (what == "integer") 4 else 8)
}

X <- if (file.exists(file.path(folder, "i"))) {
  Matrix::sparseMatrix(
    i = read("i", "integer"), p = read("p", "integer"), x = read("x", "double"),
    dims = c(n, p), index1 = FALSE
  )
} else {
  matrix(read("x", "double"), n, p)
}
y <- factor(read("y", "integer"), levels = 0:(K - 1))

# mean loss + lambda / 2 * ||W||^2 for alpha = 0, + lambda * sum |W| for alpha = 1, sigmoid for two
# classes, at the end of a path. With alpha = 1 that starts where all coefficients are zero.
fit_glmnet <- function(X, y) {
  n_lambda <- if (length(setting)) setting[1] else 100
  thresh <- if (length(setting)) setting[2] else 1e-7
  # By default it would end a path early where the deviance hardly changes.
  glmnet.control(fdev = 0, devmax = 1)
  start <- if (alpha == 0) {
    max(10 * lambda, sqrt(max(Matrix::colMeans(X^2))))
  } else {
    is_class <- outer(as.integer(y), seq_len(nlevels(y)), "==")
    residual <- sweep(is_class, 2, colMeans(is_class))
    max(1.01 * lambda, abs(as.matrix(Matrix::crossprod(X, residual))) / length(y) / alpha)
  }
  end <- max(lambda, start * 1e-12)
  path <- exp(seq(log(start), log(end), length.out = n_lambda))
  path[n_lambda] <- lambda
  glmnet_rows(glmnet_along(X, y, path, thresh), n_lambda)
}

glmnet_along <- function(X, y, path, thresh) {
  fitted <- glmnet(
    X, y, if (nlevels(y) == 2) "binomial" else "multinomial",
    alpha = alpha, standardize = FALSE, lambda = path, thresh = thresh, maxit = 1e9
  )
  stopifnot(length(fitted$lambda) == length(path))
  fitted
}

glmnet_rows <- function(fitted, i) {
  if (is.list(fitted$beta)) {
    cbind(t(sapply(fitted$beta, function(beta) beta[, i])), fitted$a0[, i])
  } else {
    cbind(t(as.matrix(fitted$beta[, i])), fitted$a0[i])
  }
}

# Only the path is timed.
fit_path <- function(X, y) {
  glmnet.control(fdev = 0, devmax = 1)
  glmnet_along(X, y, path, if (length(setting)) setting[1] else 1e-7)
}

# Without penalty: its decay takes in the intercepts, and the first class has no coefficients.
fit_nnet <- function(X, y) {
  tuned <- if (length(setting)) list(maxit = setting[1], reltol = 1e-16, abstol = 0)
  call <- c(list(y ~ X, trace = FALSE, MaxNWts = 1e9), tuned)
  fitted <- do.call(multinom, call)
  if (fitted$convergence != 0) warning("maxit reached")
  rows <- rbind(0, coef(fitted))
  cbind(rows[, -1], rows[, 1])
}

path <- if (file.exists(file.path(folder, "path"))) read("path", "double")
fit <- if (length(path)) fit_path else if (package == "glmnet") fit_glmnet else fit_nnet
# R loads code lazily: a first fit, to labels that overlap, does not count.
invisible(suppressWarnings(fit(as.matrix(iris[, 1:4]), factor(rep(0:2, 50)))))
said <- character()
invisible(gc())
start <- Sys.time()
theta <- withCallingHandlers(
  fit(X, y),
  warning = function(w) {
    said <<- c(said, gsub("\n", " ", conditionMessage(w)))
    invokeRestart("muffleWarning")
  }
)
seconds <- as.numeric(difftime(Sys.time(), start, units = "secs"))
if (length(path)) {
  theta <- do.call(rbind, lapply(seq_along(path), function(i) glmnet_rows(theta, i)))
}
writeBin(as.vector(t(theta)), file.path(folder, "theta"))
writeLines(c(format(seconds, digits = 6), said), file.path(folder, "report"))
