"""defang, check_name and check_attachments: bad attachments are replaced by a warning."""

from __future__ import annotations

import socket
import threading

import pytest

import mime
from support.mime_messages import base64_leaf, leaf, multipart, read, zipped

HOST = socket.gethostname()
EXE = leaf('x/y; name="a.exe"', b"AAAA", "base64", "attachment; filename=a.exe", b"X-Keep: me\n")


def warning(name: str, savname: str | None = "/saved") -> bytes:
    """The warning as 1.0.5 words it."""
    return (
        "Content-Type: text/plain; name=WARNING.TXT\n\n"
        "This message appeared to contain a virus.\n"
        f"It was originally named '{name}', and has been removed.\n"
        f"A copy of your original message was saved as '{HOST}:{savname}'.\n"
        "See your administrator.\n"
    ).encode()


def test_attachment_is_replaced() -> None:
    msg = read(multipart(leaf("text/plain", b"hi"), EXE))
    events: list[object] = []
    msg.headerchange = lambda *args: events.append(args)
    assert mime.defang(msg, "/saved") is True
    assert msg.as_bytes() == multipart(leaf("text/plain", b"hi"), b"X-Keep: me\n" + warning("a.exe"))
    assert events == []


def test_whole_message_is_replaced_and_the_mta_told() -> None:
    msg = read(EXE)
    events: list[tuple[str, str | None]] = []
    msg.headerchange = lambda _, name, value: events.append((name, value))
    mime.defang(msg)
    assert msg.as_bytes() == b"X-Keep: me\n" + warning("a.exe", None)
    assert events == [
        ("content-type", None),
        ("content-disposition", None),
        ("content-transfer-encoding", None),
        ("Content-Type", "text/plain; name=WARNING.TXT"),
    ]


def test_good_message_is_left_alone() -> None:
    raw = multipart(leaf("text/plain", b"hi"), leaf("text/html", b"<p>"), leaf("image/png; name=a.png"))
    msg = read(raw)
    assert mime.defang(msg, "/saved") is False
    assert msg.as_bytes() == raw


def test_message_in_a_message_is_cleaned() -> None:
    """1.0.5 raised TypeError, or wrote the message/rfc822 as a multipart."""
    inner = multipart(leaf("text/plain", b"hi"), EXE, boundary=b"IN")
    for scan_rfc822 in (True, False):
        msg = read(multipart(leaf("message/rfc822", inner), leaf("a/b")))
        assert mime.defang(msg, "/saved", scan_rfc822=scan_rfc822)
        clean = multipart(leaf("text/plain", b"hi"), b"X-Keep: me\n" + warning("a.exe"), boundary=b"IN")
        assert msg.as_bytes() == multipart(leaf("message/rfc822", clean), leaf("a/b"))


def test_encoded_message_in_a_message_is_cleaned() -> None:
    """1.0.5 saw only digits in it."""
    msg = read(multipart(base64_leaf("message/rfc822", multipart(EXE, boundary=b"IN")), leaf("a/b")))
    assert mime.defang(msg, "/saved")
    inner = read(msg.as_bytes()).get_payload(0).get_submsg()[0]
    assert inner.as_bytes() == multipart(b"X-Keep: me\n" + warning("a.exe"), boundary=b"IN")


def test_message_that_is_named_as_a_program() -> None:
    """Saved under its name, it runs."""
    msg = read(multipart(leaf("message/rfc822", b"\n<script>", disposition="attachment; filename=a.hta")))
    assert mime.defang(msg, "/saved")
    assert msg.as_bytes() == multipart(warning("a.hta"))


def test_sender_cannot_write_headers_by_a_name() -> None:
    """1.0.5 wrote the name as it was: after %0A, the sender's own parts followed."""
    name = "x%0A--B%0AContent-Type:%20x/y%3B%20name=b.com%0A%0A.exe"
    msg = read(multipart(leaf(f"x/y; name*=us-ascii''{name}")))
    mime.defang(msg, "/saved")
    again = read(msg.as_bytes())
    assert len(again.get_payload()) == 1
    assert again.get_payload(0).get_content_type() == "text/plain"


def test_long_name_is_cut() -> None:
    msg = read(leaf("x/y; name=" + "a" * 5000 + ".exe"))
    mime.defang(msg)
    assert len(msg.as_bytes()) < 600


def test_name_that_is_not_ascii() -> None:
    """1.0.5 raised UnicodeEncodeError when the message was dumped."""
    msg = read(multipart(leaf("x/y; name*=utf-8''caf%C3%A9.exe"), leaf("a/b")))
    mime.defang(msg, "/saved")
    again = read(msg.as_bytes())
    assert "'café.exe'" in again.get_payload(0).get_payload(decode=True).decode()
    assert again.get_payload(1).as_bytes() == leaf("a/b")


