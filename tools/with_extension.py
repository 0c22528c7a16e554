"""Run a module with the extension of another build folder: with_extension.py FOLDER MODULE ..."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from pathlib import Path


def main(folder: str, module: str, *arguments: str) -> None:
    """Load `pyexpr._core` from the folder, then run the module as `python -m` does."""
    # An editable install finds its own extension first, whatever the path says.
    (path,) = Path(folder).glob("_core*.so")
    spec = importlib.util.spec_from_file_location("pyexpr._core", path)
    assert spec is not None
    assert spec.loader is not None
    core = importlib.util.module_from_spec(spec)
    sys.modules["pyexpr._core"] = core
    spec.loader.exec_module(core)
    import pyexpr

    pyexpr._core = core
    print(f"pyexpr._core is {core.__file__}", flush=True)
    sys.path.insert(0, "")
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
