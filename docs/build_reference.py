"""Write the reference: one page per public name, grouped by what it is for."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pyexpr as px

FOLDER = Path(__file__).parent / "reference" / "generated"

# Methods that scikit-learn adds; they are described there.
ROUTING = "get_metadata_routing, set_fit_request, set_predict_request, set_score_request"

# Prefix of the module a name lives in -> heading, in the order of an analysis.
ROOMS = {
    "pyexpr.measurement": "Ratings, reliability, factor scores",
    "pyexpr.behavior": "Recordings, clips, features",
    "pyexpr.modeling": "Splits, models, baselines",
    "pyexpr.inference": "Comparing models, coefficients by context",
    "pyexpr.planning": "Planning a study",
    "pyexpr.deep": "Deep models",
    "pyexpr.simulation": "Simulated studies",
    "pyexpr.study": "Whole studies",
    "pyexpr.paper": "The paper",
    "pyexpr.figures": "Figures",
    "pyexpr.diagnosis": "The installation",
    "pyexpr.base": "Errors",
}


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}


def write(_: Any) -> None:
    """Write every page anew; a name that is gone leaves no page behind."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    pages = {f"{name}.rst": _page(name) for name in _names()}
    pages["index.md"] = _index()
    for path in FOLDER.iterdir():
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = FOLDER / name
        # Unchanged pages keep their time, so that Sphinx does not read them again.
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _names() -> list[str]:
    names = [name for name in px.__all__ if name != "__version__"]
    # What one calls comes before what comes back from it.
    return sorted(names, key=lambda name: (name[0].isupper(), name))


def _module(name: str) -> str:
    value = getattr(px, name)
    return value.__name__ if inspect.ismodule(value) else value.__module__


def _page(name: str) -> str:
    value = getattr(px, name)
    title = f"pyexpr.{name}"
    head = f"{title}\n{'=' * len(title)}\n\n"
    where = _module(name)
    if inspect.ismodule(value):
        # What is public itself has a page of its own.
        elsewhere = [other for other in _names() if hasattr(value, other)]
        left_out = ", ".join([ROUTING, *elsewhere])
        return f"{head}.. automodule:: {where}\n   :members:\n   :exclude-members: {left_out}\n"
    module = f"{head}.. currentmodule:: {_module(name)}\n\n"
    if inspect.isclass(value):
        return f"{module}.. autoclass:: {name}\n   :members:\n   :exclude-members: {ROUTING}\n"
    return f"{module}.. autofunction:: {name}\n"


def _index() -> str:
    groups: dict[str, list[str]] = {heading: [] for heading in ROOMS.values()}
    for name in _names():
        room = next(prefix for prefix in ROOMS if _module(name).startswith(prefix))
        groups[ROOMS[room]].append(name)
    parts = ["# Public names\n"]
    for heading, names in groups.items():
        if not names:
            continue
        rows = "\n".join(f"| [`px.{name}`]({name}.rst) | {_summary(name)} |" for name in names)
        toc = "\n".join(names)
        parts.append(
            f"## {heading}\n\n| name | what it is |\n|---|---|\n{rows}\n\n"
            f"```{{toctree}}\n:hidden:\n\n{toc}\n```\n"
        )
    return "\n".join(parts)


def _summary(name: str) -> str:
    text = inspect.getdoc(getattr(px, name)) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("|", "\\|")
