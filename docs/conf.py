"""Sphinx builds these pages: `make docs`. Nothing is fetched from the network."""

from __future__ import annotations

import sys
from pathlib import Path

import pyexpr

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "pyexpr"
author = "The pyexpr authors"
copyright = "the pyexpr authors, MIT licence"  # Sphinx's own name for it
release = version = pyexpr.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    # MathJax from a wheel: formulas are set without the network too.
    "sphinx-mathjax-offline",
    "numpydoc",
    "sphinx_copybutton",
    # Figures and the list of public names are made by the build.
    "build_figures",
    "build_reference",
]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "pyexpr"
html_theme_options = {"navigation_with_keys": True}
html_copy_source = False
html_show_sphinx = False

copybutton_prompt_text = r"^\$ "
copybutton_prompt_is_regexp = True

# Docstrings name modules that are not installed where R or torch is missing.
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
