"""How Sphinx builds the documentation."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import vxlanpkt

project = "vxlanpkt"
author = "the vxlanpkt authors"
copyright = author
release = version = vxlanpkt.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "architecture", "columns", "reasons"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_ext"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "vxlanpkt"
html_static_path = ["_static"]
html_css_files = ["pages.css"]

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
