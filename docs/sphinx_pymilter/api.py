"""The directive `public-names`: what a module offers, each described where it is at home, and linked elsewhere.

    ```{public-names} pymilter.testing
    FilterProcess send_message
    ```

describes those two; without names, all. With `:module:` the docstring of the module comes first. A public name that no
page has is a warning, which ends the build.
"""

from __future__ import annotations

import enum
import importlib
import inspect
from typing import TYPE_CHECKING, ClassVar, Final

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from sphinx_pymilter.names import MODULES, home_of, is_alias, public_names

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import OptionSpec

logger = logging.getLogger(__name__)
STORE: Final = "pymilter_names"
"""Where the environment keeps {page: full names that it describes or links}."""


class PublicNames(SphinxDirective):
    """Describes the names of a module."""

    required_arguments = 1
    optional_arguments = 0
    has_content = True
    option_spec: ClassVar[OptionSpec] = {"module": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Make the nodes of the names."""
        module = self.arguments[0]
        names = " ".join(self.content).split() or public_names(module)
        unknown = sorted(set(names) - set(public_names(module)))
        if unknown:
            raise self.error(f"{module} does not offer {', '.join(unknown)}")
        described = [name for name in names if not is_alias(module, name)]
        aliases = [name for name in names if is_alias(module, name)]
        stored = getattr(self.env, STORE)
        stored.setdefault(self.env.docname, set()).update(f"{module}.{name}" for name in names)
        lines = [line for name in described for line in autodoc(module, name)]
        if "module" in self.options:
            lines = [f".. automodule:: {module}", "   :no-members:", "", *lines]
        lines = ["````{eval-rst}", f".. py:currentmodule:: {module}", "", *lines, "````", ""]
        lines += table_of(module, aliases)
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, source=self.env.docname), self.content_offset, holder)
        return holder.children


def autodoc(module: str, name: str) -> list[str]:
    """The directive of autodoc for a name."""
    value = getattr(importlib.import_module(module), name)
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, BaseException) else "class"
        options = ["   :members:", "   :member-order: bysource"]
        if issubclass(value, enum.Enum):
            options += ["   :undoc-members:"]
    elif inspect.isroutine(value):
        kind, options = "function", []
    else:
        kind, options = "data", ["   :no-value:"] if not isinstance(value, int | str) else []
    return [f".. auto{kind}:: {module}.{name}", *options, ""]


def table_of(module: str, names: list[str]) -> list[str]:
    """Names that are described elsewhere, with links there."""
    if not names:
        return []
    rows = [f"| `{module}.{name}` | {{py:obj}}`{home_of(module, name)}` |" for name in names]
    return ["| name | is |", "|---|---|", *rows, ""]


def begin(app: Sphinx) -> None:
    """Give a new environment its store."""
    if not hasattr(app.env, STORE):
        setattr(app.env, STORE, {})


def purge(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    """Forget a page that is read again."""
    getattr(env, STORE, {}).pop(page, None)


def merge(app: Sphinx, env: BuildEnvironment, pages: set[str], other: BuildEnvironment) -> None:
    """Take over what a process that reads some of the pages has found."""
    getattr(env, STORE).update({page: names for page, names in getattr(other, STORE).items() if page in pages})


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of each public name that no page has."""
    found = set().union(*getattr(env, STORE).values())
    for module in MODULES:
        missing = [name for name in public_names(module) if f"{module}.{name}" not in found]
        if missing:
            logger.warning("the reference does not have %s: %s", module, ", ".join(missing), type="pymilter")


def setup(app: Sphinx) -> None:
    """Called by the extension."""
    app.add_directive("public-names", PublicNames)
    app.connect("builder-inited", begin)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("env-check-consistency", check)
