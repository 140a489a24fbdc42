"""The public functions that take a sender's text, with their worst alphabets; and those that do not, with reasons."""

from __future__ import annotations

import email.message
import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import Milter
import mime
from Milter import cache, dns, dsn, dynip, greylist, greysql, policy, pyip6, sgmllib, unsign, utils


def _same(text: str) -> object:
    return text


@dataclass(frozen=True)
class Case:
    """How to call a function with a text (`prepare` is not measured), and the units that its texts are made of."""

    use: Callable[[Any], object]
    units: tuple[str, ...]
    ends: tuple[str, ...] = ()
    prepare: Callable[[str], object] = _same
    sample: int = 10
    """Pairs of units that the short run tries."""
    pairs: tuple[tuple[str, str], ...] = ()
    """Pairs that each run tries, on longer texts: the cost of one step is small."""


def _quietly(function: Callable[..., object], *errors: type[Exception]) -> Callable[[Any], object]:
    def use(argument: Any) -> object:
        try:
            return function(argument)
        except errors:
            return None

    return use


_ADDRESS = (
    "a", " ", "@", "(", ")", "<", ">", '"', "\\", ",", ";", ":", ".", "[", "]", "\n ", "<a@b>,", '"a"', "()", "é",
)  # fmt: skip
_HEADER = (
    "\n ", "\r\n", " ", "a", "=", "?", "=?", "?=", "=?a?q?", "=?utf-8?b?", "=?utf-8?q?=C3?=", "=?utf-8?q?a?= ",
    "=?x*y?q?a?=", "=?x?q?a?= ", "*", "_", "=41", "é",
)  # fmt: skip
_PARAMETERS = (
    ";", "=", '"', "\\", " ", "\n ", "a", "(", ")", "%41", "*", "a*0*=b;", "=?utf-8?q?a?= ", "charset=x;",
    "name=a.exe;", ",", "é", 'a="b";', "<", ">", "''", ".", "filename*1*=%41;", "boundary=b;", "/",
)  # fmt: skip
_PART = (
    "--b\n", "--b--\n", "--b \t", "\n", "\r\n", "\r", "a: b\n", "a", " x\n", ":", "--b\n\n", "From x\n", "--",
    "\n--b\n\nbegin 644 a\n", "Content-Type: text/html\n\n", "Content-Type: message/rfc822\n\n",
    "--b\nContent-Type: multipart/mixed; boundary=b\n\n", "=", "M",
)  # fmt: skip
_BODY = (
    "a", "=", "=41", "=\n", "\n", "\r", "\r\n", " ", "\t", "QUJD", "QQ==", "+", "-", "F", "begin 644 a\n", "M",
    "end\n", "\xff", ".", "begin ",
)  # fmt: skip
_HTML = (
    "<", ">", "<a ", "</a", "</", "<!--", "-->", "--", "!", "<!", "<![CDATA[", "]]>", "<?", "&", "&a", "&#1", ";",
    '"', "'", "=", " a=b", "/", "<script>", "</script>", "<style>", "</style>", "<svg>", "<title>", "<x<script>",
    "a", " ", "\n", "<a href='", "<script ",
)  # fmt: skip


def _message(raw: bytes) -> mime.MimeMessage:
    """Read a message, and do with it what filters do."""
    msg = mime.message_from_file(io.BytesIO(raw))
    for part in msg.walk():
        part.get_payload(decode=True)
        part.get_payload()
        part.get_filename()
        part.get_content_charset()
        if isinstance(part, mime.MimeMessage):
            part.getnames()
    mime.defang(msg, "/saved", scan_zip=True)
    msg["X"] = "y"
    msg.as_bytes()
    return msg


def _with(before: str, after: str = "") -> Callable[[str], object]:
    return lambda text: (before + text + after).encode("utf-8", "surrogateescape")


def _html_part(encoding: str) -> Callable[[str], object]:
    def prepare(text: str) -> object:
        raw = f"Content-Type: text/html\nContent-Transfer-Encoding: {encoding}\n\n<script></script>{text}".encode()
        return mime.message_from_file(io.BytesIO(raw))

    return prepare


