"""The directive `picture`: one of the drawings of this package, made when the site is built.

```{picture} events
:alt: what it shows, for those who do not see it
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from sphinx_pymilter.pictures import delays, drain, events, lifetimes, restart

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx
    from sphinx.util.typing import OptionSpec

    from sphinx_pymilter.pictures.svg import Drawing

PICTURES: dict[str, Callable[[], Drawing]] = {
    "delays": delays.draw,
    "drain": drain.draw,
    "events": events.draw,
    "lifetimes": lifetimes.draw,
    "restart": restart.draw,
}


class Picture(SphinxDirective):
    """Puts a drawing into a page."""

    required_arguments = 1
    option_spec: ClassVar[OptionSpec] = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Draw it."""
        name = self.arguments[0]
        if name not in PICTURES or "alt" not in self.options:
            raise self.error(f"a picture needs `:alt:` and one of these names: {', '.join(PICTURES)}")
        drawing = PICTURES[name]().svg(name, self.options["alt"])
        return [nodes.raw("", f'<div class="picture" style="overflow-x: auto">{drawing}</div>', format="html")]


def setup(app: Sphinx) -> None:
    """Called by the extension."""
    app.add_directive("picture", Picture)
