"""An item of the page that describes what a study would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

STAGES = "stages, in this order"
DATA = "data"
LEFT_OUT = "left out"
EVALUATION = "evaluation"
MODELS = "models"
SOFTWARE = "software"
OUTPUT = "results"
PROBLEMS = "wrong"
#: In the order of the page.
SECTIONS = (STAGES, DATA, LEFT_OUT, EVALUATION, MODELS, SOFTWARE, OUTPUT, PROBLEMS)
#: The status of what is wrong.
WRONG: Literal["wrong"] = "wrong"


@dataclass(frozen=True, slots=True)
class Point:
    """One point.

    Attributes
    ----------
    section : str
        One of `SECTIONS`.
    item : str
        What it is about.
    n : int or None
        A number, if the statement is a count.
    detail : str
        A few words, or a sentence.
    status : {"ok", "note", "wrong"}
    """

    section: str
    item: str
    n: int | None
    detail: str
    status: Literal["ok", "note", "wrong"] = "ok"
