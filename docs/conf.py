"""The site's configuration for Sphinx: `make docs`."""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "pymilter"
author = "the pymilter authors"
project_copyright = "2026, the pymilter authors"
release = version = installed_version("pymilter")

extensions = ["myst_parser", "sphinx_copybutton"]
nitpicky = True

# The headings of a page are link targets, as GitHub has them.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]

html_theme = "furo"
html_title = f"pymilter {release}"
html_show_sphinx = False
html_copy_source = False
# What is copied from a session with a shell are the commands, without the prompt and the output.
copybutton_prompt_text = r"\$ |# |>>> "
copybutton_prompt_is_regexp = True
