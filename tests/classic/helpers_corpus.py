"""Run by test_parity_helpers in the old Python and in ours: calls helpers, writes {topic: [[arguments, answer], ...]}.

What 1.0.5 does wrong, and ours mends, is not in here: the tests of each helper have it.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from Milter import utils
from Milter.cache import AddrCache
from Milter.config import MilterConfigParser
from Milter.dynip import is_dynip
from Milter.greysql import Greylist
from Milter.unsign import unsign

found: dict[str, list[Any]] = {}


def call(topic: str, function: Callable[..., Any], *args: Any, **keywords: Any) -> None:
    try:
        answer = function(*args, **keywords)
    except Exception as error:
        answer = "raises " + type(error).__name__
    found.setdefault(topic, []).append([[*args, keywords], answer])


def joined(pick: random.Random, parts: Sequence[str], longest: int) -> str:
    return "".join(pick.choice(parts) for _ in range(pick.randint(1, longest)))


def addresses(pick: random.Random) -> None:
    parts = ["joe", "a@b", "@", "<", ">", "example.com", "@r:", "@r,@s:", "joe smith", ".", "+x"]
    for _ in range(3000):
        call("parse_addr", utils.parse_addr, joined(pick, parts, 4))
    names = [
        "",
        "Joe ",
        "Joe Smith ",
        '"Smith, Joe" ',
        "Smith, Joe ",
        "J. R. ",
        "joe@x.org ",
        "a: b ",
        "=?utf-8?q?x?= ",
    ]
    for name in names:
        for address in ("<a@b.c>", "<>", '<"a b"@c>', "<@r:a@b>", "<a@b.c> (x)"):
            if address.endswith(">") or name in ("", "Joe ", "J. R. "):
                call("parseaddr", utils.parseaddr, name + address)
    for text in ("a@b", "a@b (Joe)", "undisclosed-recipients:;", "", "joe", "Joe <a@b"):
        call("parseaddr", utils.parseaddr, text)


def headers(pick: random.Random) -> None:
    words = ["abc", "x", " ", "=?utf-8?q?J=C3=BC?=", "=?UTF-8?B?SGVsbG8=?=", "=?iso-8859-1?q?=fc_?=", "=?nosuch?q?a?="]
    for _ in range(3000):
        call(
            "parse_header", utils.parse_header, joined(pick, [*words, "=?utf-8?q?=C3?=", "=?utf-8?q?=BC?="], 5).strip()
        )


def networks(pick: random.Random) -> None:
    clients = ["1.2.3.4", "10.0.0.1", "192.168.200.77", "2001:db8::1", "2001:db8:0:1::5", "fe80::1", "bad", "", "1.2.3"]
    nets = ["1.2.3.4", "1.2.3.0", "10.0.0.0", "192.168.128.0", "2001:db8::", "2001:db8:0:1::", "1.2.*", "2001:*", "x_y"]
    for client in clients:
        for net in nets:
            if (":" in client) == (":" in net):
                for length in ["", *(f"/{n}" for n in (0, 1, 8, 17, 24, 31, 32, 33))]:
                    call("iniplist", utils.iniplist, client, [net + length])
    parts = ["1", ":", "::", ".", "12.1.1.1", "abcd", ":0", "256", "2:"]
    for _ in range(6000):
        text = joined(pick, parts, 9)
        for name in ("ip4re", "ip6re", "dnsre"):
            found.setdefault(name, []).append([text, bool(getattr(utils, name).match(text))])
        call("addr2bin", utils.addr2bin, text)
    for _ in range(500):
        number, bits = pick.getrandbits(128), pick.randint(0, 130)
        call("cidr", utils.cidr, number, bits, utils.MASK6)
        call("cidr", utils.cidr, number >> 96, bits % 34)


def names(pick: random.Random) -> None:
    parts = ["mail", "mx", "host", "user", "ppp", "adsl", "cable", "dyn", "pool", "static", "ip", "h", "p", "cust", "q"]
    for _ in range(5000):
        octets = [pick.choice([1, 2, 3, 20, 30, 45, 69, 100, 142, 172, 203, 254]) for _ in range(4)]
        numbers = [str(o) for o in octets] + [f"{o:03}" for o in octets] + [bytes(octets).hex()]
        host = "".join(pick.choice(parts + numbers + numbers) + pick.choice(".-.-") for _ in range(pick.randint(1, 5)))
        call("dynip", is_dynip, host + "isp.net", ".".join(map(str, octets)))
    for text in ("joe@x", "prvs=0123456789=joe@x", "SRS0=a=b=c=joe@x", ""):
        call("unsign", unsign, text)


def greylist(pick: random.Random) -> None:
    clock = [1e9]
    time.time = lambda: clock[0]
    grey = Greylist(":memory:", 3, 1, 2)
    for _ in range(1500):
        clock[0] += pick.choice([1, 10, 60, 170, 180, 185, 190, 300, 3000, 3600, 7200, 86400, 172800, 172801])
        if pick.random() < 0.05:
            call("greysql", grey.clean, pick.choice([0, 1000, 172800]))
        else:
            triple = pick.choice(["1.2.3.4", "::1"]), pick.choice(["a@b", ""]), pick.choice(["r", "R"])
            call("greysql", grey.check, *triple, timeinc=pick.choice([0, 0, 0, 100]))
    grey.close()


def cache(pick: random.Random) -> None:
    clock = [1.7e9]
    time.time = lambda: clock[0]
    known = AddrCache(renew=2)
    senders = ["joe@x.org", "Joe@X.org", "ann@x.org", "x.org", "ann@y.org", "y.org"]
    known.load("cache.txt")
    for step in range(1500):
        clock[0] += pick.choice([1, 3600, 40000])
        sender = pick.choice(senders)
        if step % 4 == 0:
            call("cache", known.__setitem__, sender, pick.choice([None, "res", "", 5]))
        for question in (known.has_key, known.has_precise_key, known.__contains__, known.__getitem__):
            call("cache", question, sender)
    found["cache file"] = [Path("cache.txt").read_text().splitlines()]


CONFIG = """
[DEFAULT]
x = 1
[a]
list = one,two, three ,,four
empty =
int = 42
inter = %(x)s-y
percent = 50%%
two = one
  two,three
