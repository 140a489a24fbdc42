"""Addresses in libmilter's notation."""

from __future__ import annotations

import socket

import pytest

from pymilter._serve.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("inet:8890@127.0.0.1", Address(socket.AF_INET, host="127.0.0.1", port=8890)),
        ("inet:8890", Address(socket.AF_INET, host="", port=8890)),
        ("inet:0@localhost", Address(socket.AF_INET, host="localhost", port=0)),
        ("inet:65535@h", Address(socket.AF_INET, host="h", port=65535)),
        ("INET:1@h", Address(socket.AF_INET, host="h", port=1)),
        ("inet6:8890@::1", Address(socket.AF_INET6, host="::1", port=8890)),
        ("inet6:8890@[::1]", Address(socket.AF_INET6, host="::1", port=8890)),
        ("inet:smtp@h", Address(socket.AF_INET, host="h", port=25)),
        ("unix:/run/x.sock", Address(socket.AF_UNIX, path="/run/x.sock")),
        ("local:/run/x.sock", Address(socket.AF_UNIX, path="/run/x.sock")),
        ("/run/x.sock", Address(socket.AF_UNIX, path="/run/x.sock")),
        ("x.sock", Address(socket.AF_UNIX, path="x.sock")),
        (":/run/x.sock", Address(socket.AF_UNIX, path="/run/x.sock")),
        ("inet:8890@", Address(socket.AF_INET, port=8890)),
        ("/run/a:b", Address(socket.AF_UNIX, path="/run/a:b")),
        ("./a:b", Address(socket.AF_UNIX, path="./a:b")),
        ("unix:/run/a:b@c", Address(socket.AF_UNIX, path="/run/a:b@c")),
    ],
)
def test_an_address(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the path is missing"),
        (":", "the path is missing"),
        ("unix:", "the path is missing"),
        ("local:", "the path is missing"),
        ("tcp:25@h", "'tcp' is no kind of socket"),
        ("8890@h:x", "is no kind of socket"),
        ("inet:", "'' is neither a port nor the name of a service"),
        ("inet:@h", "'' is neither a port"),
        ("inet:65536@h", "a port is at most 65535"),
        ("inet:-1@h", "'-1' is neither a port"),
        ("inet:1.5@h", "'1.5' is neither a port"),
        ("inet:\u0661@h", "is neither a port"),
        ("inet:no-such-service@h", "'no-such-service' is neither a port nor the name of a service"),
        ("inet:a\0b@h", "is neither a port"),
        ("inet:65536:0.0.0.0", "a port is at most 65535"),
        ("inet:127.0.0.1:8890", "write inet:8890@127.0.0.1"),
        ("inet:localhost:8890", "write inet:8890@localhost"),
        ("inet:127.0.0.1@8890", "write inet:8890@127.0.0.1"),
        ("inet6:[::1]:8890", "write inet6:8890@::1"),
        ("inet6:::1:8890", "write inet6:8890@::1"),
        ("inet:[::1]:8890", "write inet6:8890@::1"),
        ("127.0.0.1:8890", "write inet:8890@127.0.0.1"),
        ("inet:127.0.0.1", "'127.0.0.1' is neither a port"),
        ("inet:127.0.0.1", "the port is missing: write inet:PORT@127.0.0.1"),
        ("inet6:::1", "the port is missing: write inet6:PORT@::1"),
        ("tcp:8890@127.0.0.1", "'tcp' is no kind of socket; write inet:8890@127.0.0.1"),
        ("tcp:127.0.0.1:8890", "'tcp' is no kind of socket; write inet:8890@127.0.0.1"),
        ("tcp://127.0.0.1:8890", "'tcp' is no kind of socket; write inet:8890@127.0.0.1"),
        ("tcp:localhost:8890", "write inet:8890@localhost"),
        ("tcp6:[::1]:8890", "write inet6:8890@::1"),
        ("tcp:8890@::1", "write inet6:8890@::1"),
        ("tcp:8890", "write inet:8890@127.0.0.1, or inet:8890 for all addresses of this machine"),
        ("tcp:127.0.0.1", "the port is missing: write inet:PORT@127.0.0.1"),
        ("tcp:", "the forms are inet:PORT@HOST, inet6:PORT@HOST, unix:PATH, "),
        ("file:/run/x.sock", "write unix:/run/x.sock"),
        ("unix-stream:///run/x.sock", "write unix:/run/x.sock"),
        ("8890@127.0.0.1", "write inet:8890@127.0.0.1; a path of this name is unix:8890@127.0.0.1"),
        ("8890@localhost", "write inet:8890@localhost; "),
        ("8890@::1", "write inet6:8890@::1"),
        ("8890@[::1]", "write inet6:8890@::1"),
        (":8890", "write inet:8890@127.0.0.1, or inet:8890 for all addresses of this machine; a path of this name is "),
        ("8890", "write inet:8890@127.0.0.1, or inet:8890 for all addresses of this machine; a path of this name is "),
        ("127.0.0.1", "the port is missing: write inet:PORT@127.0.0.1; a path of this name is unix:127.0.0.1"),
        ("::1", "the port is missing: write inet6:PORT@::1"),
        ("[::1]", "the port is missing: write inet6:PORT@::1"),
        ("fe80::1", "the port is missing: write inet6:PORT@fe80::1"),
        ("[::1]:8890", "write inet6:8890@::1"),
        ("*:8890", "write inet:8890"),
        ("inet:8890@::1", "::1 is an IPv6 address; write inet6:8890@::1"),
        ("inet:8890@[::1]", "::1 is an IPv6 address; write inet6:8890@::1"),
        ("inet:smtp@fe80::1%eth0", "fe80::1%eth0 is an IPv6 address; write inet6:25@fe80::1%eth0"),
        ("inet6:8890@127.0.0.1", "127.0.0.1 is an IPv4 address; write inet:8890@127.0.0.1"),
        ("inet:8890:::1", "::1 is an IPv6 address; write inet6:8890@::1"),
    ],
)
def test_what_is_no_address(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"socket is .*") as caught:
        parse_address(text)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "address", "taken"),
    [
        ("inet:8899:0.0.0.0", Address(socket.AF_INET, host="0.0.0.0", port=8899), "inet:8899@0.0.0.0"),
        ("inet:8899 @127.0.0.1", Address(socket.AF_INET, host="127.0.0.1", port=8899), "inet:8899@127.0.0.1"),
        ("inet:8899/tcp@127.0.0.1", Address(socket.AF_INET, host="127.0.0.1", port=8899), "inet:8899@127.0.0.1"),
        ("inet:8899:10.0.0.1@127.0.0.1", Address(socket.AF_INET, host="127.0.0.1", port=8899), "inet:8899@127.0.0.1"),
        ("inet6:8899:::1", Address(socket.AF_INET6, host="::1", port=8899), "inet6:8899@::1"),
        ("inet6:8899:[::1]", Address(socket.AF_INET6, host="::1", port=8899), "inet6:8899@::1"),
        ("inet:8899 ", Address(socket.AF_INET, port=8899), "inet:8899"),
        ("inet:8899/tcp", Address(socket.AF_INET, port=8899), "inet:8899"),
        ("inet:8899:", Address(socket.AF_INET, port=8899), "inet:8899"),
    ],
)
def test_digits_in_front_are_the_port(
    text: str, address: Address, taken: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert parse_address(text) == address
    assert [record.getMessage() for record in caplog.records] == [
        f"socket is {text!r}: it is taken for {taken}, write it so"
    ]
    assert parse_address(taken) == address


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("inet:8890@127.0.0.1", "inet:8890@127.0.0.1"),
        ("inet6:8890@[::1]", "inet6:8890@::1"),
        ("/run/x.sock", "unix:/run/x.sock"),
        ("local:/run/x.sock", "unix:/run/x.sock"),
    ],
)
def test_an_address_as_text(text: str, again: str) -> None:
    assert str(parse_address(text)) == again
    assert parse_address(again) == parse_address(text)