def _create(text: str) -> object:
    values = SimpleNamespace(sender=text, receiver="r")
    original = email.message.Message()
    original["Subject"] = text
    original["Received-SPF"] = text
    return dsn.create_msg(values, [text], original, "Subject: %(subject)s\nTo: x\n\n%(rcpt)s %(spf_result)s")


def _ask(text: str) -> object:
    return dsn.send_dsn(text, "me.test", None, 5, _NoMail())


class _NoMail:
    def dns(self, name: str, qtype: str, /) -> list[Any]:
        return [(0, ".")]


_FOLDER = tempfile.TemporaryDirectory()
_GREYLIST = greysql.Greylist(":memory:")
_CACHE = cache.AddrCache(fname=str(Path(_FOLDER.name) / "cache"))
_MAP = Path(_FOLDER.name) / "access"
_MAP.write_text("spf!a@b OK\n")


def _cached(text: str) -> None:
    _CACHE.cache.clear()
    Path(str(_CACHE.fname)).write_text("")
    for key in (text, f"{text}@x", f"x@{text}"):
        _CACHE[key] = None
        _CACHE.addperm(key)
        assert key in _CACHE or not key
    _CACHE.load(str(_CACHE.fname))


def _grey(text: str) -> None:
    _GREYLIST.check("1.2.3.4", text, text)
    out = io.StringIO()
    _GREYLIST.export_csv(out)
    _GREYLIST.conn.execute("delete from greylist")
    if len(text) < 40_000:  # the csv module's limit is 131,072 characters
        _GREYLIST.import_csv(io.StringIO(out.getvalue()))


def _policy(text: str) -> None:
    with policy.MTAPolicy(text, SimpleNamespace(access_file=str(_MAP))) as found:
        found.getPolicy("spf")


class _Tags(sgmllib.SGMLParser):
    """A program's own parser, with methods for tags."""

    def start_a(self, attrs: object) -> None: ...
    def end_b(self) -> None: ...
    def do_x(self, attrs: object) -> None: ...


def _parse(text: str) -> None:
    for kind in (_Tags, sgmllib.SGMLParser):
        parser = kind()
        parser.feed(text)
        parser.close()


def _filter(kind: type[mime.SGMLFilter]) -> Callable[[str], object]:
    def use(text: str) -> None:
        html = kind(io.StringIO())
        html.feed(text)
        html.close()

    return use


def _handler(text: str) -> object:
    return Milter.envcallback(lambda *words, **named: words, [text, *text.split(" ")])


_HTML_CASE = Case(
    _parse,
    (*_HTML, "<a>", "</a>", "<b>", "</b>", "<x>"),
    ("<script></script>", ">", "-->", '">'),
    sample=6,
    pairs=(("<a>", "</b>"), ("<a>", "</a>")),
)
_MIME = Case(_message, _PART, ("\n--b--\n",), _with("Content-Type: multipart/mixed; boundary=b\n\n"), 8)

