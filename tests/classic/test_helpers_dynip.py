"""Milter.dynip: what 1.0.5 was seen to answer, and the faults of it that are mended."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from Milter.dynip import is_dynip

ADDRESS = "10.20.30.4"


@pytest.mark.parametrize(
    "host",
    [
        *("10.20.30.4", "4.30.20.10.isp.net", "10-20-30-4.isp.net", "ip-10-20-30-4.isp.net", "c10x20x30x4.isp.net"),
        *("010020030004.isp.net", "0a141e04.isp.net", "0x0A141E04.isp.net", "q1020304.isp.net"),
        *(
            "smtp-10-20-30.isp.net",
            "smtp.10.20.30.isp.net",
            "mail-30-4.isp.net",
            "mail.30.4.isp.net",
            "4-30.isp.net",
            "host-4.isp.net",
        ),
        *("4.isp.net", "004.isp.net", "user4.isp.net", "cust4.x", "Cust4.x", "h4.isp.net", "ppp4.x", "ppp-a4.x"),
        *("p4.pool.isp.net", "x.adsl.isp.net", "x.cable.isp.net", "xdsl-5.isp", "x-ppp7.y", "dsl-77-88.isp.net"),
        *("no-reverse-dns.x", "h0123456789ab.ne.client2.attbi.com", "S0106000102030405.cg.shawcable.net"),
        *("pcp1234567pcs.x.comcast.net", "h11n2c1o1.bredband.com", "[10.20.30.4]", "[mail]"),
    ],
)
def test_generated_names(host: str) -> None:
    assert is_dynip(host, ADDRESS) is True


@pytest.mark.parametrize(
    "host",
    [
        *("mail.example.com", "MAIL.EXAMPLE.COM", "mx4.example.com", "mail4.example.com", "mail30.isp.net", ""),
        *("10-20.isp.net", "mail.10.20.example.com", "20x30.q", "34.isp.net", "adsl.isp.net", "dyn.isp.net"),
        *("123456789.isp", "h0123456789abc.x", "pcp12345pcs.x", "a-9-8q.x", "post3.fabulousdealz.com"),
    ],
)
def test_other_names(host: str) -> None:
    assert is_dynip(host, ADDRESS) is False


@pytest.mark.parametrize("address", ["", "2001:db8::1", "::ffff:10.20.30.4", "10.20.30.400", "10.20.30.4.5"])
def test_addresses_that_are_not_ipv4(address: str) -> None:
    assert is_dynip("user4.a-9-8.isp.net", address) is False


@pytest.mark.parametrize("address", ["10.20.30", "a.b.c.d", "1..2.3"])
def test_what_is_no_address_does_not_raise(address: str) -> None:
    assert is_dynip("mail.example.com", address) is False  # 1.0.5: TypeError or ValueError


def test_the_numbers_of_the_address_hide_no_pattern() -> None:
    assert is_dynip("a-9-8.isp.net", "203.7.45.9")  # 1.0.5: False, though True for any other address
    assert is_dynip("h0123456789ab.isp.net", "203.7.45.9")


@pytest.mark.parametrize("last", [0, 1, 9, 10, 99, 109, 255])
def test_a_label_that_ends_in_the_last_number(last: int) -> None:
    address = f"10.20.30.{last}"
    for label in (f"user{last}", f"user{last:03}", f"x-{last}", f"h{last}", f"cust{last}", f"xpppx{last}", f"{last}"):
        assert is_dynip(f"{label}.isp.net", address), label
    for label in (f"mx{last}", f"mail{last}", f"user{last}a", f"user{last + 1}", f"user0{last + 1:03}"):
        assert not is_dynip(f"{label}.isp.net", address), label
    assert is_dynip(f"a.p{last}.pool4.isp.net", address)
    assert not is_dynip(f"a.p{last}.spool4.isp.net", address)
    assert not is_dynip(f"a.{last}.isp.net", address)  # only the first label may be the number alone


def test_case_does_not_matter() -> None:
    for host in ("USER4.x", "PPP4.x", "No-Reverse.x", "s0106000102030405.cg.x", "h0123456789AB.x"):
        assert is_dynip(host, ADDRESS)  # 1.0.5: False, for each


@given(
    st.lists(st.integers(0, 255), min_size=4, max_size=4), st.sampled_from(".-x_"), st.sampled_from(["", "q", "ip-"])
)
def test_the_whole_address_is_always_seen(octets: list[int], separator: str, prefix: str) -> None:
    address = ".".join(map(str, octets))
    for numbers in (octets, octets[::-1]):
        assert is_dynip(prefix + separator.join(map(str, numbers)) + ".isp.net", address)
    assert is_dynip(prefix + bytes(octets).hex() + ".isp.net", address)


@given(st.text(), st.text())
def test_it_never_raises(host: str, address: str) -> None:
    assert is_dynip(host, address) in (True, False)
