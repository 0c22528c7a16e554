"""`import pyexpr` is light: nothing heavy is loaded, and little else."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "rpy2", "torch", "torchvision", "lightning", "safetensors", "av", "numba",
    "matplotlib", "statsmodels", "pandas", "scipy", "sklearn", "pyarrow", "narwhals", "polars",
)  # fmt: skip


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_import_loads_nothing_heavy() -> None:
    code = f"import sys, pyexpr; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert run(code) == "[]"


def test_import_loads_few_modules() -> None:
    code = (
        "import sys, numpy; before = set(sys.modules); import pyexpr; "
        "print(len(set(sys.modules) - before))"
    )
    assert int(run(code)) < 10


def test_every_public_name_resolves() -> None:
    import pyexpr as px

    for name in px.__all__:
        assert getattr(px, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    import pyexpr as px

    assert not hasattr(px, "no_such_name")
