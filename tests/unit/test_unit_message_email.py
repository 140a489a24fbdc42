"""`Message.email`: each route by which a program changes it, what is refused at that line, and until when."""

from __future__ import annotations

import copy
from collections.abc import Callable
from email.message import Message as StandardMessage
from typing import Any

import pytest

from pymilter import Action, DisabledAction, MilterError
from pymilter.message import Connection, Message
from pymilter.mime import MimeMessage
from pymilter.testing import AddHeader, ChangeHeader

PARTS = (
    b"Subject: one\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nfirst\r\n--b\r\n\r\nsecond\r\n--b--\r\n"
)
TEXT = b"Subject: one\r\nSubject: two\r\n\r\nbody\r\n"

Change = Callable[[Any], object]

BODY_CHANGES: dict[str, Change] = {
    "append_text": lambda e: e.append_text("more\n"),
    "drop": lambda e: e.drop(e.get_payload(0)),
    "drop all": lambda e: [e.drop(part) for part in list(e.get_payload())],
    "replace_with_text": lambda e: e.replace_with_text(e.get_payload(0), "new"),
    "replace_with_text of all": lambda e: e.replace_with_text(e, "new"),
    "set_payload": lambda e: e.get_payload(0).set_payload("new"),
    "set_payload of all": lambda e: e.set_payload("new"),
    "set_payload_bytes": lambda e: e.get_payload(0).set_payload_bytes(b"new"),
    "set_charset": lambda e: e.get_payload(0).set_charset("utf-8"),
    "set_boundary": lambda e: e.set_boundary("other"),
    "boundary by set_param": lambda e: e.set_param("boundary", "other"),
    "attach": lambda e: e.attach(MimeMessage()),
    "preamble": lambda e: setattr(e, "preamble", "new"),
    "epilogue": lambda e: setattr(e, "epilogue", "new"),
    "a field of a part": lambda e: e.get_payload(0).__setitem__("X", "1"),
    "a field of a part deleted": lambda e: e.get_payload(0).__delitem__("Content-Type"),
    "a field of a part replaced": lambda e: e.get_payload(0).replace_header("Content-Type", "text/html"),
    "a parameter of a part": lambda e: e.get_payload(0).set_param("name", "x"),
    "list.append": lambda e: e.get_payload().append(StandardMessage()),
    "list.pop": lambda e: e.get_payload().pop(),
    "list.clear": lambda e: e.get_payload().clear(),
    "list.reverse": lambda e: e.get_payload().reverse(),
    "list[0] = ...": lambda e: e.get_payload().__setitem__(0, StandardMessage()),
    "del list[0]": lambda e: e.get_payload().__delitem__(0),
    "list += ...": lambda e: e.get_payload().__iadd__([StandardMessage()]),
}
HEADER_CHANGES: dict[str, tuple[Action, Change]] = {
    "a new field": (Action.ADDHDRS, lambda e: e.__setitem__("X", "1")),
    "one more of a name": (Action.ADDHDRS, lambda e: e.__setitem__("Subject", "three")),
    "add_header": (Action.ADDHDRS, lambda e: e.add_header("X", "1", name="x")),
    "set_raw": (Action.ADDHDRS, lambda e: e.set_raw("X", "1")),
    "set_type": (Action.ADDHDRS, lambda e: e.set_type("text/html")),
    "deleted": (Action.CHGHDRS, lambda e: e.__delitem__("subject")),
    "replaced": (Action.CHGHDRS, lambda e: e.replace_header("Subject", "three")),
}


def parse(data: bytes = PARTS, actions: int = 0x1FF) -> Message:
    return Message.parse(data, sender="a@example.org", recipients=["b@example.org"], actions=actions)


@pytest.mark.parametrize("name", BODY_CHANGES)
def test_a_change_of_the_body_needs_its_action_at_its_line(name: str) -> None:
    message = parse(actions=0x1FF & ~Action.CHGBODY)
    with pytest.raises(DisabledAction, match="CHGBODY"):
        BODY_CHANGES[name](message.email)
    assert message.as_bytes() == PARTS
    assert message.edits == []
    granted = parse()
    BODY_CHANGES[name](granted.email)
    assert granted.as_bytes() != PARTS
    assert granted.edits != []


LETTER = b"Subject: s\r\nContent-Type: text/plain\r\n\r\nbody\r\n"
TEXT_CHANGES: dict[str, Change] = {
    "set_payload": lambda e: e.set_payload("new"),
    "set_payload_bytes": lambda e: e.set_payload_bytes(b"new"),
    "set_body_text": lambda e: e.set_body_text("new"),
    "set_charset": lambda e: e.set_charset("utf-8"),
    "append_text": lambda e: e.append_text("caf\xe9"),
    "replace_with_text": lambda e: e.replace_with_text(e, "new"),
    "drop": lambda e: e.drop(e),
}


