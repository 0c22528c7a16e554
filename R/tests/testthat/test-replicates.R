# The same seed gives the same bytes in R, in Python, and on the command line.

# Eighths and sixty-fourths: a CSV holds them exactly, whoever reads it.
example <- function() {
  i <- seq_len(150)
  data.frame(
    subject = sprintf("s%02d", (i - 1) %/% 5), context = c("a", "b")[i %% 2 + 1],
    y = ((i * 37) %% 101) / 8, p = ((i * 53) %% 97) / 8, q = ((i * 29) %% 89) / 64
  )
}

# Subjects 0 to 29 as numbers: as text they would be drawn in another order.
numbered <- function() transform(example(), subject = (seq_len(150) - 1L) %/% 5L)

digest <- function(path) unname(tools::md5sum(path))

expect_same_replicates <- function(data) {
  result <- compare_models(data, y, c(p, q), subject, context = context, n_boot = 300, seed = 11)
  bytes <- writeBin(as.vector(t(replicates(result))), raw())
  here <- tempfile()
  writeBin(bytes, here)

  csv <- tempfile(fileext = ".csv")
  utils::write.csv(data, csv, row.names = FALSE)
  script <- tempfile(fileext = ".py")
  there <- tempfile()
  writeLines(c(
    "import sys, pandas as pd, pyexpr as px",
    "table = pd.read_csv(sys.argv[1])",
    "result = px.compare_models(table, truth='y', predictions=['p', 'q'], cluster='subject',",
    "                           context='context', n_boot=300, seed=11, n_threads=2)",
    "open(sys.argv[2], 'wb').write(result.replicates.tobytes())"
  ), script)
  python <- pyexpr:::ask("versions")$executable
  expect_identical(system2(python, c(script, csv, there)), 0L)

  written <- tempfile(fileext = ".csv")
  status <- system2(python, c("-m", "pyexpr.cli.main", "compare", csv, "--truth", "y",
    "--predictions", "p,q", "--context", "context", "--n-boot", "300", "--seed", "11",
    "--replicates", written), stdout = FALSE)
  expect_identical(status, 0L)
  line <- tempfile()
  # Readers of tables may be wrong in the last digit of a decimal number; float() is not.
  writeLines(c(
    "import csv, sys, struct",
    "rows = list(csv.reader(open(sys.argv[1], newline='')))[1:]",
    "values = [float(cell) for row in rows for cell in row]",
    "open(sys.argv[2], 'wb').write(struct.pack(f'={len(values)}d', *values))"
  ), script)
  expect_identical(system2(python, c(script, written, line)), 0L)

  expect_identical(digest(here), digest(there))
  expect_identical(digest(here), digest(line))
  expect_identical(
    names(utils::read.csv(written, check.names = FALSE)), colnames(replicates(result))
  )
}

test_that("replicates hash alike from R, Python and the command line", {
  need_python()
  expect_same_replicates(example())
  expect_same_replicates(numbered())
})
