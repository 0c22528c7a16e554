"""Check whether the requirements of the deep models are installed and compatible."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from pyexpr.base.errors import DeepNotInstalledError

# The packages of the [deep] extra. Lightning loads torchvision, so a version that does not match
# torch breaks the LSTM, too.
NEEDED = ("torch", "torchvision", "lightning.fabric", "av", "safetensors.torch")
INSTALL = "pip install 'pyexpr-stats[deep]'"
# Both are installed again from one registry, so that torchvision's operators match torch.
REINSTALL = "pip install --upgrade --force-reinstall torch torchvision"
# If these are broken, torch is not the cause.
_APART = ("av", "safetensors")


def require_installed() -> None:
    """Raise `DeepNotInstalledError` if a package is missing, without loading any."""
    for name in NEEDED:
        package = name.partition(".")[0]
        try:
            found = find_spec(package)
        except (ImportError, ValueError):
            found = None
        if found is None:
            raise DeepNotInstalledError(_missing(package))


def _missing(package: str) -> str:
    return f"the deep models require {package}, which is not installed; run: {INSTALL}"


def require() -> None:
    """Raise `DeepNotInstalledError` with the command that installs what is missing or broken."""
    for name in NEEDED:
        package = name.partition(".")[0]
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            # A module missing inside an installed package is a different problem.
            absent = (error.name or package).partition(".")[0]
            raise DeepNotInstalledError(_missing(absent)) from None
        except (ImportError, OSError, RuntimeError, AttributeError) as error:
            reason = " ".join(str(error).split())
            cause, remedy = (
                (
                    "it, or a library that it requires, is damaged",
                    f"pip install --upgrade --force-reinstall {package}",
                )
                if package in _APART
                else ("torch and torchvision do not match", REINSTALL)
            )
            raise DeepNotInstalledError(
                f"{package} is installed but cannot be loaded ({reason}): {cause}; run: {remedy}"
            ) from error
