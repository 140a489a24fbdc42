"""The model of libmilter's engine: the commands that it takes in each state, and those that it throws away unanswered.

Written from libmilter 8.17's documentation of its states. A walk is what an MTA sends on one connection, a letter a
command (`SMFIC_*`); the MTA leaves out what was negotiated off.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from pymilter.testing import Client, Protocol, Response

STATES: Final = "_OCHMRTLNBEQAUK"
"""The commands by the number of the state that follows them; `_` is the state before any."""

_FOLLOWERS: Final = {
    "_": "O",
    "O": "CU",
    "C": "HMU",
    "H": "HMU",
    "M": "RAU",
    "R": "LNTBERAU",
    "T": "NLA",
    "L": "NLA",
    "N": "BEA",
    "B": "EBA",
    "E": "QMUK",
    "Q": "",
    "A": "",
    "U": "HMRTBUAQK",
    "K": "CU",
}
_SKIP: Final = {
    "C": Protocol.NOCONNECT,
    "H": Protocol.NOHELO,
    "M": Protocol.NOMAIL,
    "R": Protocol.NORCPT,
    "T": Protocol.NODATA,
    "U": Protocol.NOUNKNOWN,
    "L": Protocol.NOHDRS,
    "N": Protocol.NOEOH,
    "B": Protocol.NOBODY,
}
SKIPPABLE: Final = "".join(_SKIP)
"""What a filter can negotiate off."""


def left_out(protocol: Protocol) -> frozenset[str]:
    """The commands that an MTA does not send once `protocol` was agreed."""
    return frozenset(letter for letter, bit in _SKIP.items() if bit in protocol)


def is_taken(state: str, command: str, skippable: frozenset[str]) -> bool:
    """Whether `command` may follow `state`; a state that is `skippable` may be passed over."""
    for following in STATES[STATES.index(state) :]:
        if following != state and following not in skippable:
            return False
        if command in _FOLLOWERS[following]:
            return True
    return False


def thrown_away(walk: str, absent: frozenset[str], skippable: frozenset[str]) -> Iterator[int]:
    """The places in `walk` of the commands that libmilter ignores; `absent` are not sent."""
    state = "O"
    for place, command in enumerate(walk):
        if command in absent:
            continue
        if not is_taken(state, command, skippable):
            state = "H"
            if not is_taken(state, command, skippable):
                yield place
                continue
        state = command


def contents() -> Iterator[str]:
    """What can come between DATA and the end of a message: EOH comes always, headers and body may be missing."""
    yield from ("N", "LN", "NB", "LNB", "LLNBB")


def in_order() -> Iterator[str]:
    """Walks in which each command comes when it should; unknown commands come before DATA, RSET (A) too."""
    before = ("", "U", "MRA", "MA", "MRUA", "UMRUA")
    envelopes = ("MR", "MRR", "MUR", "MRU", "UMURU")
    for start, envelope, content in itertools.product(before, envelopes, contents()):
        yield f"CH{start}{envelope}T{content}E"
    for content, next_content in itertools.product(contents(), repeat=2):
        yield f"CHMRT{content}EMRT{next_content}E"
        yield f"CHMRT{content}EKCHMRT{next_content}E"
        yield f"CHMRT{content}AMRT{next_content}E"


def out_of_order() -> Iterator[str]:
    """Walks in which a sender, another filter's refusal or BDAT brings what libmilter does not expect.

    After DATA: an unknown command (between two chunks), another recipient, DATA once more, HELO. A second message
    comes after each, with RSET before it or without.
    """
    for length in (1, 2, 3):
        for extra in itertools.product("UTR", repeat=length):
            for content in contents():
                yield f"CHMRT{''.join(extra)}{content}E"
    for content, between in itertools.product(contents(), ("T", "TU", "TH", "TUH", "H", "")):
        yield f"CHMR{between}AMRT{content}E"
        yield f"CHMR{between}MRT{content}E"
        yield f"CHMRT{content}EAMRT{content}E"
        yield f"CHMRT{content}EHUMRTU{content}E"


def all_unanswered(walks: Iterable[str], protocol: Protocol, skippable: frozenset[str]) -> list[str]:
    """Those of the walks in which a command gets no answer."""
    absent = left_out(protocol)
    return [walk for walk in walks if any(True for _ in thrown_away(walk, absent, skippable))]


def send_one(client: Client, command: str) -> Response | None:
    """Send one command of a walk; None for those that have no answer."""
    match command:
        case "C":
            return client.connect()
        case "H":
            return client.helo()
        case "M":
            return client.mail("<a@example.org>")
        case "R":
            return client.rcpt("<b@example.org>")
        case "T":
            return client.data()
        case "U":
            return client.unknown("FOO")
        case "L":
            return client.header("Subject", "hello")
        case "N":
            return client.eoh()
        case "B":
            return client.body(b"text\r\n")
        case "E":
            return client.eom()
        case "A":
            client.abort()
        case "K":
            client.quit_nc()
    return None


def send_all(client: Client, walk: str) -> list[Response]:
    """Send all commands of a walk; the answers of those that have one."""
    answers = [send_one(client, command) for command in walk]
    return [answer for answer in answers if answer is not None]