@pytest.mark.parametrize("name", TEXT_CHANGES)
def test_a_change_of_the_text_changes_no_field_before_it_is_refused(name: str) -> None:
    message = parse(LETTER, actions=0x1FF & ~Action.CHGBODY)
    with pytest.raises(DisabledAction, match="CHGBODY"):
        TEXT_CHANGES[name](message.email)
    assert message.as_bytes() == LETTER
    assert message.edits == []


@pytest.mark.parametrize("name", HEADER_CHANGES)
def test_a_change_of_a_field_needs_its_action_at_its_line(name: str) -> None:
    action, change = HEADER_CHANGES[name]
    message = parse(TEXT, actions=0x1FF & ~action)
    with pytest.raises(DisabledAction, match=str(action.name)):
        change(message.email)
    assert message.edits == []
    granted = parse(TEXT, actions=action | Action.ADDHDRS)
    change(granted.email)
    assert granted.edits != []


def test_a_field_that_takes_the_place_of_another_is_a_change() -> None:
    message = parse(TEXT, actions=Action.CHGHDRS)
    del message.email["Subject"]
    message.email["Subject"] = "x"
    message.email["Subject"] = "y"
    assert message.edits == [ChangeHeader(2, "Subject", " y"), ChangeHeader(1, "Subject", " x")]


def test_to_delete_what_is_not_there_changes_nothing() -> None:
    message = parse(TEXT, actions=0)
    del message.email["X-None"]
    with pytest.raises(KeyError):
        message.email.replace_header("X-None", "1")
    assert message.edits == []


@pytest.mark.parametrize("name", BODY_CHANGES)
def test_an_email_that_was_replaced_cannot_be_changed(name: str) -> None:
    message = parse()
    email = message.email
    parts = email.get_payload()
    message.body = b"new"
    with pytest.raises(MilterError, match=r"message\.body was assigned after this email was taken"):
        BODY_CHANGES[name](email)
    with pytest.raises(MilterError, match=r"message\.body was assigned"):
        email["X"] = "1"
    assert (email.get_payload(), message.body) == (parts, b"new\r\n")
    message.email["X"] = "1"
    assert AddHeader("X", " 1") in message.edits


@pytest.mark.parametrize("name", BODY_CHANGES)
def test_the_email_of_a_message_that_is_over_cannot_be_changed(name: str) -> None:
    message = parse()
    email = message.email
    message._grant.end()
    with pytest.raises(MilterError, match="the message is over"):
        BODY_CHANGES[name](email)
    for _, change in HEADER_CHANGES.values():
        with pytest.raises(MilterError, match="the message is over"):
            change(email)
    assert email.as_bytes() == message.as_bytes() == PARTS


def test_a_deep_copy_of_the_email_is_free() -> None:
    message = parse(actions=0)
    mine = copy.deepcopy(message.email)
    for change in BODY_CHANGES.values():
        change(copy.deepcopy(mine))
    mine["X"] = "1"
    assert message.edits == []


def test_a_program_may_set_its_own_headerchange() -> None:
    message = parse(TEXT)
    seen = []
    message.email.headerchange = lambda email, name, value: seen.append((name, value))
    message.email["X"] = "1"
    assert seen == [("X", "1")]
    assert message.edits == [AddHeader("X", " 1")]


def test_a_message_that_is_kept_knows_what_was_known() -> None:
    values = {"i": "4XYZ", "v": "Postfix 3.7.11", "{auth_authen}": "anna", "{own}": "1"}
    connection = Connection(helo="helo.example", macros=lambda name: values.get(name, values.get(f"{{{name}}}")))
    message = Message.parse(TEXT, recipients=["b@example.org"], connection=connection)
    message.headers.append("X", "1")
    connection.values["kept"] = 1
    assert message.macro("own") == "1"
    message._keep(["i", "v", "{auth_authen}"])
    message._grant.end()
    values.clear()
    assert (message.queue_id, message.macro("{own}"), message.connection.login) == ("4XYZ", "1", "anna")
    assert (message.connection.mta, message.connection.helo) == ("postfix", "helo.example")
    assert message.connection.values is connection.values
    assert message.edits == [AddHeader("X", " 1")]
    with pytest.raises(MilterError, match=r"macro \{other\} was not read before"):
        message.macro("{other}")


def test_a_new_boundary_is_in_the_header_and_in_the_body() -> None:
    data = b'Subject: a\r\nContent-Type: multipart/mixed; boundary="old"\r\n\r\n--old\r\n\r\ntext\r\n--old--\r\n'
    message = Message.parse(data)
    message.email.set_boundary("new")
    changes = [edit for edit in message.edits if isinstance(edit, ChangeHeader)]
    assert [(edit.name, 'boundary="new"' in edit.value) for edit in changes] == [("Content-Type", True)]
    assert b"--new--" in message.as_bytes()
    assert b"old" not in message.as_bytes()
