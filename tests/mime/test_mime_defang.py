"""defang, check_name and check_attachments: bad attachments are replaced by a warning."""

from __future__ import annotations

import binascii
import socket
import threading
from email.mime.text import MIMEText

import pytest

import mime
from pymilter.mime._warning import replace_by_warning
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


def test_a_part_of_another_class_is_passed_over() -> None:
    msg = read(multipart(leaf("a/b")))
    msg.get_payload().insert(0, MIMEText("x"))
    seen: list[str] = []
    assert mime.check_attachments(msg, lambda part: seen.append(part.get_content_type())) == 0
    assert seen == ["a/b"]


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


# -- what is logged, and in which places


def test_the_place_of_each_part_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "pymilter.mime")
    inner = multipart(leaf("c/d"), leaf("e/f", extra=b"Content-Type: g/h\n"), boundary=b"IN")
    mime.check_attachments(read(multipart(leaf("a/b"), inner)), lambda part: 0, [7])
    assert caplog.messages == [
        "checking part [7, 1]: a/b",
        "checking part [7, 2, 1]: c/d",
        "checking part [7, 2, 2]: e/f",
        "checking part [7, 2, 2, 0]: g/h",
    ]
    caplog.clear()
    mime.check_attachments(read(leaf("a/b")), lambda part: 0)
    mime.check_name(read(leaf("a/b")))
    mime.check_html(read(leaf("a/b")))
    mime.defang(read(leaf("a/b")))
    assert caplog.messages == ["checking part []: a/b"] * 4


def test_a_zip_file_that_cannot_be_read_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "pymilter.mime")
    mime.defang(read(base64_leaf("application/zip; name=f.zip", b"x")), scan_zip=True)
    assert caplog.messages == ["zip file 'f.zip': File is not a zip file"]


# -- other readings


def checked(raw: bytes, results: dict[str, int]) -> tuple[int, list[str], bytes]:
    """Check the parts of a message by type; return the result, the types that were seen, and the message."""
    seen: list[str] = []

    def check(part: mime.MimeMessage) -> int:
        seen.append(part.get_content_type())
        return results.get(part.get_content_type(), 0)

    msg = read(raw)
    return mime.check_attachments(msg, check), seen, msg.as_bytes()


def test_a_result_for_another_reading_ends_the_walk() -> None:
    raw = multipart(leaf("a/b", extra=b"Content-Type: c/d\n"), leaf("e/f"))
    assert checked(raw, {}) == (0, ["a/b", "c/d", "e/f"], raw)
    assert checked(raw, {"c/d": 3}) == (3, ["a/b", "c/d"], raw)
    assert checked(raw, {"a/b": 2, "c/d": 3}) == (2, ["a/b"], raw)
    assert checked(raw, {"e/f": 4}) == (4, ["a/b", "c/d", "e/f"], raw)
    cr = leaf("a/b", b"x").replace(b"\n", b"\nX: a\rb\n", 1)
    assert checked(cr, {}) == (0, ["a/b"] * 3, cr)
    assert checked(cr, {"a/b": 1}) == (1, ["a/b"], cr)


def test_a_reading_of_a_multipart_is_checked_before_its_parts() -> None:
    raw = multipart(leaf("a/b")).replace(b"epilogue", b"--B\nContent-Type: x/y\n\nhidden")
    assert checked(raw, {}) == (0, ["x/y", "a/b"], raw)
    assert checked(raw, {"x/y": 1}) == (1, ["x/y"], raw)


def test_a_part_that_is_changed_in_another_reading_alone_is_replaced() -> None:
    def check(part: mime.MimeMessage) -> None:
        if part.get_content_type() == "x/y":
            part["X"] = "y"

    for name in ("", "; name=n.bin"):
        hidden = multipart(leaf("a/b"), boundary=b"IN").replace(b"epilogue", b"--IN\nContent-Type: x/y\n\nhidden")
        hidden = hidden.replace(b'"IN"', b'"IN"' + name.encode()).replace(b"From: x@y\n", b"")
        msg = read(multipart(hidden, leaf("e/f")))
        assert mime.check_attachments(msg, check) == 0
        shown = "n.bin" if name else "(dangerous to some mail clients)"
        assert msg.as_bytes() == multipart(warning(shown, None), leaf("e/f"))


