"""Macros: read with getsymval, asked for with setsymlist and @symlist."""

from __future__ import annotations

import pytest

from pymilter.testing import Action, Client, Stage
from support.puppet import Puppet
from support.wire import Start, session

MACROS = {"{auth_authen}": "me", "j": "mta.example", "{empty}": "", "{odd}": "a\udce9b"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("{auth_authen}", "me"),
        ("auth_authen", "me"),
        ("j", "mta.example"),
        ("{j}", "mta.example"),
        ("{empty}", ""),
        ("odd", "a\udce9b"),
        ("{none_such}", None),
        ("none_such", None),
        ("k", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("step", ["connect", "header", "eom", "close"])
def test_getsymval(puppet: Puppet, step: str, name: str, value: str | None) -> None:
    played = puppet.play(f"note(self.getsymval({name!r}))", step, macros=MACROS)
    assert played.seen == [(value,)]


def test_getsymval_wants_a_name(puppet: Puppet) -> None:
    assert puppet.errors("note_error(self.getsymval, 5)")[0][0] == "TypeError"


def test_a_macro_changes_from_message_to_message(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def envrcpt(self, to, *params):
                note(self.getsymval("rcpt_addr"))
            def data(self):
                note(self.getsymval("i"))
    """)
    with Client(process.address) as client:
        client.connect()
        for number in (1, 2):
            client.mail("<>")
            client.rcpt(f"<{number}@x>")
            client.data()
            client.eom()
    assert process.seen()[:-1:2] == [("1@x",), ("2@x",)]
    first, second = process.seen()[1::2]
    assert first != second


ASKING = """
    class Filter(Base):
        def negotiate(self, opts):
            status = super().negotiate(opts)
            self.setsymlist(Stage.CONNECT, "j", "{daemon_port}")
            self.setsymlist(M_HELO, "{tls_version}")
            self.setsymlist("envfrom", "{mail_addr}", "i")
            self.setsymlist("envrcpt")
            self.setsymlist("data", "i")
            self.setsymlist(int(Stage.EOM), "{msg_id}")
            self.setsymlist("eoh", *(f"{{m{n}}}" for n in range(50)))
            return status
"""
ASKED = {
    Stage.CONNECT: ("j", "{daemon_port}"),
    Stage.HELO: ("{tls_version}",),
    Stage.ENVFROM: ("{mail_addr}", "i"),
    Stage.ENVRCPT: (),
    Stage.DATA: ("i",),
    Stage.EOM: ("{msg_id}",),
    Stage.EOH: tuple(f"{{m{number}}}" for number in range(50)),
}


def test_setsymlist_for_each_stage(start: Start) -> None:
    with Client(start(ASKING).address) as client:
        assert client.negotiation.macro_lists == ASKED


DECORATED = """
    class Filter(Base):
        @symlist("j", "{daemon_port}")
        def connect(self, hostname, family, hostaddr): pass
        @symlist("{tls_version}")
        def hello(self, hostname): pass
        @symlist("{mail_addr}", "i")
        def envfrom(self, mailfrom, *params): pass
        @symlist()
        def envrcpt(self, to, *params): pass
        @symlist("i")
        def data(self): pass
        @symlist("{msg_id}")
        def eom(self): pass
        @symlist(*(f"{{m{n}}}" for n in range(50)))
        def eoh(self): pass
"""


@pytest.mark.parametrize("negotiate", ["", "    def negotiate(self, opts): return super().negotiate(opts)\n"])
def test_symlist_for_each_stage(start: Start, negotiate: str) -> None:
    process = start(DECORATED + "    " + negotiate)
    with Client(process.address, macros={f"m{number}": str(number) for number in range(50)}) as client:
        assert client.negotiation.macro_lists == ASKED
        session(client)


def test_symlist_brings_the_macros(start: Start) -> None:
    process = start("""
        class Filter(Base):
            @symlist("{m1}", "{m49}")
            def eom(self):
                note(self.getsymval("m1"), self.getsymval("m49"), self.getsymval("m2"))
    """)
    with Client(process.address, macros={"m1": "one", "m2": "two", "m49": "last"}) as client:
        session(client)
    assert process.seen() == [("one", "last", None)]


def test_an_mta_without_setsymlist_is_asked_for_nothing(start: Start) -> None:
    with Client(start(DECORATED).address, actions=Action.ALL & ~Action.SETSYMLIST) as client:
        assert client.negotiation.macro_lists == {}
        assert Action.SETSYMLIST not in client.negotiation.actions
        session(client)


ERRORS = """
    def note_error(function, *args):
        try:
            function(*args)
        except Exception as error:
            note(type(error).__name__, str(error))

    class Filter(Base):
        def negotiate(self, opts):
            status = super().negotiate(opts)
            note_error(self.setsymlist, "nowhere", "i")
            note_error(self.setsymlist, "header", "i")
            note_error(self.setsymlist, 7, "i")
            note_error(self.setsymlist, -1, "i")
            note_error(self.setsymlist, "eom", "a\\0b")
            note_error(self.setsymlist, "eom", 5)
            self.setsymlist("data", "i")
            note_error(self.setsymlist, "data", "j")
            return status
"""


def test_a_bad_list_of_macros(start: Start) -> None:
    process = start(ERRORS)
    with Client(process.address) as client:
        assert client.negotiation.macro_lists == {Stage.DATA: ("i",)}
    stages = "connect, hello, envfrom, envrcpt, data, eom, eoh"
    seen = process.seen()
    assert seen[:4] == [
        ("ValueError", f"stage is 'nowhere': allowed are {stages}"),
        ("ValueError", f"stage is 'header': allowed are {stages}"),
        ("BadValue", "stage is 7: allowed are 0 to 6"),
        ("BadValue", "stage is -1: allowed are 0 to 6"),
    ]
    assert [error for error, _ in seen[4:]] == ["BadValue", "TypeError", "MilterError"]