#: The public functions and classes that take text which a sender wrote or can choose.
CASES: dict[str, Case] = {
    "Milter.cache.AddrCache": Case(_cached, ('"', "\\", " ", "\t", "a", "@", "#", "\\ ", '" ', "x 2", "é")),
    "Milter.dictfromlist": Case(lambda text: Milter.dictfromlist(text.split(" ")), ("=", " ", "a", "a=b ", "é")),
    "Milter.dns.DNSLookup": Case(
        _quietly(lambda text: dns.DNSLookup(text, "A"), dns.DNSError, OSError), ("a" * 64, "a" * 64 + ".")
    ),
    "Milter.dns.Session": Case(lambda text: dns.Session().dns(text + "..", "A"), ("a", ".", "a.", "é")),
    "Milter.dsn.create_msg": Case(_create, (*_HEADER, "%", "%(", "%(subject)s", ",", ";"), sample=6),
    "Milter.dsn.send_dsn": Case(_quietly(_ask, ValueError), _ADDRESS, ("@a",)),
    "Milter.dynip.is_dynip": Case(
        lambda text: dynip.is_dynip(text, "1.2.3.4"),
        (
            "ppp",
            "h",
            "1",
            "4",
            "4.",
            "-",
            ".",
            "user",
            "p",
            "n",
            "c",
            "o",
            "s",
            "a",
            "pcp",
            "1-2-",
            "xdsl-",
            "pool",
            "ppp4",
            "00",
        ),
        (".", "4.", "-"),
    ),
    "Milter.envcallback": Case(_quietly(_handler, TypeError), ("=", " ", "a", "a=b ", "é")),
    "Milter.greylist.Greylist": Case(_grey, ("a", ",", '"', "%", "\n", "é", "\udce9", " ")),
    "Milter.greylist.quoteAddress": Case(greylist.quoteAddress, ("a", ".", "%", "é", "\udce9", " ")),
    "Milter.greysql.Greylist": Case(_grey, ("a", ",", '"', "%", "\n", "é", "\udce9", " ")),
    "Milter.param2dict": Case(lambda text: Milter.param2dict(text.split(" ")), ("=", " ", "a", "a=b ", "é")),
    "Milter.policy.MTAPolicy": Case(_policy, ("a", "@", "!", ".", "é", "A", " ")),
    "Milter.pyip6.inet_pton": Case(_quietly(pyip6.inet_pton, ValueError), ("1", ":", ".", "1.", "a:", "%")),
    "Milter.sgmllib.SGMLParser": _HTML_CASE,
    "Milter.sgmllib.TestSGMLParser": _HTML_CASE,
    "Milter.unsign.unsign": Case(unsign.unsign, ("a", "=", "@")),
    "Milter.utils.addr2bin": Case(_quietly(utils.addr2bin, OSError, ValueError), ("1", ":", ".", "1.", "a:", "%")),
    "Milter.utils.decode": Case(_quietly(utils.decode, ValueError), ("QUJD", "=", "\n", " ", "A", "é", "DQo=")),
    "Milter.utils.inet_pton": Case(_quietly(utils.inet_pton, OSError, ValueError), ("1", ":", ".", "1.", "a:", "%")),
    "Milter.utils.iniplist": Case(
        _quietly(lambda text: utils.iniplist(text, ["10.*", "::/0", "1.2.3.4/8"]), ValueError),
        ("1", ":", ".", "1.", "a:"),
    ),
    "Milter.utils.parse_addr": Case(utils.parse_addr, _ADDRESS, ("@a",)),
    "Milter.utils.parse_header": Case(utils.parse_header, _HEADER, ("=?utf-8?q?a?=", "?=")),
    "Milter.utils.parseaddr": Case(utils.parseaddr, _ADDRESS, ("@a", ")", ">", '"'), pairs=(("(", ")"), ("<", ">"))),
    "pymilter.mime.HTMLParser": _HTML_CASE,
    "pymilter.mime.HTMLScriptFilter": Case(
        _filter(mime.HTMLScriptFilter), _HTML, ("<script></script>", ">", "-->"), sample=6
    ),
    "pymilter.mime.MimeMessage": Case(
        _message, _PARAMETERS, ('"',), _with("Content-Type: text/plain; name=", "\n\nx"), 4
    ),
    "pymilter.mime.SGMLFilter": Case(_filter(mime.SGMLFilter), _HTML, (">", "-->"), sample=4),
    "pymilter.mime.SGMLParser": _HTML_CASE,
    "pymilter.mime._defang": Case(_message, _HTML, ("<script></script>", ">"), _with("Content-Type: text/html\n\n"), 4),
    "pymilter.mime._parseparam": Case(mime._parseparam, _PARAMETERS, ('"',)),
    "pymilter.mime._unquotevalue": Case(mime._unquotevalue, ('"', "\\", "a", "<", ">", "\\\\"), ('"',)),
    "pymilter.mime.check_attachments": _MIME,
    "pymilter.mime.check_ext": Case(
        mime.check_ext, (".", " ", "a", "\0", ".exe", '"', "é", "\u200b", "\u3000", "\uff25")
    ),
    "pymilter.mime.check_html": Case(mime.check_html, _BODY, (), _html_part("quoted-printable"), 8),
    "pymilter.mime.check_name": Case(
        _message, _PARAMETERS, ('"',), _with("Content-Disposition: attachment; filename=", "\n\nx"), 4
    ),
    "pymilter.mime.defang": Case(
        _message, _BODY, (), _with("Content-Type: text/html\nContent-Transfer-Encoding: base64\n\n"), 6
    ),
    "pymilter.mime.message_from_binary_file": Case(
        lambda raw: mime.message_from_binary_file(io.BytesIO(raw), mime.MimeMessage), _PART, (), _with(""), 8
    ),
    "pymilter.mime.message_from_file": Case(_message, (*_HEADER, *_PART), (), _with("Subject: "), 10),
    "pymilter.mime.unquote": Case(mime.unquote, ('"', "\\", "a", "<", ">", "\\\\"), ('"',)),
    "pymilter.mime.zipnames": Case(
        _quietly(mime.zipnames, mime.ZipUnreadableError),
        ("PK\x01\x02", "PK\x05\x06", "PK\x03\x04", "\0", "a"),
        (),
        _with("PK\x03\x04"),
    ),
}

