"""`px.doctor()`: the versions of all components, and how to install what is missing."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import requires
from typing import TYPE_CHECKING, Any

from pyexpr.base.installation import installation_problems
from pyexpr.base.results import Result
from pyexpr.base.versions import package_version
from pyexpr.deep.requirements import INSTALL, REINSTALL
from pyexpr.measurement.engines.children import run_child
from pyexpr.measurement.engines.host_engine import hosted_by_r
from pyexpr.measurement.engines.r_install import bridge_command, lavaan_command, r_command
from pyexpr.measurement.engines.r_places import find_rscript
from pyexpr.measurement.engines.r_startup import (
    OPTIONS,
    RUNS,
    RUNS_FOR_RPY2,
    TIMEOUT,
    hidden_lavaan,
    stops,
)

if TYPE_CHECKING:
    import pandas as pd

_REQUIRED = ("numpy", "pandas", "narwhals", "scipy", "scikit-learn", "joblib",
             "threadpoolctl", "statsmodels", "matplotlib", "pyarrow", "typer", "rich",
             "pydantic")  # fmt: skip
# The packages of the extras that a user may install, each with its purpose and the command.
_OPTIONAL = {
    "numba": ("compiled statistics in the bootstrap", "pip install 'pyexpr-stats[numba]'"),
    "python-docx": ("the report as a Word document", "pip install 'pyexpr-stats[word]'"),
    **dict.fromkeys(("torch", "torchvision", "lightning", "safetensors"),
                    ("the deep models", INSTALL)),
    "av": ("reading videos", "pip install av"),
    "pillow": ("simulated videos", "pip install pillow"),
    "mediapipe": ("tracking faces in videos", "pip install 'pyexpr-stats[track]'"),
    **dict.fromkeys(("dask", "distributed", "dask-jobqueue"),
                    ("tasks on a cluster", "pip install 'pyexpr-stats[cluster]'")),
    **dict.fromkeys(("fsspec", "aiohttp"),
                    ("recordings on a network", "pip install 'pyexpr-stats[remote]'")),
}  # fmt: skip
_NO_ANSWER = f"it did not answer within {TIMEOUT:.0f} seconds"


@dataclass(frozen=True, slots=True)
class Finding:
    """One component: its version, its status, and the remedy if there is a problem."""

    component: str
    version: str
    status: str
    needed_for: str
    remedy: str


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class DoctorResult(Result):
    """What is installed and what is not.

    Attributes
    ----------
    findings : tuple of Finding
        `status` is "ok", "missing" or "problem".
    """

    findings: tuple[Finding, ...]

    @property
    def works(self) -> bool:
        """Whether all components that every part requires are ok; R may be missing."""
        return all(f.status == "ok" for f in self.findings if f.needed_for == "everything")

    @property
    def healthy(self) -> bool:
        """Whether all components that every part requires are ok, and R with lavaan can be used."""
        wanted = {"python", "extension", *_REQUIRED, "R", "lavaan", "rpy2-rinterface"}
        return all(f.status == "ok" for f in self.findings if f.component in wanted)

    def tidy(self) -> pd.DataFrame:
        """Return one row per component: version, status, needed_for, remedy."""
        import pandas as pd

        columns = ["component", "version", "status", "needed_for", "remedy"]
        rows = [[getattr(finding, name) for name in columns] for finding in self.findings]
        return pd.DataFrame(rows, columns=columns)

    def heading(self) -> str:
        """Return how many components are ok."""
        well = sum(finding.status == "ok" for finding in self.findings)
        return f"pyexpr on {platform.platform()}: {well} of {len(self.findings)} components are ok"

    def notes(self) -> tuple[str, ...]:
        """Return the remedy for every component that is not ok."""
        return tuple(
            f"{f.component} ({f.needed_for}): {f.status}. {f.remedy}"
            for f in self.findings
            if f.status != "ok"
        )

    def provenance(self) -> dict[str, Any]:
        """Return the interpreter that was examined."""
        return {"executable": sys.executable, "platform": platform.platform()}


def doctor() -> DoctorResult:
    """Check the installation: Python, the compiled part, the packages, R, lavaan, and rpy2.

    The packages include those of the optional extras. R is started only in child processes, so
    the check does not change this process. No error is raised.

    Returns
    -------
    DoctorResult
        One row per component; `notes()` gives the command that installs what is missing.

    Examples
    --------
    >>> doctor().tidy()["component"].tolist()[:2]
    ['python', 'pyexpr-stats']
    """
    findings = [Finding("python", platform.python_version(), "ok", "everything", "")]
    findings.append(_pyexpr())
    findings.append(_extension())
    findings += [_package(name, "everything", f"pip install {name}") for name in _REQUIRED]
    findings += _r_and_bridge()
    findings += [_package(name, what, remedy) for name, (what, remedy) in _OPTIONAL.items()]
    return DoctorResult(tuple(findings))


def _pyexpr() -> Finding:
    version = package_version("pyexpr-stats") or "from a checkout"
    problems = "; ".join(installation_problems())
    if problems:
        remedy = f"{problems[0].upper()}{problems[1:]}."
        return Finding("pyexpr-stats", version, "problem", "everything", remedy)
    return Finding("pyexpr-stats", version, "ok", "everything", "")


def _extension() -> Finding:
    if hosted_by_r():
        # Inside R, Python finds modules differently than in a child process.
        try:
            import pyexpr.core.extension  # noqa: F401
        except ImportError as error:
            remedy = f"{error}. Run 'pip install .' in the checkout."
            return Finding("extension", "", "problem", "everything", remedy)
        return Finding("extension", "pyexpr._core", "ok", "everything", "")
    # In a child process, because a broken extension may end the process.
    done = _run([sys.executable, "-c", "import pyexpr.core.extension"])
    if done is not None and done.returncode == 0:
        return Finding("extension", "pyexpr._core", "ok", "everything", "")
    return Finding("extension", "", "problem", "everything", "Run 'pip install .' in the checkout.")


def _package(name: str, needed_for: str, remedy: str) -> Finding:
    version = package_version(name)
    if version is None:
        return Finding(name, "", "missing", needed_for, f"Run: {remedy}")
    if name == "torchvision" and (wanted := _torch_of(name)) is not None:
        return Finding(
            name, version, "problem", needed_for,
            f"It requires torch {wanted}, but {package_version('torch')} is installed. "
            f"Run: {REINSTALL}",
        )  # fmt: skip
    return Finding(name, version, "ok", needed_for, "")


def _torch_of(name: str) -> str | None:
    """Return the version of torch that a package requires, if another one is installed."""
    installed = package_version("torch")
    required = [
        found.group(1)
        for line in requires(name) or ()
        if (found := re.match(r"torch\s*\(?==([\w.]+)", line))
    ]
    # The build after "+" is not part of the required version.
    if installed is None or not required or installed.partition("+")[0] == required[0]:
        return None
    return required[0]


_R_CODE = (
    'cat("R ", as.character(getRversion()), "\\n", sep = ""); '
    'v <- tryCatch(as.character(utils::packageVersion("lavaan")), error = function(e) ""); '
    'cat("lavaan ", v, "\\n", sep = ""); invisible(loadNamespace("lavaan"))'
)


def _r_and_bridge() -> list[Finding]:
    program = find_rscript()
    done = None if program is None else _run([program, *OPTIONS, "-e", _R_CODE])
    # The bridge starts R: if R does not answer, it would only be waited for once more.
    return [*_r(program, done), _bridge(hangs=program is not None and done is None)]


def _r(program: str | None, done: subprocess.CompletedProcess[str] | None) -> list[Finding]:
    """Return the findings on R and lavaan, from what Rscript answered; None: nothing in time."""
    use = "the factor model through lavaan"
    if program is None:
        return [
            Finding("R", "", "missing", use, f"Run: {r_command()}"),
            Finding("lavaan", "", "missing", use, f"Run: {lavaan_command()}"),
        ]
    r_versions = dict(
        line.partition(" ")[::2]
        for line in (done.stdout if done else "").splitlines()
        if line.startswith(("R ", "lavaan "))
    )
    if "R" not in r_versions:
        text = " ".join(done.stderr.split()) if done else _NO_ANSWER
        otherwise = f"{program} does not run: {text or 'it printed nothing'}"
        remedy = stops(RUNS, otherwise, hangs=done is None)
        return [
            Finding("R", "", "problem", use, f"{remedy}."),
            Finding("lavaan", "", "missing", use, "It can only be looked for once R runs."),
        ]
    found = [Finding("R", r_versions["R"], "ok", use, "")]
    version = r_versions.get("lavaan", "").strip()
    if not version:
        hidden = hidden_lavaan()
        remedy = f"R finds it {hidden.without()}." if hidden else f"Run: {lavaan_command()}"
        found.append(Finding("lavaan", "", "missing", use, remedy))
    elif done is not None and done.returncode != 0:
        text = " ".join(done.stderr.split())
        found.append(Finding("lavaan", version, "problem", use, f"It does not load: {text}"))
    else:
        found.append(Finding("lavaan", version, "ok", use, ""))
    return found


# R is started as a fit starts it; gc() is the first call that fails in a broken R.
_BRIDGE_CODE = (
    "from pyexpr.measurement.engines import rpy2_engine; rpy2_engine.ask({'task': 'versions'}); "
    "import rpy2.rinterface; rpy2.rinterface.baseenv['gc']()"
)


def _bridge(*, hangs: bool) -> Finding:
    name, use = "rpy2-rinterface", "lavaan in this process (engine='rpy2')"
    version = package_version(name)
    if hosted_by_r():
        return Finding(name, version or "", "ok", use, "Not used: this Python runs inside R.")
    if hangs:
        status = "missing" if version is None else "problem"
        return Finding(name, version or "", status, use, "It can only be tried once R answers.")
    if not bridge_command():
        note = "Not needed: on Windows lavaan is fitted by Rscript (engine='rscript')."
        return Finding(name, version or "", "ok", use, note)
    if version is None:
        return Finding(name, "", "missing", use, f"Run: {bridge_command()}")
    done = _run([sys.executable, "-c", _BRIDGE_CODE])
    if done is None or done.returncode != 0:
        lines = (done.stderr if done else _NO_ANSWER).strip().splitlines()
        why = lines[-1] if lines else "it printed nothing"
        remedy = stops(RUNS_FOR_RPY2, f"It cannot load R: {why}. Run: {bridge_command()}")
        return Finding(name, version, "problem", use, remedy)
    return Finding(name, version, "ok", use, "")


def _run(command: list[str]) -> subprocess.CompletedProcess[str] | None:
    """Run a child process and return it; None if it took too long, and was ended."""
    # The child process can import what this Python can.
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        return run_child(command, seconds=TIMEOUT, env=env)
    except subprocess.TimeoutExpired:
        return None
    except OSError as error:
        return subprocess.CompletedProcess(command, 1, "", f"{type(error).__name__}: {error}")
