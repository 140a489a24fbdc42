"""Owns delivery status messages: made from a template, and sent to the MX, which may also be asked for a verdict."""

import contextlib
import re
import smtplib
import time
from collections.abc import Iterable, Mapping
from email.message import Message
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

from Milter import dns
from Milter._outgoing import Connection, NotPublicError

__all__ = ["Vars", "create_msg", "send_dsn"]


class _Lookup(Protocol):
    def dns(self, name: str, qtype: str, /) -> list[Any]: ...


class Vars:
    """The values for a template, each an attribute."""


_PORT = smtplib.SMTP_PORT
_CONNECT_SECONDS = 30  # seconds to connect, as in Postfix
_QUIT_SECONDS = 5  # seconds for the answer to QUIT, when everything is done

Reply = tuple[int, str]


def send_dsn(
    mailfrom: str,
    receiver: str,
    msg: Message | str | bytes | None = None,
    timeout: float = 600,
    session: _Lookup | None = None,
    ourfrom: str = "",
    *,
    allow_private: bool = False,
) -> Reply | None:
    """Send `msg` to the address `mailfrom` at its MX; without a message, only ask whether the address is accepted.

    `receiver` is our name for HELO, `ourfrom` our envelope sender (empty: the null sender "<>"). Servers are tried in
    the order of preference until one answers; a domain without MX is tried itself. `timeout`, in seconds, limits the
    whole call: look-ups, connections, and whatever the servers send. `session` has a method dns(name, type), like
    Milter.dns.Session, and limits its own time. Whoever chooses `mailfrom` chooses where we connect, so we connect to
    public addresses only (no loopback, private, link-local, multicast or reserved ones), unless `allow_private` is
    true.

    Returns None if the address was accepted, otherwise (code, text) for a reply: the server's, or 450 if no server
    could be asked.

    Raises:
        ValueError: `mailfrom` has no domain, or a line end in it.
    """
    domain = mailfrom.removeprefix("<").removesuffix(">").rpartition("@")
    address = domain[0] + domain[1] + domain[2]
    if not domain[1] or not domain[2]:
        raise ValueError(f"{mailfrom!r} has no domain to ask")
    if any(char in address for char in "\r\n\0"):
        raise ValueError(f"{mailfrom!r} has a line end or a NUL in it: no address may have one")
    deadline = time.monotonic() + timeout
    try:
        hosts = _servers(domain[2], dns.Session(timeout) if session is None else session)
    except dns.DNSError as error:
        return 450, f"DNS {error}: {domain[2]} MX"
    if hosts is None:
        return 550, f"{domain[2]} accepts no mail"
    data = None if msg is None else _wire(msg)
    reason = "No MX servers available"
    for host in hosts:
        try:
            with Connection(host, _PORT, deadline, _CONNECT_SECONDS, allow_private) as connection:
                return _converse(connection, receiver, ourfrom, address, data)
        except NotPublicError as error:
            reason = f"No MX servers available: {error}"
        except (_RefusedUsError, OSError, UnicodeError):  # smtplib's own errors are OSErrors
            pass
        if time.monotonic() >= deadline:
            return 450, f"No MX response within {timeout / 60:g} minutes"
    return 450, reason


class _RefusedUsError(Exception):
    """This server will not talk to us; another one may."""


def _servers(domain: str, session: _Lookup) -> list[str] | None:
    """Hosts to try, best first; None for the "null MX" of RFC 7505."""
    if domain.startswith("[") and domain.endswith("]"):
        return [domain[1:-1].removeprefix("IPv6:")]
    found = sorted(session.dns(domain, "MX"))
    if [host for _, host in found] in ([""], ["."]):
        return None
    return [host for _, host in found] or [domain]