_HANDLERS = "hands what it gets to libmilter, in C++"
_DECLARES = "is for the text of the program"
_SERVES = "takes settings"
#: Those that take no text from a sender, with the reason.
NO_TEXT: dict[str, str] = {
    "Milter.Base": _HANDLERS,
    "Milter.DisabledAction": "is an error",
    "Milter.Milter": "prints what it gets",
    "Milter.close_callback": _HANDLERS,
    "Milter.config.MilterConfigParser": "reads the program's settings",
    "Milter.connect_callback": _HANDLERS,
    "Milter.decode": _DECLARES,
    "Milter.decode_mask": "takes a number",
    "Milter.dns.DNSError": "is an error",
    "Milter.dsn.Vars": "has attributes only",
    "Milter.enable_protocols": _DECLARES,
    "Milter.error": "is an error",
    "Milter.factory": "prints what it gets",
    "Milter.getdiag": _SERVES,
    "Milter.getversion": _SERVES,
    "Milter.greylist.Record": "takes a number",
    "Milter.header_leading_space": _DECLARES,
    "Milter.main": _SERVES,
    "Milter.negotiate_callback": _HANDLERS,
    "Milter.nocallback": _DECLARES,
    "Milter.noreply": _DECLARES,
    "Milter.opensocket": _SERVES,
    "Milter.plock.PLock": "takes the name of a file of the program",
    "Milter.policy.DB": "takes a key, which MTAPolicy makes",
    "Milter.policy.dbmopen": "takes the name of a file of the program",
    "Milter.pyip6.inet_ntop": "takes 16 bytes",
    "Milter.register": _SERVES,
    "Milter.rejected_recipients": _DECLARES,
    "Milter.runmilter": _SERVES,
    "Milter.set_abort_callback": _SERVES,
    "Milter.set_body_callback": _SERVES,
    "Milter.set_close_callback": _SERVES,
    "Milter.set_connect_callback": _SERVES,
    "Milter.set_envfrom_callback": _SERVES,
    "Milter.set_envrcpt_callback": _SERVES,
    "Milter.set_eoh_callback": _SERVES,
    "Milter.set_eom_callback": _SERVES,
    "Milter.set_exception_policy": _SERVES,
    "Milter.set_flags": _SERVES,
    "Milter.set_header_callback": _SERVES,
    "Milter.set_helo_callback": _SERVES,
    "Milter.setbacklog": _SERVES,
    "Milter.setconn": _SERVES,
    "Milter.setdbg": _SERVES,
    "Milter.settimeout": _SERVES,
    "Milter.sgmllib.SGMLParseError": "is an error",
    "Milter.sgmllib.test": "is a command, for a file",
    "Milter.stop": _SERVES,
    "Milter.symlist": _DECLARES,
    "Milter.uniqueID": "takes nothing",
    "Milter.utils.bin2long6": "takes 16 bytes",
    "Milter.utils.cidr": "takes numbers",
    "Milter.utils.inet_ntop": "takes 16 bytes",
    "pymilter.mime.AmbiguousDefect": "is an error",
    "pymilter.mime.Limits": "takes numbers",
    "pymilter.mime.MimeGenerator": "writes what MimeMessage.as_bytes gives",
    "pymilter.mime.SGMLParseError": "is an error",
    "pymilter.mime.TooComplexDefect": "is an error",
    "pymilter.mime.ZipLimitError": "is an error",
    "pymilter.mime.ZipLimits": "takes numbers",
    "pymilter.mime.ZipUnreadableError": "is an error",
}
