"""The names, signatures and values of milter, Milter and its test modules, beside those of pymilter 1.0.5."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.parity import Surface, differences, surface, unexplained

MODULES = ["milter", "Milter", "Milter.test", "Milter.testctx"]
PRIVATE = ["_seq", "_seq_lock", "_setctx", "__version__"]

_BUILTIN = "a built-in function in 1.0.5, which shows no signature: test_functions_refuse_what_1_0_5_refused"
_POSITION = "given by position, by libmilter and by programs; the name is another"
_MORE = "takes more than before"
_LOW_LEVEL = [
    "getdiag",
    "getversion",
    "main",
    "opensocket",
    "register",
    "set_abort_callback",
    "set_body_callback",
    "set_close_callback",
    "set_connect_callback",
    "set_envfrom_callback",
    "set_envrcpt_callback",
    "set_eoh_callback",
    "set_eom_callback",
    "set_exception_policy",
    "set_flags",
    "set_header_callback",
    "set_helo_callback",
    "setbacklog",
    "setconn",
    "setdbg",
    "settimeout",
    "stop",
]
REASONS = {
    **{f"{module}.{name}": _BUILTIN for module in ("milter", "Milter") for name in _LOW_LEVEL},
    **{
        f"Milter.Base.{name}": _POSITION
        for name in ["body", "connect", "envfrom", "envrcpt", "header", "hello", "unknown"]
    },
    **{
        f"Milter.{name}.{method}": _POSITION
        for name in ("Milter", "factory")
        for method in ["body", "envfrom", "envrcpt", "header", "unknown", "protocol_mask"]
    },
    "Milter.Base.protocol_mask": _POSITION,
    "Milter.__version__": "ours",
    "Milter.dictfromlist": _POSITION,
    "Milter.envcallback": _POSITION,
    "Milter.param2dict": _POSITION,
    "Milter.priv": "left over from a loop",
    "Milter.test.TestBase.addrcpt": _MORE,
    "Milter.test.TestBase.setreply": _MORE,
    "Milter.test.TestBase.setsymlist": _MORE,
    "Milter.testctx.TestCtx.addheader": _MORE,
    "Milter.testctx.TestCtx.addrcpt": _MORE,
    "Milter.testctx.TestCtx.setreply": _MORE,
    "Milter.testctx.TestCtx.setsymlist": _MORE,
    "Milter.testctx.VERSION": "the version of Python, out of sys",
}

# What `from Milter import *` gave in 1.0.5 and does not any more.
STAR_REASONS = {
    **dict.fromkeys(
        ["__name__", "__doc__", "__package__", "__loader__", "__spec__", "__path__", "__file__", "__cached__"],
        "it replaced the program's own, so that __name__ was no longer __main__",
    ),
    "__builtins__": "it replaced the program's own",
    **dict.fromkeys(["print_function", "re", "sys", "wraps"], "not of pymilter: import it from where it is"),
}


@pytest.fixture(scope="module")
def old(old_python: Path) -> Surface:
    return surface(old_python, MODULES, private=PRIVATE)


def test_surface_is_that_of_1_0_5_but_for_the_listed(old: Surface) -> None:
    ours = surface(sys.executable, MODULES, private=PRIVATE)
    assert unexplained(differences(old, ours), REASONS) == []


def _ask(python: str | Path, code: str) -> list[str]:
    done = subprocess.run(
        [python, "-W", "ignore", "-c", f"import json, Milter, milter\nprint(json.dumps({code}))"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: list[str] = json.loads(done.stdout)
    return found


def test_star_import_gives_the_same_names_but_for_the_listed(old_python: Path) -> None:
    code = "sorted(Milter.__all__)"
    missing = set(_ask(old_python, code)) - set(_ask(sys.executable, code))
    # Since CPython 3.15 modules have no __cached__.
    assert missing == set(STAR_REASONS) - ({"__cached__"} if sys.version_info >= (3, 15) else set())


REFUSED = [
    "milter.set_connect_callback(3)",
    "milter.set_connect_callback()",
    "milter.set_body_callback(print, print)",
    "milter.set_flags('x')",
    "milter.set_exception_policy('x')",
    "milter.set_exception_policy(milter.DISCARD)",
    "milter.set_exception_policy(99)",
    "milter.register()",
    "milter.register(3)",
    "milter.register('x', data=3)",
    "milter.register('x', other=print)",
    "milter.setconn(3)",
    "milter.setconn(None)",
    "milter.setconn('')",
    "milter.settimeout('x')",
    "milter.setbacklog(0)",
    "milter.setbacklog(-1)",
    "milter.setdbg('x')",
    "milter.opensocket()",
    "milter.opensocket(True)",
    "milter.setconn('bogus:1') or milter.register('x') or milter.opensocket(True)",
    "milter.setconn('inet:no-such-service@127.0.0.1') or milter.register('x') or milter.opensocket(True)",
    "milter.setconn('unix:/no/such/folder/x') or milter.register('x') or milter.main()",
    "Milter.runmilter('x', 'unix:/no/such/folder/x')",
    "Milter.decode_mask(1, ['NO_SUCH_NAME'])",
    "Milter.envcallback(print, [])",
    "Milter.param2dict([b'SIZE=5'])",
    "Milter.noreply(print)",
    "Milter.nocallback(print)",
    "Milter.symlist('a')(print)",
]
ACCEPTED = [
    "milter.set_helo_callback(None)",
    "[milter.set_eom_callback(print), milter.set_eom_callback(None) is print, milter.set_eom_callback(print)]",
    "milter.set_flags(milter.ADDHDRS)",
    "milter.set_flags(-1)",
    "milter.set_exception_policy(milter.ACCEPT)",
    "milter.register('x', print, print, print)",
    "milter.register('x') or milter.register('y')",
    "milter.setconn('bogus:1')",
    "milter.settimeout(-1)",
    "milter.setbacklog(5)",
    "milter.setdbg(0)",
    "milter.stop()",
    "milter.getdiag()",
    "milter.getversion()",
    "milter.VERSION",
    "[Milter.uniqueID(), Milter.uniqueID(), Milter._seq]",
    "Milter.param2dict(['SIZE=5', 'body=8BITMIME', 'SMTPUTF8', 'a=b=c', ''])",
    "Milter.dictfromlist(['<a>', 'SIZE=5', 'a=b=c', 'Foo'])",
    "Milter.envcallback(lambda *a, **k: [a, k], ['<a@b>', 'SIZE=5', 'SMTPUTF8'])",
    "Milter.decode_mask(511, ['ADDHDRS', 'CURR_ACTS'])",
    "[list(Milter.OPTIONAL_CALLBACKS.items()), Milter.MACRO_CALLBACKS]",
    "[Milter.Base().log('x'), Milter.Base().envfrom_bytes(b'<a>'), Milter.Base().header_bytes('A', b'b')]",
    "[issubclass(Milter.DisabledAction, RuntimeError), issubclass(Milter.error, Exception)]",
    "hex(Milter.Base.protocol_mask())",
    "hex(Milter.Milter.protocol_mask())",
]


def _outcome(expression: str) -> str:
    """Code whose value is the result of `expression`, or the name of what it raises."""
    return (
        "(lambda: exec('def run():\\n try: return repr(json.loads(json.dumps(' + expression + ')))\\n"
        " except Exception as error: return type(error).__name__', globals()) or run())()"
    ).replace("expression", repr(expression))


def _outcomes(python: str | Path, expressions: list[str]) -> dict[str, str]:
    return {expression: _ask(python, f"[{_outcome(expression)}]")[0] for expression in expressions}


def test_functions_refuse_what_1_0_5_refused(old_python: Path) -> None:
    old = _outcomes(old_python, REFUSED)
    assert set(old.values()) == {"AttributeError", "IndexError", "TypeError", "ValueError", "error"}
    ours = _outcomes(sys.executable, REFUSED)
    assert ours == {name: "MilterError" if what == "error" else what for name, what in old.items()}


def test_functions_answer_as_1_0_5(old_python: Path) -> None:
    assert _outcomes(sys.executable, ACCEPTED) == _outcomes(old_python, ACCEPTED)