def _converse(connection: Connection, our_name: str, sender: str, rcpt: str, data: bytes | None) -> Reply | None:
    """Return None if the recipient is accepted, otherwise the refusal of the server.

    Raises:
        _RefusedUsError: the server refuses us rather than the recipient.
    """
    smtp = smtplib.SMTP(local_hostname=our_name)
    smtp.sock = connection
    try:
        if smtp.getreply()[0] != 220:
            raise _RefusedUsError
        try:
            smtp.ehlo_or_helo_if_needed()
        except smtplib.SMTPHeloError:
            raise _RefusedUsError from None
        options = ["body=8bitmime"] if data and not data.isascii() and smtp.has_extn("8bitmime") else []
        code, text = smtp.mail(sender, options)
        if code // 100 == 2:
            code, text = smtp.docmd("RCPT", f"TO:<{rcpt}>")  # smtp.rcpt() would look for an address in the address
        if code // 100 == 2 and data is not None:
            try:
                code, text = smtp.data(data)
            except smtplib.SMTPDataError as error:
                code, text = error.smtp_code, _bytes(error.smtp_error)
        return None if code // 100 == 2 else (code, text.decode("utf-8", "replace"))
    finally:
        connection.hurry(_QUIT_SECONDS)  # the message is delivered, whatever comes now
        with contextlib.suppress(OSError):
            smtp.quit()
        smtp.close()


def _bytes(text: bytes | str) -> bytes:
    return text.encode("utf-8", "replace") if isinstance(text, str) else text


def _wire(msg: Message | str | bytes) -> bytes:
    if isinstance(msg, Message):
        return msg.as_bytes(policy=msg.policy.clone(linesep="\r\n"))
    data = msg.encode("utf-8", "surrogateescape") if isinstance(msg, str) else msg
    return re.sub(rb"\r\n|\n|\r", b"\r\n", data)


def create_msg(
    v: Any, rcptlist: Iterable[str] | None = None, origmsg: Message | None = None, template: str | None = None
) -> Message | None:
    """A message from a template: header lines, an empty line and a body, with %(name)s for the attributes of `v`.

    `v` also gets attributes for the template: `rcpt` from `rcptlist`, one per line, and from `origmsg` its `subject`
    and `spf_result` (the first Received-SPF header), each None if there is no such header. To (`v.sender`), From
    (postmaster at `v.receiver`), MIME-Version, Content-Type, X-Mailer and Auto-Submitted (RFC 3834) are added if the
    template has none. A line end in a value never begins a new header. Returns None if there is no template.

    Raises:
        KeyError: the template has a name that `v` does not have.
        ValueError: a header line has no colon.
    """
    if not template:
        return None
    if rcptlist:
        v.rcpt = "\n\t".join(rcptlist)
    if origmsg is not None:
        v.subject = origmsg["subject"]
        v.spf_result = origmsg["received-spf"]
    head, _, body = re.sub(r"\r\n?", "\n", template).partition("\n\n")
    msg = Message()
    values = vars(v)
    for line in re.sub(r"\n(?=[ \t])", "\0", head.rstrip("\n")).split("\n"):
        name, colon, value = line.replace("\0", "\n").partition(":")
        if not colon or not name.strip():
            raise ValueError(f"template header line {line!r} is not 'name: value'")
        msg[name.strip()] = _one_header(_fill(value, values))
    text = _fill(body, values)
    if "to" not in msg:
        msg["To"] = _one_header(str(v.sender))
    if "from" not in msg:
        msg["From"] = _one_header(f"postmaster@{v.receiver}")
    for name, value in _defaults(text).items():
        if name not in msg:
            msg[name] = value
    # Bytes, not text: set_payload(text, charset) would choose base64, and a declared charset may be another.
    msg.set_payload(text.encode(msg.get_content_charset("utf-8"), "replace").decode("ascii", "surrogateescape"))
    return msg


def _fill(text: str, values: Mapping[str, Any]) -> str:
    """Return `text` with each %(name)s filled in, and "%%" turned into "%"; any other "%" stays."""
    return re.sub(r"%(?:%|\([^()]*+\)[-#0 +]*\d*(?:\.\d+)?[a-zA-Z])", lambda found: found[0] % values, text)


def _one_header(value: str) -> str:
    """Return `value` with a fold at each line end, so that it continues the header."""
    return re.sub(r"[\r\n]+[ \t]*", "\n\t", value.strip())


def _defaults(body: str) -> Mapping[str, str]:
    try:
        release = version("pymilter")
    except PackageNotFoundError:
        release = "source"
    plain = body.isascii()
    return {
        "X-Mailer": f"PyMilter-{release}",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": "text/plain" if plain else 'text/plain; charset="utf-8"',
        **({} if plain else {"Content-Transfer-Encoding": "8bit"}),
    }