users = joe@foo,Ann@FOO, file:more
names = good,Bad,missing,good
good = x@y,file:more,Dom.COM,dup
bad = z@y,dup
flag = yes
"""


def config(pick: random.Random) -> None:
    Path("a.cfg").write_text(CONFIG)
    Path("more").write_text("u1 u2\nu3\n")
    parser = MilterConfigParser({"p": "default", "n": 5})
    call("config", parser.read, ["a.cfg"])
    call("config", parser.sections)
    for option in ("list", "empty", "inter", "percent", "two", "users", "names", "flag", "x", "p", "n", "nope"):
        for section in ("a", "nosuch"):
            for function in (parser.get, parser.getlist, parser.getdefault, parser.getaddrdict):
                call("config", function, section, option)
            call("config", parser.get, section, option, "fallback")
            call("config", parser.get, section, option, fallback=None)
            call("config", parser.getdefault, section, option, "default")
    for option in ("int", "x", "list", "nope", "empty"):
        call("config", parser.getintdefault, "a", option)
        call("config", parser.getintdefault, "a", option, 7)
    for option in ("users", "nope", "list", "names"):
        call("config", parser.getaddrset, "a", option)
    call("config", parser.get, "a", "inter", raw=True)
    call("config", parser.get, "a", "inter", vars={"x": "9"})
    call("config", parser.getaddrset, "a", "users", "nofolder")
    call("config", parser.getboolean, "a", "flag")


for topic in (addresses, headers, networks, names, greylist, cache, config):
    topic(random.Random(5))
json.dump(found, sys.stdout)
