"""How Sphinx builds the documentation: `make docs`."""

from __future__ import annotations

import importlib.metadata

project = "Erlen"
author = "The Erlen authors"
copyright = "2026, the Erlen authors"
release = importlib.metadata.version("erlen")
version = ".".join(release.split(".")[:2])

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "examples"]
templates_path: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"show-inheritance": True}
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
# `:param:` lists read as prose here; names in them are checked by no index of another project.
nitpicky = False

html_theme = "furo"
html_title = f"Erlen {release}"
html_static_path = ["_static"]
html_css_files = ["erlen.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1f5c99", "color-brand-content": "#1f5c99"},
    "dark_css_variables": {"color-brand-primary": "#7db4ea", "color-brand-content": "#7db4ea"},
}
pygments_style = "friendly"
pygments_dark_style = "monokai"
