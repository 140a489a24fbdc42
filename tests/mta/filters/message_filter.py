"""A MessageFilter that plays the steps of support.message_edits; the sender's local part names the file with them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pymilter
from pymilter import CONTINUE, Outcome
from pymilter.message import Message, MessageFilter

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from support.message_edits import play


class Editor(MessageFilter):
    """Plays the steps of each message, and writes the message as it came and as it is afterwards."""

    folder: Path

    def message(self, message: Message) -> Outcome:
        token = message.sender.local
        (self.folder / f"{token}.came").write_bytes(message.as_bytes())
        play(message, json.loads((self.folder / f"{token}.json").read_text()))
        (self.folder / f"{token}.went").write_bytes(message.as_bytes())
        return CONTINUE


if __name__ == "__main__":
    Editor.folder = Path(sys.argv[1])
    os.umask(0)  # a mail server's user may connect to the unix socket
    pymilter.run(Editor, sys.argv[2])
