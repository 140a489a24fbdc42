"""Milter.utils, pyip6 and unsign: what 1.0.5 was seen to answer, and the faults of it that are mended."""

from __future__ import annotations

import binascii
import ipaddress
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from Milter import pyip6, utils
from Milter.unsign import unsign

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Names mail.test (192.0.2.7, 2001:db8::7) and no other; what was asked for, and in which family."""
    asked: list[tuple[str, int]] = []
    known = {("mail.test", socket.AF_INET): "192.0.2.7", ("mail.test", socket.AF_INET6): "2001:db8::7"}

    def getaddrinfo(host: str, port: int, family: int) -> list[tuple[object, ...]]:
        asked.append((host, family))
        if (host, family) not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(family, 1, 6, "", (known[host, socket.AddressFamily(family)], port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("<user@dom.com>", ["user", "dom.com"]),
        ("user@dom.com", ["user", "dom.com"]),
        ("<@a,@b:user@dom.com>", ["user", "dom.com"]),
        ('<"user name"@dom>', ["user name", "dom"]),
        ('"a@b"@c', ["a@b", "c"]),
        ('"a@b"', ["a@b"]),
        ("a@b@c", ["a@b", "c"]),
        ("<A@B>", ["A", "B"]),
        ("MAILER-DAEMON", ["MAILER-DAEMON"]),
        ("<>", [""]),
        ("", [""]),
        ("@", ["", ""]),
        ("user@", ["user", ""]),
        ("<a@b", ["<a", "b"]),
    ],
)
def test_parse_addr(address: str, parts: list[str]) -> None:
    assert utils.parse_addr(address) == parts


def test_parse_addr_unquotes_after_a_route_too() -> None:
    assert utils.parse_addr('<@a:"x:y"@c>') == ["x:y", "c"]  # 1.0.5: ['"x:y"', 'c']


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("user@dom.com", ("", "user@dom.com")),
        ("Joe Smith <a@b.c>", ("Joe Smith", "a@b.c")),
        ('"Smith, Joe" <a@b>', ("Smith, Joe", "a@b")),
        ("Smith, Joe <a@b>", ("Smith, Joe", "a@b")),
        ("a@b <c@d>", ("a@b", "c@d")),
        ("alice@example.org)<bob@example.org>", ("alice@example.org)", "bob@example.org")),
        ("a [x] <c@d>", ("a [x]", "c@d")),
        ("foo: a@b <x@y>", ("foo: a@b", "x@y")),
        ("a@b.c (Joe)", ("Joe", "a@b.c")),
        ("O'Brien (home) <a@b>", ("O'Brien (home)", "a@b")),
        ("(c <x@y>) Joe <a@b>", ("Joe (c <x@y>)", "a@b")),
        ("Joe <@a,@b:c@d>", ("Joe", "c@d")),
        ("a@b, c@d", ("", "a@b")),  # 1.0.5 on CPython 3.13: ("", ""), as email.utils.parseaddr there
        ("=?utf-8?q?J=C3=BC?= <a@b>", ("=?utf-8?q?J=C3=BC?=", "a@b")),
        ("undisclosed-recipients:;", ("", "")),
        ("<>", ("", "")),
        ("", ("", "")),
    ],
)
def test_parseaddr(value: str, parsed: tuple[str, str]) -> None:
    assert utils.parseaddr(value) == parsed


@pytest.mark.parametrize(
    ("value", "parsed", "before"),
    [
        ("<@a,@b:user@dom.com>", ("", "user@dom.com"), ("", "")),
        ('Joe "a, b" C, D <a@b>', ("Joe a, b C, D", "a@b"), ("", "Joe ")),
        ('Joe" <a@b>', ("Joe", "a@b"), ("", "Joe")),
    ],
)
def test_parseaddr_takes_the_address_from_the_brackets(
    value: str, parsed: tuple[str, str], before: tuple[str, str]
) -> None:
    assert utils.parseaddr(value) == parsed != before


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("alice@example.org(<bob@example.org>", ("<bob@example.org>", "alice@example.org")),
        ('alice@example.org"<bob@example.org>', ("", "alice@example.org")),
        ("alice@example.org (\\)<bob@example.org>", (")<bob@example.org>", "alice@example.org")),
        ('alice@example.org (")" <bob@example.org>', ('"', "alice@example.org")),
        ("alice@example.org (x) ((y) <bob@example.org>", ("x y <bob@example.org>", "alice@example.org")),
        ("alice@[<bob@example.org>]", ("", "alice@[<bob@example.org>]")),
        ('"<bob@example.org>" <alice@example.org>', ("<bob@example.org>", "alice@example.org")),
        ("alice@example.org@<bob@example.org>", ("alice@example.org@", "bob@example.org")),
        ("alice@example.org@evil.example", ("", "")),
        ("Joe (home <a@b>", ("Joe (home", "a@b")),
    ],
)
def test_parseaddr_takes_no_address_from_a_comment_or_a_quote(value: str, parsed: tuple[str, str]) -> None:
    """CVE-2023-27043 and what is like it: a filter must not check another domain than the one readers are shown."""
    assert utils.parseaddr(value) == parsed


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("alice@example.org,<bob@example.org>", ("", "alice@example.org")),  # 1.0.5: bob
        ("a@b <c@d>, e@f", ("a@b", "c@d")),  # 1.0.5: a@b
        ("Joe <a@b>, Ann <c@d>", ("Joe", "a@b")),
        ("Joe <a@b>; Ann <c@d>", ("Joe", "a@b")),
        ("Team: Joe <a@b>, Ann <c@d>;", ("Joe", "a@b")),
        ("Team: a@b, c@d;", ("", "a@b")),
        (", a@b", ("", "a@b")),  # 1.0.5: ("", "")
    ],
)
def test_parseaddr_takes_the_first_of_several(value: str, parsed: tuple[str, str]) -> None:
    assert utils.parseaddr(value) == parsed


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ('"x y" . z @ d . e', ("", '"x y".z@d.e')),
        ('"x" y@z', ("", '"x" y@z')),
        ("a b@c", ("", "a b@c")),
        ('"" a@b', ("", '"" a@b')),
        ("(c) a@b", ("c", "a@b")),
        ("(a\\() c@d", ("a(", "c@d")),
        ('O"B (x) C <a@b>', ("OB C (x)", "a@b")),
        (":Joe <a@b>", ("Joe", "a@b")),
        ("a@b:c", ("", "a@b")),
        ("@a: b", ("", "@a")),
        ("@", ("", "")),
        ("<a@b@c>", ("", "")),
        ('a@"q"b', ("", "")),
        ('a@b)<c."] d', ("a@b)", 'c."] d"')),
        ("a@b; (late)", ("", "a@b")),
        ("a@b, c@d (late)", ("", "a@b")),
        ("a@b <, <c@d>", ("a@b <,", "c@d")),
        ('a\0"q"@b', ("", 'a\0"q"@b')),
        ("Jo\0e <a@b>", ("Jo\0e", "a@b")),
    ],
)
def test_parseaddr_at_the_edges(value: str, parsed: tuple[str, str]) -> None:
    assert utils.parseaddr(value) == parsed


def test_parseaddr_goes_as_deep_as_a_sender_likes() -> None:
    assert utils.parseaddr("(" * 100_000 + ")" * 100_000) == ("", "")  # 1.0.5: RecursionError
    assert utils.parseaddr("a:" * 100_000 + "b@c") == ("", "b@c")


@given(st.text(alphabet='ab@.<>()",:; \\\n[]'))
def test_parseaddr_never_raises(value: str) -> None:
    name, address = utils.parseaddr(value)
    assert isinstance(name, str)
    assert isinstance(address, str)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("a\n b", "a\n b"),
        ("=?UTF-8?B?SGVsbG8=?= world", "Hello world"),
        ("a =?iso-8859-1?q?=fc?= b", "a ü b"),
        ("=?utf-8?q?a?= =?iso-8859-1?q?=fc?=", "aü"),
        ("=?utf-8?q?J=C3=BC?=\n =?utf-8?q?x?=", "Jüx"),
        ("=?UTF-8?Q?=C3?= =?UTF-8?Q?=BC?=", "ü"),
        ("=?utf-8?q?bad=FF?=", "bad\ufffd"),
        ("=?nosuch?q?abc?=", "abc"),
        ("=?utf-8?b?SGVsbG8?=", "Hello"),
        ("=?utf-8?b?A?=", "=?utf-8?b?A?="),
        ("=?utf-8*en?q?abc?=", "abc"),
        ("=?unknown-8bit?q?=fc?=", "=?unknown-8bit?q?=fc?="),
        ("=?gb2312?b?xOO6ww==?=", "你好"),
        ('"=?utf-8?q?x?=" <a@b>', '"x" <a@b>'),
        ("caf\udce9", "caf\udce9"),
        ("=?utf\x00?q?a?=", "=?utf\x00?q?a?="),
        ("=?hex?q?61?=", "61"),
        ("=?zip?q?=ff?=", "=?zip?q?=ff?="),
        ("=?utf-8?q?a", "=?utf-8?q?a"),
        ("=?utf-8?q?a\n b?=", "=?utf-8?q?a\n b?="),
        ("=?utf-8?q?a\n b?= =?utf-8?q?c?=", "a bc"),
        (" =?utf-8?q?a?=\n", "a"),
        ("", ""),
    ],
)
def test_parse_header(value: str, text: str) -> None:
    assert utils.parse_header(value) == text


@pytest.mark.parametrize(
    ("value", "text", "before"),
    [
        ("日本 =?utf-8?q?x?=", "日本 x", "\\u65e5\\u672c x"),
        ("café =?utf-8?q?x?=", "café x", "café =?utf-8?q?x?="),
        ("caf\udce9 =?utf-8?q?x?=", "caf\udce9 x", "caf\\udce9 x"),
        ("one\n =?utf-8?q?two?=", "one two", "onetwo"),
        ("=?nosuch?q?=fc?= =?utf-8?q?x?=", "=?nosuch?q?=fc?= x", "=?nosuch?q?=fc?= =?utf-8?q?x?="),
    ],
)
def test_parse_header_keeps_what_stands_beside_an_encoded_word(value: str, text: str, before: str) -> None:
    assert utils.parse_header(value) == text != before


@given(st.lists(st.sampled_from(["a", " ", "\n ", "ü", "\udcff", "=?utf-8?q?=C3?=", "=?x?b?A?=", "=?", "?="])))
def test_parse_header_never_raises(parts: list[str]) -> None:
    assert isinstance(utils.parse_header("".join(parts)), str)


@given(st.text(), st.sampled_from(["utf-8", "utf-16"]))
def test_parse_header_decodes_what_was_encoded(text: str, charset: str) -> None:
    try:
        data = text.encode(charset)
    except UnicodeEncodeError:
        return
    word = f"=?{charset}?b?{binascii.b2a_base64(data, newline=False).decode()}?="
    assert utils.parse_header(word) == text


@pytest.mark.parametrize(
    ("client", "entry", "found"),
    [
        ("192.168.0.1", "192.168.*", True),
        ("192.168.0.1", "192.168.0.0/24", True),
        ("192.168.0.1", "192.168.0.1", True),
        ("192.168.0.1", "192.168/16", False),
        ("10.0.0.1", "10.0.0.[12]", True),
        ("10.0.0.1", "10.0.0.2/32", False),
        ("10.0.0.1", "10.0.0.1/33", True),
        ("10.0.0.1", "0.0.0.0/0", True),
        ("10.0.0.1", "010.0.0.1", False),
        ("::1", "::0/64", True),
        ("2001:db8::1", "2001:db8::/32", True),
        ("2001:db8::1", "2001:DB8::1", True),
        ("2001:db8::1", "2001:db8:0:0:0:0:0:1", True),
        ("2001:db8::1", "10.0.0.0/8", False),
        ("10.0.0.1", "2001:db8::/32", False),
        ("::ffff:10.0.0.1", "10.0.0.0/8", True),
        ("10.0.0.1", "::/0", True),
        ("10.0.0.1", "a_b", False),
        ("10.0.0.1", "", False),
    ],
)
def test_iniplist(client: str, entry: str, found: bool) -> None:
    assert utils.iniplist(client, [entry]) is found
    assert utils.iniplist(client, ["203.0.113.9", entry]) is found


@pytest.mark.parametrize(
    ("client", "entry", "found"),
    [
        ("2001:db8::a00:1", "10.0.0.0/8", False),  # 1.0.5 compared the last 32 bits
        ("::1", "0.0.0.0/8", False),
        ("10.0.0.1", "::/96", False),
        ("10.0.0.1", "::ffff:10.0.0.0/104", True),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("::ffff:10.0.0.1", "10.0.0.*", True),
        ("2001:DB8::1", "2001:db8:*", True),
    ],
)
def test_iniplist_keeps_the_families_apart(client: str, entry: str, found: bool) -> None:
    assert utils.iniplist(client, [entry]) is found  # 1.0.5: the contrary, in each


def test_iniplist_looks_names_up_in_the_clients_family(resolver: list[tuple[str, int]]) -> None:
    assert utils.iniplist("192.0.2.7", ["mail.test"])
    assert utils.iniplist("192.0.2.99", ["mail.test/24"])
    assert utils.iniplist("2001:db8::7", ["mail.test"])
    assert utils.iniplist("::ffff:192.0.2.7", ["mail.test"])  # 1.0.5 asked for an IPv6 address
    assert not utils.iniplist("192.0.2.8", ["no.test", "mail.test"])
    assert [family for _, family in resolver] == [2, 2, 10, 2, 2, 2]


def test_iniplist_asks_no_server_for_what_is_no_name(resolver: list[tuple[str, int]]) -> None:
    assert not utils.iniplist("192.0.2.7", ["mail_test", "mail*", "a", "", "192.0.2"])
    assert resolver == []


@pytest.mark.parametrize("client", ["bad", "", "10.0.0.300", "fe80::1%eth0"])
def test_iniplist_refuses_what_is_no_address(client: str) -> None:
    with pytest.raises(ValueError, match="Invalid ip syntax:"):
        utils.iniplist(client, ["10.0.0.0/8"])


@pytest.mark.parametrize("entry", ["10.0.0.1/x", "10.0.0.1/", "10.0.0.2/-1", "::1/3/4"])
def test_iniplist_names_a_bad_prefix_length(entry: str) -> None:
    with pytest.raises(ValueError, match=f"bad prefix length in '{entry}'"):
        utils.iniplist("10.0.0.1", [entry])


@given(ADDRESSES, ADDRESSES, st.integers(0, 128))
def test_networks_are_those_of_ipaddress(
    client: ipaddress.IPv4Address | ipaddress.IPv6Address,
    base: ipaddress.IPv4Address | ipaddress.IPv6Address,
    length: int,
) -> None:
    length = min(length, base.max_prefixlen)
    network = ipaddress.ip_network((base, length), strict=False)
    if client.version == network.version:
        assert utils.iniplist(str(client), [f"{base}/{length}"]) == (client in network)
    masks = {4: utils.MASK, 6: utils.MASK6}
    assert utils.cidr(int(base), length, masks[base.version]) == int(network.network_address)


@given(ADDRESSES)
def test_addresses_are_those_of_ipaddress(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert utils.addr2bin(str(address)) == int(address)
    assert bool(utils.ip4re.match(str(address))) is (address.version == 4)
    assert bool(utils.ip6re.match(str(address))) is (address.version == 6)
    if address.version == 6:
        for module in (utils, pyip6):
            assert module.inet_pton(str(address)) == address.packed
            assert module.inet_ntop(address.packed) == socket.inet_ntop(socket.AF_INET6, address.packed)
        assert utils.bin2long6(address.packed) == int(address)


@given(st.text(alphabet="0123456789abcdefF:.", max_size=20))
def test_ip6re_matches_what_ipaddress_takes(text: str) -> None:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        assert not utils.ip6re.match(text)
    else:
        assert utils.ip6re.match(text)


def test_bad_addresses_raise_as_they_did() -> None:
    with pytest.raises(OSError, match=r"Invalid IP4 address: 256\.1\.1\.1"):
        utils.addr2bin("256.1.1.1")
    with pytest.raises(struct.error):
        utils.bin2long6(b"1234")
    with pytest.raises(ValueError, match="negative shift count"):
        utils.cidr(1, -1)
    with pytest.raises(OSError, match="illegal IP address"):
        utils.inet_pton("1.2.3.4")
    with pytest.raises(ValueError, match="invalid length"):
        utils.inet_ntop(b"1234")


def test_pyip6_takes_ipv4_as_mapped() -> None:
    assert pyip6.inet_pton("1.2.3.4") == b"\0" * 10 + b"\xff\xff\1\2\3\4"
    assert pyip6.inet_ntop(b"\0" * 15 + b"\1") == "::1"  # 1.0.5: '::0.0.0.1'
    for bad in ("bad", "", "1::2::3", "1:2:3:4:5:6:7"):
        with pytest.raises(ValueError, match=f"'{bad}' is no IP address"):
            pyip6.inet_pton(bad)


def test_decode() -> None:
    assert utils.decode("aGVsbG8=") == utils.decode(b"aGVsbG8=") == b"hello"
    assert utils.decode("") == b""
    assert utils.decode(b"YQ0KYg==", "\n") == b"a\nb"  # 1.0.5: TypeError
    with pytest.raises(binascii.Error):
        utils.decode("a")


def test_unsign_changes_nothing() -> None:
    assert unsign("prvs=0123456789=user@dom") == "prvs=0123456789=user@dom"
