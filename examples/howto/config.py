"""Reads its settings from a TOML file, and again when it gets SIGHUP.

python config.py unix:/run/gate/gate.sock /etc/gate/gate.toml
"""

import logging
import sys
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

import pymilter
from pymilter import CONTINUE, Message, Outcome, Reject

PATH = Path(sys.argv[2])


@dataclass(frozen=True)
class Settings:
    """What the file may set. An object never changes: a message has the settings with which it began."""

    blocked: frozenset[str] = frozenset()
    footer: str = ""

    @classmethod
    def read(cls, path: Path) -> "Settings":
        """Read the file. Raises OSError, or ValueError that says what is wrong."""
        with path.open("rb") as file:
            found = tomllib.load(file)
        known = [field.name for field in fields(cls)]
        if unknown := found.keys() - set(known):
            raise ValueError(f"{path}: {', '.join(sorted(unknown))}: the settings are {', '.join(known)}")
        blocked, footer = found.get("blocked", []), found.get("footer", "")
        if not (isinstance(blocked, list) and all(isinstance(domain, str) for domain in blocked)):
            raise ValueError(f"{path}: blocked must be a list of domains")
        if not isinstance(footer, str):
            raise ValueError(f"{path}: footer must be a text")
        return cls(frozenset(domain.lower() for domain in blocked), footer)


settings = Settings.read(PATH)  # a file that is wrong ends the start


def reload() -> None:
    """Read the file again. If it is wrong, the error is logged and the old settings stay."""
    global settings
    settings = Settings.read(PATH)
    logging.info("read %s", PATH)


@pymilter.message_filter
def gate(message: Message) -> Outcome:
    now = settings
    if message.sender.ascii_domain in now.blocked:
        return Reject(550, "5.7.1", "We do not take mail from this domain")
    if now.footer:
        message.email.append_text(now.footer)
    return CONTINUE


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    pymilter.run(gate, sys.argv[1], on_reload=reload)
