"""The directive `terminal`: commands, and what they print, which is found out by running them when the site is built.

    ```{terminal} first:gate unix:/tmp/gate.sock
    pymilter send message.eml unix:/tmp/gate.sock
    ```

If the first line has a filter and a socket, the filter serves meanwhile. The socket in fact lies elsewhere, so that two
builds do not meet. The commands run in a folder of their own, with copies of the files that `:files:` names (paths
below examples/ with the wildcards of a shell), or else of those of examples/ itself.

`:status:` is the exit status of the last command, 0 if it is not given; all others must have 0.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

import pymilter
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
    option_spec: ClassVar[OptionSpec] = {
        "files": directives.unchanged_required,
        "status": directives.nonnegative_int,
    }

    def run(self) -> list[nodes.Node]:
        """Run the commands."""
        files = [path for pattern in self.options.get("files", "*").split() for path in EXAMPLES.glob(pattern)]
        files = [path for path in files if path.is_file()]
        for path in (*files, *Path(pymilter.__file__).parent.rglob("*.py")):
            self.env.note_dependency(os.fspath(path))
        with tempfile.TemporaryDirectory() as folder:
            for path in files:
                shutil.copy(path, folder)
            text = transcript(
                list(self.content), *self.arguments, folder=Path(folder), status=self.options.get("status", 0)
            )
        block = nodes.literal_block(text, text, language="console")
        self.set_source_info(block)
        return [block]


def transcript(
    commands: list[str], filter_name: str = "", shown_socket: str = "", *, folder: Path, status: int = 0
) -> str:
    """The commands with a prompt before each, and their output.

    Raises:
        ValueError: a command failed, or succeeded where it should not.
    """
    shown = ""
    with ExitStack() as stack:
        socket = stack.enter_context(temporary_socket())
        if filter_name:
            argv = [sys.executable, "-m", "pymilter", "run", filter_name, socket]
            stack.enter_context(FilterProcess(argv, socket, cwd=folder, timeout=TIMEOUT))
        for number, command in enumerate(commands, 1):
            done = subprocess.run(
                command.replace(shown_socket, socket) if shown_socket else command,
                shell=True,
                cwd=folder,
                env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "COLUMNS": "88", "NO_COLOR": "1"},
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
