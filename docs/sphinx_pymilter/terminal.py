"""The directive `terminal`: commands, and what they print, which is found out by running them when the site is built.

    ```{terminal} first:gate unix:/tmp/gate.sock
    pymilter send message.eml unix:/tmp/gate.sock
    ```

The commands run in examples/. If the first line has a filter and a socket, the filter serves meanwhile. The socket
in fact lies elsewhere, so that two builds do not meet.

`:status:` is the exit status of the last command, 0 if it is not given; all others must have 0.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from pymilter.testing import FilterProcess, temporary_socket

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import OptionSpec

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
BIN: Final = Path(sys.executable).parent
TIMEOUT: Final = 60.0


class Terminal(SphinxDirective):
    """Shows a session in a terminal."""

    optional_arguments = 2
    has_content = True
    option_spec: ClassVar[OptionSpec] = {"status": directives.nonnegative_int}

    def run(self) -> list[nodes.Node]:
        """Run the commands."""
        for path in EXAMPLES.iterdir():
            self.env.note_dependency(os.fspath(path))
        text = transcript(list(self.content), *self.arguments, status=self.options.get("status", 0))
        block = nodes.literal_block(text, text, language="console")
        self.set_source_info(block)
        return [block]


def transcript(commands: list[str], filter_name: str = "", shown_socket: str = "", *, status: int = 0) -> str:
    """The commands with a prompt before each, and their output.

    Raises:
        ValueError: a command failed, or succeeded where it should not.
    """
    shown = ""
    with ExitStack() as stack:
        socket = stack.enter_context(temporary_socket())
        if filter_name:
            argv = [sys.executable, "-m", "pymilter", "run", filter_name, socket]
            stack.enter_context(FilterProcess(argv, socket, cwd=EXAMPLES, timeout=TIMEOUT))
        for number, command in enumerate(commands, 1):
            done = subprocess.run(
                command.replace(shown_socket, socket) if shown_socket else command,
                shell=True,
                cwd=EXAMPLES,
                env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "COLUMNS": "100", "NO_COLOR": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=TIMEOUT,
            )
            if done.returncode != (status if number == len(commands) else 0):
                raise ValueError(f"{command!r} ended with status {done.returncode}:\n{done.stdout}")
            shown += f"$ {command}\n{done.stdout.replace(socket, shown_socket) if shown_socket else done.stdout}"
    return shown.rstrip("\n")


def setup(app: Sphinx) -> None:
    """Called by the extension."""
    app.add_directive("terminal", Terminal)
