"""What 1.0.5's `mime` shows, `mime` shows; and pymilter.mime stands alone."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from pathlib import Path

import pytest

import mime
import pymilter.mime

#: dir() and inspect.signature() of 1.0.5, apart from the modules it imports.
SIGNATURES = {
    "HTMLParser": "(verbose=0)",
    "HTMLScriptFilter": "(out)",
    "MimeGenerator": "(outfp, mangle_from_=None, maxheaderlen=None, *, policy=None)",
    "MimeMessage": "(fp=None, seekable=1)",
    "SGMLFilter": "(out)",
    "_defang": "(scan_html=True)",
    "_parseparam": "(s)",
    "_unquotevalue": "(value)",
    "check_attachments": "(msg, check, lev=None)",
    "check_ext": "(name)",
    "check_html": "(msg, savname=None, *, strict=False)",
    "check_name": "(msg, savname=None, ckname=check_ext, scan_zip=False)",
    "defang": "(msg, savname=None, check=check_ext, scan_rfc822=True, scan_zip=False)",
    "message_from_binary_file": "(fp, *args, **kws)",
    "message_from_file": "(fp)",
    "quote": "(str)",
    "unquote": "(s)",
    "zipnames": "(txt)",
}
#: What we added behind the old parameters.
ADDED = {
    "check_name": "by_content",
    "defang": "by_content",
    "message_from_file": "limits",
    "zipnames": "limits",
}

METHODS = {
    "get_param": "(self, param, failobj=None, header='content-type', unquote=True)",
    "getfilename": "(self, failobj=None)",
    "ismultipart": "(self)",
    "getheaders": "(self, name, failobj=None)",
    "gettype": "(self)",
    "getparam": "(self, param, failobj=None, header='content-type', unquote=True)",
    "getparams": "(self)",
    "getname": "(self)",
    "getnames": "(self, scan_zip=False)",
    "ismodified": "(self)",
    "dump": "(self, file, unixfrom=False)",
    "as_bytes": "(self, unixfrom=False)",
    "getencoding": "(self)",
    "decode": "(self, filt)",
    "get_payload_decoded": "(self)",
    "__setitem__": "(self, name, value)",
    "__delitem__": "(self, name)",
    "get_payload": "(self, i=None, decode=False)",
    "set_payload": "(self, val, charset=None)",
    "get_submsg": "(self)",
}


def signature(function: object, without: str | None = None) -> str:
    assert callable(function)
    found = inspect.signature(function)
    parameters = []
    for parameter in found.parameters.values():
        if parameter.name == without:
            continue
        default = parameter.default
        text = str(parameter.replace(annotation=parameter.empty, default=parameter.empty))
        if default is not parameter.empty:
            text += "=" + (default.__name__ if callable(default) else repr(default))
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parameters:
            parameters.append("*")
        parameters.append(text)
    return f"({', '.join(parameters)})"


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name: str) -> None:
    assert signature(getattr(mime, name), ADDED.get(name)) == SIGNATURES[name]
    assert name in pymilter.mime.__all__


@pytest.mark.parametrize("name", METHODS)
def test_method(name: str) -> None:
    added = {"as_bytes": "policy"}.get(name)
    assert signature(getattr(mime.MimeMessage, name), added) == METHODS[name]


@pytest.mark.parametrize(
    "name", ["BytesGenerator", "BytesIO", "Message", "StringIO", "encoders", "extlist", "virus_msg"]
)
def test_classic_names_are_exported(name: str) -> None:
    assert name in pymilter.mime.__all__
    assert hasattr(mime, name)


def test_classes_have_their_classic_parents() -> None:
    assert issubclass(mime.MimeMessage, mime.Message)
    assert issubclass(mime.MimeGenerator, mime.BytesGenerator)
    assert issubclass(mime.HTMLScriptFilter, mime.SGMLFilter)
    assert issubclass(mime.SGMLFilter, mime.HTMLParser)
    assert isinstance(mime.defang, mime._defang)


def test_virus_msg_is_that_of_1_0_5() -> None:
    assert mime.virus_msg == (
        "This message appeared to contain a virus.\n"
        "It was originally named '%s', and has been removed.\n"
        "A copy of your original message was saved as '%s:%s'.\n"
        "See your administrator.\n"
    )


def test_classic_name_is_the_same_module() -> None:
    """So that `mime.virus_msg = ...` counts."""
    assert mime is pymilter.mime
    assert importlib.import_module("mime") is sys.modules["pymilter.mime"]


def test_it_imports_nothing_else_of_pymilter() -> None:
    """But what puts connection and queue id on the records of its logger."""
    folder = Path(pymilter.mime.__file__).parent
    sources = list(folder.glob("*.py"))
    assert len(sources) > 10
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level < 2, f"{source.name} imports from above the package"
                names = [node.module or ""] if node.level == 0 else []
            else:
                continue
            for name in names:
                of_log = (source.name, name) == ("_walk.py", "pymilter._observe.logging")
                own = of_log or name == "pymilter.mime" or name.split(".")[0] in sys.stdlib_module_names
                assert own, f"{source.name} imports {name}"