def test_a_warning_in_another_reading_of_the_same_body_replaces_the_part() -> None:
    def check(part: mime.MimeMessage) -> int:
        return mime.check_name(part, "/s", lambda name: "bad") if part.get_content_type() == "c/d" else 0

    msg = read(multipart(leaf("a/b", extra=b"Content-Type: c/d\n")))
    assert mime.check_attachments(msg, check) == 0
    assert msg.as_bytes() == multipart(warning("bad", None))
    assert msg.get_payload(0).removed == "bad"


def test_a_message_that_is_replaced_whole_lets_the_walk_go_on() -> None:
    seen: list[str | None] = []

    def check(part: mime.MimeMessage) -> int:
        seen.append(part["X"])
        return mime.check_name(part, "/s", lambda name: "bad") if part["X"] == "a b" else 0

    msg = read(b"Content-Type: a/b; name=n\nX: a\rb\n\nx")
    assert mime.check_attachments(msg, check) == 0
    assert msg.removed == "n"
    assert seen == ["a b"]
    part = read(leaf("text/plain", b"begin 644 evil.exe\n#86)C\n"))
    assert mime.check_name(part, "/saved") == 0
    assert part.removed == "evil.exe"


@pytest.mark.parametrize(("depth", "is_modified"), [(99, False), (100, True)])
def test_another_reading_is_as_deep_as_its_place(depth: int, is_modified: bool) -> None:
    hidden = b"Content-Type: message/rfc822\n\n" * (depth - 1) + leaf("text/plain")
    inner = multipart(leaf("a/b"), boundary=b"IN").replace(b"epilogue", b"--IN\n" + hidden)
    msg = read(multipart(inner))
    assert mime.check_attachments(msg, lambda part: 0) == 0
    assert msg.ismodified() == is_modified


def test_the_name_of_what_was_removed_in_another_reading_is_shown() -> None:
    raw = multipart(leaf("a/b")).replace(b"epilogue", b"--B\nContent-Type: x/y; name=evil.exe\n\nhidden")
    msg = read(raw)
    assert mime.defang(msg, "/saved")
    assert b"It was originally named 'evil.exe'" in msg.as_bytes()
    assert b"saved as '" + HOST.encode() + b":/saved'" in msg.as_bytes()


def test_html_that_is_cleaned_in_another_reading_is_taken_over() -> None:
    page = b"<script>x</script>"
    clean = b"<!-- WARNING: embedded script removed -->"
    msg = read(leaf("text/plain", page, extra=b"Content-Type: text/html\n"))
    assert mime.defang(msg)
    assert msg.as_bytes() == leaf("text/plain", clean, extra=b"Content-Type: text/html\n")
    msg = read(leaf("text/plain", page, "7bit", extra=b"Content-Type: text/html\n"))
    assert mime.defang(msg)
    extra = b"Content-Type: text/html\nContent-Transfer-Encoding: 8bit\n"
    assert msg.as_bytes() == leaf("text/plain", clean, extra=extra)


def test_uuencoded_html_that_is_cleaned_in_another_reading_is_base64() -> None:
    coded = b"begin 644 x\n" + binascii.b2a_uu(b"<script>x</script>") + b"`\nend\n"
    msg = read(leaf("text/plain", coded, "x-uuencode", extra=b"Content-Type: text/html\n"))
    assert mime.defang(msg)
    again = read(msg.as_bytes())
    assert again.get_all("content-transfer-encoding") == ["base64"]
    assert again.get_payload(decode=True) == b"<!-- WARNING: embedded script removed -->"


def test_a_part_that_was_removed_is_not_read_in_other_ways() -> None:
    seen: list[str] = []

    def check(name: str) -> str | None:
        seen.append(name)
        return name if name == "bad" else None

    msg = read(multipart(leaf("a/b; name=bad", extra=b"Content-Type: c/d; name=other\n")))
    assert mime.defang(msg, "/saved", check)
    assert seen == ["", "bad"]
    message = read(leaf("message/rfc822; name=bad", leaf("c/d; name=inner")))
    seen.clear()
    assert mime.defang(message, "/saved", check)
    assert seen == ["", "bad"]
    assert message.removed == "bad"


