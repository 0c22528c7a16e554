"""What every result can do."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pyexpr.base.results import Result, jsonable, number_text


@dataclass(frozen=True, slots=True)
class Example(Result):
    values: tuple[float, ...]

    def tidy(self) -> pd.DataFrame:
        return pd.DataFrame({"term": ["a & b", "c"], "estimate": list(self.values)})

    def heading(self) -> str:
        return "Two numbers"

    def notes(self) -> tuple[str, ...]:
        return ("One is < two.",)

    def provenance(self) -> dict[str, object]:
        return {"seed": np.int64(1), "limits": (0.5, np.inf)}


def test_text_has_heading_table_and_notes() -> None:
    text = str(Example((0.12345, float("nan"))))
    assert text.splitlines()[0] == "Two numbers"
    assert "0.123" in text
    assert text.endswith("Note: One is < two.")


def test_html_is_escaped() -> None:
    html = Example((1.0, 2.0))._repr_html_()
    assert "a &amp; b" in html
    assert "One is &lt; two." in html


def test_to_dict_is_json() -> None:
    data = json.loads(json.dumps(Example((1.5, float("nan"))).to_dict(), allow_nan=False))
    assert data["table"] == [{"term": "a & b", "estimate": 1.5}, {"term": "c", "estimate": None}]
    assert data["provenance"] == {"seed": 1, "limits": [0.5, "inf"]}


def test_jsonable_covers_numpy() -> None:
    assert jsonable({"a": np.array([1, 2]), "b": np.bool_(True), "c": -np.inf}) == {
        "a": [1, 2],
        "b": True,
        "c": "-inf",
    }


def test_number_text() -> None:
    shown = [number_text(x) for x in (0.0, 0.5, 12.0, 12.25, 1e-7, 123456.0, float("nan"))]
    assert shown == ["0.000", "0.500", "12", "12.250", "1e-07", "1.23e+05", ""]
