"""The names, signatures, values and answers of `mime`, beside those of pymilter 1.0.5."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.parity import differences, surface, unexplained

_PARSER = "our own parser needs no ParserBase"
_TOKENS = "a regular expression of its tokeniser; ours reads as browsers do, and works otherwise"
_EXTENSIONS = "behind those of 1.0.5 stand the ones of today"
_BY_CONTENT = "takes by_content as well"
REASONS = {
    "mime.HTMLParser": _PARSER,
    "mime.HTMLScriptFilter": _PARSER,
    "mime.SGMLFilter": _PARSER,
    "mime.MimeMessage.as_bytes": "takes the email package's policy as well",
    "mime.MimeMessage.get_param": "inherited from the email package, which does the same",
    "mime.bad_extensions": _EXTENSIONS,
    "mime.check_html": "can be strict as well",
    "mime.check_name": _BY_CONTENT,
    "mime.declname": _TOKENS,
    "mime.declstringlit": _TOKENS,
    "mime.extlist": _EXTENSIONS,
    "mime.message_from_file": "takes limits as well",
    "mime.zipnames": "takes limits as well",
}


def test_surface_is_that_of_1_0_5_but_for_the_listed(old_python: Path) -> None:
    private = ("_defang", "_parseparam", "_unquotevalue")
    old = surface(old_python, ["mime"], private=private)
    new = surface(sys.executable, ["mime"], private=private)
    assert unexplained(differences(old, new), REASONS) == []


def _answers(python: Path | str) -> dict[str, list[Any]]:
    script = Path(__file__).with_name("mime_corpus.py")
    done = subprocess.run(
        [str(python), "-W", "ignore", str(script)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[Any]] = json.loads(done.stdout)
    return found


def test_answers_are_those_of_1_0_5(old_python: Path) -> None:
    """mime_corpus.py leaves out what is mended on purpose."""
    old, new = _answers(old_python), _answers(sys.executable)
    assert list(old) == list(new)
    for topic, calls in old.items():
        assert len(calls) == len(new[topic]) > 0
        assert [pair for pair in zip(calls, new[topic], strict=True) if pair[0] != pair[1]] == [], topic