def test_a_message_in_a_message_is_checked_by_its_name_alone() -> None:
    seen: list[str] = []
    raw = leaf("message/rfc822; name=m.eml", leaf("c/d; name=inner", b"MZ\0"))
    assert not mime.defang(read(raw), None, seen.append, by_content=True, scan_zip=True)
    assert seen == ["", "m.eml", "m.eml", "", "inner", "inner", "inner.exe"]


# -- content


@pytest.mark.parametrize(("name", "asked"), [("", "program.exe"), ("; name=a.png", "a.png.exe")])
def test_a_program_is_bad_if_its_extension_is(name: str, asked: str) -> None:
    for bad in (True, False):
        seen: list[str] = []

        def check(text: str, seen: list[str] = seen, bad: bool = bad) -> bool:
            seen.append(text)
            return bad and text.endswith(".exe")

        msg = read(multipart(leaf("image/png" + name, b"MZ\0")))
        assert mime.defang(msg, "/saved", check, by_content=True) == bad
        assert seen[-1] == asked
        if bad:
            assert msg.as_bytes() == multipart(warning(name.partition("=")[2] or "(a program)"))


def test_check_html_leaves_a_multipart_alone() -> None:
    raw = multipart(leaf("text/html", b"<script>x</script>"))
    msg = read(raw)
    assert mime.check_html(msg) == 0
    assert msg.as_bytes() == raw


def test_check_name_does_what_it_is_asked_for() -> None:
    zip_file = base64_leaf("application/zip", zipped("a.exe"))
    for options, bad in (({}, False), ({"scan_zip": True}, True), ({"by_content": True}, False)):
        msg = read(zip_file)
        assert mime.check_name(msg, "/saved", **options) == 0  # type: ignore[arg-type]
        assert msg.as_bytes() == (warning("(a zip file without a name)") if bad else zip_file)
    hidden = base64_leaf("a/b", zipped("a.exe"))
    for scan in (False, True):
        msg = read(hidden)
        mime.check_name(msg, "/saved", scan_zip=scan, by_content=True)
        assert msg.ismodified() == scan
    program = leaf("a/b", b"MZ\0")
    for by_content in (False, True):
        msg = read(program)
        assert mime.check_name(msg, "/saved", by_content=by_content) == 0
        assert msg.as_bytes() == (warning("(a program)") if by_content else program)
    msg = read(leaf("a/b; name=a.txt"))
    mime.check_name(msg, "/saved", lambda name: name == "a.txt")
    assert msg.as_bytes() == warning("True")


@pytest.mark.parametrize(
    ("default", "kept"), [(mime._defang(), True), (mime._defang(False), False), (mime._defang(scan_html=True), True)]
)
def test_a_defang_of_ones_own_keeps_its_settings(default: mime._defang, kept: bool) -> None:
    assert (default.scan_html, default.scan_rfc822, default.scan_zip, default.by_content) == (kept, True, False, False)
    raw = base64_leaf("application/zip; name=f.zip", zipped("a.exe"))
    assert default(read(raw), scan_zip=True)
    assert not default(read(raw))
    assert default(read(leaf("a/b", b"MZ\0")), by_content=True)
    assert not default(read(leaf("a/b", b"MZ\0")))
    assert default.scan_zip is default.by_content is False


# -- the warning


def test_the_name_in_the_warning_is_printable_and_not_too_long() -> None:
    for name, shown in (("a\tb.exe", "a?b.exe"), ("x" * 196 + ".exe", "x" * 196 + ".exe"), ("x" * 300, "x" * 200)):
        msg = read(leaf("a/b"))
        replace_by_warning(msg, name, "/saved")
        assert msg.as_bytes() == warning(shown)
        assert msg.removed == shown


def test_what_the_header_said_of_the_content_goes() -> None:
    raw = leaf("a/b; name=a.exe", b"x", "base64", "attachment; filename=a.exe", b"name=evil: y\nX-Keep: me\nno field\n")
    msg = read(b"From me\n" + raw)
    assert mime.defang(msg, "/saved")
    assert msg.as_bytes() == b"X-Keep: me\n" + warning("a.exe")
    assert not msg.too_complex
    msg = read(b"Content-Type: a/b\nno field; name=evil.exe\n\nbody\n")
    assert mime.defang(msg, "/saved")
    assert {name for _, name in msg.getnames()} == {"", "WARNING.TXT"}
