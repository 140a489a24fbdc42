"""A filter that plays a list of edits: the sender's local part names the file, in a folder, that holds them as JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pymilter
from pymilter import CONTINUE, Base, Outcome


class Editor(Base):
    """Makes the edits of a message's file, each a method's name and its arguments."""

    folder: Path

    def envfrom(self, mailfrom: str, *params: str) -> Outcome:
        self.edits = self.folder / f"{mailfrom.strip('<>').partition('@')[0]}.json"
        return CONTINUE

    def eom(self) -> Outcome:
        for name, *arguments in json.loads(self.edits.read_text()):
            if name == "replacebody":
                arguments = [text.encode("latin-1") for text in arguments]
            getattr(self, name)(*arguments)
        return CONTINUE


if __name__ == "__main__":
    Editor.folder = Path(sys.argv[1])
    os.umask(0)  # a mail server's user may connect to the unix socket
    pymilter.run(Editor, sys.argv[2])
