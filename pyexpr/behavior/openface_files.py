"""OpenFace's reader as users call it: of another tracker's file it names the layout.

The reader itself knows no layouts; importing `proved_layout` makes them known to it.
"""

from pyexpr.behavior.openface.recording import describe_openface, read_openface
from pyexpr.behavior.tracks.recognition import proved_layout

__all__ = ["describe_openface", "proved_layout", "read_openface"]
