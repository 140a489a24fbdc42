"""The directive `measured`: some numbers of the benchmark's summary, taken from benchmarks/results/latest.md.

    ```{measured} a side
    :rows: every step handled, unix = unix socket; every step handled, TCP = TCP
    C filter, no reply = a C filter
    pymilter, `-> None` = pymilter
    ```

makes a table with that title of its first column. `:rows:` names rows of the summary, which become columns, and each
line names a column of the summary, which becomes a row. Behind a name stands what is shown instead of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import OptionSpec

RESULTS: Final = Path(__file__).parents[2] / "benchmarks" / "results" / "latest.md"
HEADING: Final = "## Summary"


class Measured(SphinxDirective):
    """Shows some of the summary."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar[OptionSpec] = {"rows": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        self.env.note_dependency(os.fspath(RESULTS))
        numbers = summary(RESULTS.read_text("utf-8"))
        loads = [names(load) for load in self.options["rows"].split(";")]
        lines = [
            f"| {' | '.join([self.arguments[0], *(shown for _, shown in loads)])} |",
            f"|---|{'---:|' * len(loads)}",
        ]
        for side, shown in map(names, self.content):
            try:
                found = [numbers[load][side] for load, _ in loads]
            except KeyError as error:
                raise self.error(f"the summary of {RESULTS.name} has no {error}") from None
            lines.append(f"| {' | '.join([shown, *found])} |")
        holder = nodes.container()
        self.state.nested_parse(StringList([*lines, ""], source=self.env.docname), self.content_offset, holder)
        return holder.children


def names(pair: str) -> tuple[str, str]:
    """A name of the summary, and what is shown for it."""
    name, _, shown = pair.partition("=")
    return name.strip(), (shown or name).strip()


def summary(text: str) -> dict[str, dict[str, str]]:
    """The numbers of the summary by row and column."""
    table = text.partition(f"{HEADING}\n")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")] for line in lines]
    return {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[2:]}


def setup(app: Sphinx) -> None:
    """Called by the extension."""
    app.add_directive("measured", Measured)
