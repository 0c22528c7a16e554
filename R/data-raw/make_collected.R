# Makes data/collected.rda: Rscript data-raw/make_collected.R, with the package, tune,
# workflows, parsnip, rsample and dplyr installed.
source("inst/examples/tidymodels.R")
save(collected, file = "data/collected.rda", compress = "xz", version = 2)
