"""The site's configuration for Sphinx: `make docs`."""

from __future__ import annotations

import sys
import zlib
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "pymilter"
author = "the pymilter authors"
project_copyright = "2026, the pymilter authors"
release = version = installed_version("pymilter")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_pymilter",
]
nitpicky = True
exclude_patterns = ["sphinx_pymilter"]

# Docstrings are Google's, with `names` between single backquotes.
default_role = "code"
napoleon_numpy_docstring = False
# What signatures mention without being public: type variables, names that begin with an underscore, and these aliases.
NOT_PUBLIC = "Attributes|Grant|Hook|Keywords|Metric|NameCheck|PrivateData|Source|Writable"
nitpick_ignore_regex = [("py:class", rf"(.*\.)?([A-Z]|_\w+|{NOT_PUBLIC})")]
autodoc_typehints = "signature"
python_use_unqualified_type_names = True

# The names of Python that the pages link to. The inventory of docs.python.org has them all, but nothing is fetched
# while the site is built, so that python.txt lists those that are needed, as name, role and page.
PYTHON = HERE.parent / "build" / "python.inv"
PYTHON.parent.mkdir(exist_ok=True)
LINES = [line.split() for line in (HERE / "python.txt").read_text("utf-8").splitlines()]
PYTHON.write_bytes(
    b"# Sphinx inventory version 2\n# Project: Python\n# Version: 3\n"
    b"# The remainder of this file is compressed using zlib.\n"
    + zlib.compress("".join(f"{name} py:{role} 1 {page}#$ -\n" for name, role, page in LINES).encode())
)
intersphinx_mapping = {"python": ("https://docs.python.org/3", str(PYTHON))}

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
