"""What was wrong in pymilter 1.0.5 and is mended: seen there, and seen to be right here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pymilter.testing import Client

from .side_by_side import Script, Transcript, play

NO_ANSWER = ("FilterTimeout", "FilterGone")


def _both(old_python: Path, case: str, *scripts: Script) -> tuple[Transcript, Transcript]:
    old = play(old_python, "faults.py", [*scripts], case, client_timeout=3.0)
    return old, play(sys.executable, "faults.py", [*scripts], case)


def connect(client: Client) -> Iterator[object]:
    yield client.connect(force=True)


def helo(client: Client) -> Iterator[object]:
    yield client.helo(force=True).verdict.value


def helo_with_bytes(client: Client) -> Iterator[object]:
    yield client.helo(b"caf\xe9", force=True).verdict.value


def message(client: Client) -> Iterator[object]:
    client.mail("<a@example.org>")
    client.rcpt("<b@example.net>")
    client.data()
    client.header("Subject", "x")
    client.eoh()
    client.body(b"body\r\n")
    response = client.eom()
    yield response.verdict.value
    yield from response.edits


def test_sys_exit_left_the_mta_without_an_answer(old_python: Path) -> None:
    old, ours = _both(old_python, "exit", connect)
    assert old.wire[1] in NO_ANSWER
    assert "TEMPFAIL" in ours.wire[1]
    assert "code=451" in ours.wire[1]


def test_a_result_that_is_no_status_left_the_mta_without_an_answer(old_python: Path) -> None:
    old, ours = _both(old_python, "big", connect)
    assert old.wire[1] in NO_ANSWER
    assert "TEMPFAIL" in ours.wire[1]


def test_a_failure_in_a_step_without_an_answer_let_the_message_pass(old_python: Path) -> None:
    old, ours = _both(old_python, "noreply", message)
    assert old.wire[1:] == ["'accept'"]
    assert ours.wire[1:] == ["'tempfail'"]
    assert (old.output, ours.output) == (["eom"], [])


def test_setreply_with_a_code_only_failed(old_python: Path) -> None:
    old, ours = _both(old_python, "setreply", connect)
    assert "TEMPFAIL" in old.wire[1]
    assert "verdict=<Verdict.REJECT" in ours.wire[1]
    assert "code=550" in ours.wire[1]


def test_a_percent_sign_had_to_be_doubled(old_python: Path) -> None:
    old, ours = _both(old_python, "percent", connect)
    assert old.output == ["ValueError"]
    assert ours.output == []
    assert "100% spam" in ours.wire[1]


def test_bytes_that_are_not_utf8_in_helo_were_answered_tempfail(old_python: Path) -> None:
    old, ours = _both(old_python, "helo", helo_with_bytes)
    assert (old.wire[1], old.output) == ("'tempfail'", [])
    assert (ours.wire[1], ours.output) == ("'continue'", [r"hello 'caf\udce9'"])


def test_none_was_no_result(old_python: Path) -> None:
    old, ours = _both(old_python, "none", helo)
    assert (old.wire[1], ours.wire[1]) == ("'tempfail'", "'continue'")


def test_a_subclass_inherited_the_mask_of_its_parent(old_python: Path) -> None:
    old, ours = _both(old_python, "mask", message)
    assert old.output == ["eom"]
    assert ours.output == ["body of the subclass", "eom"]


def test_symlist_failed_in_silence(old_python: Path) -> None:
    old, ours = _both(old_python, "symlist", message)
    assert "'{auth_authen}', '{cipher}'" not in old.wire[0]
    assert "('{auth_authen}', '{cipher}')" in ours.wire[0]


def test_parameters_of_addrcpt_as_a_list(old_python: Path) -> None:
    old, ours = _both(old_python, "params", message)
    assert old.wire[1] == "'tempfail'"
    assert "NOTIFY=NEVER ORCPT=rfc822;a@example.net" in ours.wire[2]
