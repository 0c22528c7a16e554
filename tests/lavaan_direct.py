"""lavaan asked by R itself, as its users do, without anything of ours between."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd


def by_lavaan(folder: Path, data: pd.DataFrame, code: str) -> np.ndarray:
    """Run R code that ends with numbers, with the data as `d`."""
    data.to_csv(folder / "d.csv", index=False, float_format="%.17g")
    text = (
        "suppressPackageStartupMessages(library(lavaan)); d <- read.csv('d.csv');"
        f"cat(sprintf('%.17g', as.numeric(suppressWarnings({{{code}}}))))"
    )
    done = subprocess.run(
        ["Rscript", "--vanilla", "-e", text],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return np.array(done.stdout.replace("NA", "nan").split(), dtype=float)
