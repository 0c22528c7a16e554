"""A notebook, run by a real kernel, shows each figure once, whatever was imported before."""

from __future__ import annotations

import base64
from io import BytesIO

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

TABLE = """
import numpy as np, pandas as pd, pyexpr as px
rng = np.random.default_rng(1)
table = pd.DataFrame({"subject": np.repeat(np.arange(20), 4), "y": rng.normal(size=80)})
table["a"], table["b"] = table.y + rng.normal(size=80), rng.normal(size=80)
result = px.compare_models(table, truth="y", predictions=["a", "b"], cluster="subject", n_boot=0)
"""
# What is done before, and the last cell.
VARIANTS = {
    "pyexpr alone": ("", "result.plot()"),
    "display": ("", "display(result.plot())"),
    "pyplot imported": ("import matplotlib.pyplot as plt", "result.plot()"),
    "pyplot used": ("import matplotlib.pyplot as plt\nplt.plot([1, 2])", "result.plot()"),
    "inline": ("%matplotlib inline", "result.plot()"),
    "shown by pyplot": ("import matplotlib.pyplot as plt", "f = result.plot()\nplt.show()"),
    "displayed and shown": (
        "import matplotlib.pyplot as plt", "display(result.plot())\nplt.show()",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_every_figure_is_shown_once():
    cells = [TABLE]
    for before, shown in VARIANTS.values():
        # A fresh kernel for each would take seconds: what comes first knows least.
        cells += [before, shown]
    cells.append("result")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(book, timeout=600, kernel_name="python3").execute()
    pictures = {}
    for name, cell in zip(VARIANTS, book.cells[2:-1:2], strict=True):
        found = [
            one.data["image/png"] for one in cell.outputs if "image/png" in one.get("data", {})
        ]
        assert len(found) == 1, name
        pictures[name] = np.asarray(Image.open(BytesIO(base64.b64decode(found[0]))).convert("RGB"))
    whole = pictures["pyexpr alone"]
    assert whole.shape[1] == int(180 / 25.4 * 192)
    # Marks in blue and orange-red, on white.
    colours = {tuple(c) for c in whole.reshape(-1, 3)}
    assert {(0, 114, 178), (213, 94, 0), (255, 255, 255)} <= colours
    html = book.cells[-1].outputs[0].data["text/html"]
    assert html.count("<tr") == 1 + 6
    assert "correlation" in html
