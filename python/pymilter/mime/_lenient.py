"""Reads the parameters of headers for which the email package is slow, raises, or finds none."""

from __future__ import annotations

from email.header import Header
from email.message import Message
from email.policy import Compat32
from typing import Any

from ._params import _unquotevalue, collapse, content_types, parse_params, transfer_encoding


class _StrPolicy(Compat32):
    """The email package's compat32, except that the values of 8-bit headers are str too."""

    def header_fetch_parse(self, name: str, value: Any) -> Any:
        """Return the value as it is."""
        return value


_POLICY = _StrPolicy()


class LenientMessage(Message):
    """An `email.message.Message` whose headers and parameters can be read whatever they contain.

    The value of a header is a str. Bytes that are not ASCII are surrogates in it (PEP 383), and are written as the same
    bytes.
    """

    _headers: list[tuple[str, Any]]

    def __init__(self) -> None:
        """Make an empty message."""
        super().__init__(policy=_POLICY)

    def _get_params_preserve(self, failobj: Any, header: str) -> Any:
        for name, value in self._headers:
            if name.lower() == header.lower():
                return parse_params(_readable(value))
        return failobj

    def get_content_type(self) -> str:
        """Return the content type in lower case, without comments, quotes, blanks or other words around it."""
        value = self.get("content-type")
        if value is None:
            return self.get_default_type()
        return next(iter(content_types(_readable(value))), "text/plain")

    def transfer_encoding(self) -> str:
        """Return the name in Content-Transfer-Encoding in lower case, or ""."""
        return transfer_encoding(self.get("content-transfer-encoding"))

    def get_content_charset(self, failobj: Any = None) -> Any:
        """Return the charset parameter of Content-Type in lower case, or `failobj`."""
        value = self.get_param("charset")
        charset = "" if value is None else collapse(value).lower()
        return charset if charset and charset.isascii() and charset.isprintable() else failobj

    def get_filename(self, failobj: Any = None) -> Any:
        """Return the filename of Content-Disposition, or the name of Content-Type, or `failobj`."""
        for param, header in (("filename", "content-disposition"), ("name", "content-type")):
            value = self.get_param(param, None, header)
            if value is not None:
                return collapse(value).strip()
        return failobj

    def get_boundary(self, failobj: Any = None) -> Any:
        """Return the boundary parameter of Content-Type, or `failobj`."""
        value = self.get_param("boundary")
        return failobj if value is None else collapse(value).rstrip()

    def get_params(self, failobj: Any = None, header: str = "content-type", unquote: bool = True) -> Any:
        """Return the parameters of a header as pairs, the value itself first; `failobj` if there is no such header."""
        params = self._get_params_preserve(None, header)
        if params is None:
            return failobj
        return [(name, _unquotevalue(value)) for name, value in params] if unquote else params


def _readable(value: object) -> str:
    """Return a header's value as text, with 8-bit characters read as UTF-8."""
    if isinstance(value, Header):
        return str(value)
    return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
