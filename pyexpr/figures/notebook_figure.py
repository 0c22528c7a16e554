"""Figures that a notebook shows as pictures; use `base.plotting`, as this imports matplotlib."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import BytesIO
from typing import Any

from matplotlib.figure import Figure

# CSS pixels per inch, and pixels of the picture per CSS pixel, so that it is sharp on screens of
# double density.
_CSS_DPI = 96
_DENSITY = 2
_INLINE = "matplotlib_inline.backend_inline"


class NotebookFigure(Figure):
    """A figure that Jupyter and similar programs show at its printed size.

    With matplotlib alone, a notebook shows figures only after pyplot has drawn there. This figure
    does not need pyplot. If pyplot also draws into the notebook, the figure is still shown only
    once.
    """

    def __init__(
        self, *args: Any, style: Callable[[], AbstractContextManager[None]], **kwargs: Any
    ):
        super().__init__(*args, **kwargs)
        self._style = style

    def draw(self, renderer: Any) -> None:
        """Draw the figure always in its own style, because its layout fits no other style."""
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
        # With this exception IPython shows the figure as if this method did not exist.
        raise NotImplementedError


def list_in_pyplot(figure: Figure) -> None:
    """Let `pyplot.show()` and the end of a cell show the figure, if pyplot draws in a notebook.

    Otherwise pyplot is not used: figures on its list stay in memory until they are closed, and its
    windows are for interactive work.
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