def test_a_program_may_set_its_own_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, expected in [("%s on %s, %s", f"a.exe on {HOST}, /s"), ("gone", "gone"), ("100 %", "100 %")]:
        monkeypatch.setattr(mime, "virus_msg", text)
        msg = read(EXE)
        mime.defang(msg, "/s")
        assert msg.get_payload() == expected


def test_own_name_check() -> None:
    seen: list[str] = []

    def check(name: str) -> str | None:
        seen.append(name)
        return "a bad one" if name.endswith(".txt") else None

    msg = read(multipart(leaf("x/y; name=b.bin"), leaf("x/y; name=a.txt")))
    assert mime.defang(msg, "/saved", check)
    assert seen == ["", "b.bin", "b.bin", "", "a.txt"]
    assert msg.as_bytes() == multipart(leaf("x/y; name=b.bin"), warning("a bad one"))


def test_scan_html_false_leaves_scripts() -> None:
    raw = leaf("text/html", b"<script>x</script>")
    assert not mime._defang(scan_html=False)(read(raw))
    assert mime._defang()(read(raw))


def test_threads_do_not_share_a_call() -> None:
    """1.0.5 kept a call's savname and check in the one `defang`: another thread's call took them over."""
    inside = threading.Event()
    other_done = threading.Event()

    def slow_check(name: str) -> str | None:
        inside.set()
        assert other_done.wait(30)
        return mime.check_ext(name)

    msg = read(multipart(leaf("x/y; name=a.txt"), EXE))
    thread = threading.Thread(target=mime.defang, args=(msg, "/mine", slow_check))
    thread.start()
    assert inside.wait(30)
    mime.defang(read(EXE), "/theirs", lambda name: None)
    other_done.set()
    thread.join(30)
    assert msg.as_bytes() == multipart(leaf("x/y; name=a.txt"), b"X-Keep: me\n" + warning("a.exe", "/mine"))


# -- check_attachments


def visited(raw: bytes, result: int | None = 0) -> tuple[int, list[str]]:
    seen: list[str] = []

    def check(part: mime.MimeMessage) -> int | None:
        seen.append(part.get_content_type())
        return result

    return mime.check_attachments(read(raw), check), seen


def test_each_part_without_parts_is_checked() -> None:
    inner = multipart(leaf("c/d"), leaf("e/f"), boundary=b"IN")
    raw = multipart(leaf("text/plain"), leaf("message/rfc822", inner), leaf("a/b"))
    assert visited(raw) == (0, ["text/plain", "c/d", "e/f", "a/b"])
    assert visited(leaf("a/b")) == (0, ["a/b"])
    assert visited(leaf("message/delivery-status", b"a: b\n\nc: d\n")) == (0, ["text/plain"] * 2)
    assert visited(multipart()) == (0, ["multipart/mixed"])


def test_other_result_ends_it() -> None:
    assert visited(multipart(leaf("a/b"), leaf("c/d")), 1) == (1, ["a/b"])


def test_none_is_continue() -> None:
    """1.0.5 stopped at the first part when the check forgot its return: the others went through unchecked."""
    assert visited(multipart(leaf("a/b"), leaf("c/d")), None) == (0, ["a/b", "c/d"])


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """1.0.5 printed each part it checked."""
    mime.defang(read(multipart(leaf("a/b"), EXE)))
    assert capsys.readouterr() == ("", "")


# -- zip files


@pytest.mark.parametrize("content_type", ["application/zip; name=f.zip", "x/y; name=F.ZIP", "application/zip"])
def test_zip_file_with_a_bad_name(content_type: str) -> None:
    name = "(a zip file without a name)" if content_type == "application/zip" else content_type.partition("=")[2]
    for content in (zipped("a.txt", "dir/b.exe"), zipped("x", ("in.zip", zipped("b.exe")))):
        raw = multipart(base64_leaf(content_type, content), leaf("a/b"))
        msg = read(raw)
        assert not mime.defang(msg, "/saved")
        assert mime.defang(msg, "/saved", scan_zip=True)
        assert msg.as_bytes() == multipart(warning(name), leaf("a/b"))


@pytest.mark.parametrize("content", [zipped("a.txt"), zipped(), b""])
def test_good_zip_file_is_left_alone(content: bytes) -> None:
    raw = multipart(base64_leaf("application/zip; name=f.zip", content))
    msg = read(raw)
    assert not mime.defang(msg, scan_zip=True)
    assert msg.as_bytes() == raw


@pytest.mark.parametrize("content", [b"garbage", zipped("a.txt")[:-10], zipped(("bad.zip", b"PK\x03\x04"))])
def test_zip_file_that_cannot_be_read_is_bad(content: bytes) -> None:
    msg = read(multipart(base64_leaf("application/zip; name=f.zip", content)))
    assert mime.defang(msg, "/saved", scan_zip=True)
    assert msg.as_bytes() == multipart(warning("f.zip"))
