"""Figures that a notebook shows as pictures. Imports matplotlib: enter by `base.plotting`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import BytesIO
from typing import Any

from matplotlib.figure import Figure

# CSS pixels of an inch, and pixels of the picture to each: sharp on screens of double density.
_CSS_DPI = 96
_DENSITY = 2
_INLINE = "matplotlib_inline.backend_inline"


class NotebookFigure(Figure):
    """A figure that Jupyter and its like show at its printed size.

    matplotlib teaches a notebook to show figures only once pyplot draws there. This one
    needs no pyplot; where pyplot draws into the notebook all the same, it is shown once.
    """

    def __init__(
        self, *args: Any, style: Callable[[], AbstractContextManager[None]], **kwargs: Any
    ):
        super().__init__(*args, **kwargs)
        self._style = style

    def draw(self, renderer: Any) -> None:
        """Draw it in its style, whoever asks: what was laid out so fits only so."""
        with self._style():
            super().draw(renderer)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return the picture and its width and height on the page, in CSS pixels."""
        width, height = self.get_size_inches() * _CSS_DPI
        picture = BytesIO()
        self.savefig(picture, format="png", dpi=_CSS_DPI * _DENSITY, bbox_inches=None)
        return picture.getvalue(), {"width": round(width), "height": round(height)}

    def _ipython_display_(self) -> None:
        """Take it off pyplot's list: it is being shown, and the end of the cell shows the list."""
        from matplotlib._pylab_helpers import Gcf

        for number, manager in list(Gcf.figs.items()):
            if manager.canvas.figure is self:
                Gcf.figs.pop(number)
        # IPython's word for: show it as you would without this method.
        raise NotImplementedError


def list_in_pyplot(figure: Figure) -> None:
    """Let `pyplot.show()` and the end of a cell show the figure, where pyplot draws in a notebook.

    Everywhere else pyplot is left alone: figures it lists stay in memory until they are closed,
    and its windows are for interactive work.
    """
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is None or "ipykernel" not in sys.modules:
        return
    if pyplot.get_backend().removeprefix("module://") not in ("inline", _INLINE):
        return
    from matplotlib._pylab_helpers import Gcf
    from matplotlib_inline.backend_inline import new_figure_manager_given_figure

    manager = new_figure_manager_given_figure(max(Gcf.figs, default=0) + 1, figure)
    Gcf.set_active(manager)
