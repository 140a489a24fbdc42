"""The pages about the message and its envelope: their programs behind a real Postfix."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage
from pathlib import Path

from support.room import Room, refused

TOP = b"Date: Mon, 2 Mar 2026 10:00:00 +0000\r\nFrom: some@example.org\r\nTo: a@example.net\r\n"
PLAIN = TOP + b"Subject: one\r\n\r\nbody\r\n"


def with_files(*files: tuple[str, str, bytes]) -> bytes:
    """A message with a text, its HTML and files: their types, names and contents."""
    message = EmailMessage()
    message["From"], message["Subject"] = "some@example.org", "Grüße"
    message.set_content("a text\n")
    message.add_alternative("<html><body><p>a text</p><script>alert(1)</script></body></html>\n", subtype="html")
    for kind, name, content in files:
        main, _, sub = kind.partition("/")
        message.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return message.as_bytes().replace(b"\n", b"\r\n")


def test_whole_message(room: Room) -> None:
    with room.running("whole_message.py") as program:
        two = with_files(("application/pdf", "a.pdf", b"%PDF-1.4"), ("image/png", "b.png", b"\x89PNG"))
        assert room.deliver(two).header("X-Files") == ["2"]
        assert room.deliver(PLAIN).header("X-Files") == ["0"]
        many = with_files(*[("application/pdf", f"{number}.pdf", b"x") for number in range(11)])
        assert refused(room.client(), many) == (550, "5.7.1 11 files are attached, and 10 are allowed")
    assert "from some@example.org to a@example.net: 'Grüße'" in program.stderr
    assert "application/pdf, 8 bytes, file name 'a.pdf'" in program.stderr


def test_reject_sender(room: Room) -> None:
    with room.running("reject_sender.py"):
        for sender in ("Spam@example.org", "x@spam.example", "x@mail.SPAM.example"):
            refusal = refused(room.client(), PLAIN, sender)
            assert refusal == (550, "5.7.1 We do not take mail from this sender"), sender
        author = PLAIN.replace(b"some@example.org", b"Boss <boss@spam.example>")
        assert refused(room.client(), author) == (550, "5.7.1 We do not take mail from this author")
        room.deliver(PLAIN)
        room.deliver(PLAIN, "")
        room.deliver(author, "x@spam.example", login="anna")


def test_reject_recipient(room: Room) -> None:
    with room.running("reject_recipient.py"), room.client() as client:
        client.mail("some@example.org")
        assert client.rcpt("carol@example.net") == (550, b"5.1.6 Carol has left, please write to office@example.net")
        assert client.rcpt("Carol+news@EXAMPLE.net")[0] == 550
        assert client.rcpt("dave@example.net") == (452, b"4.2.2 The mailbox is full, try again later")
        for name in ("a@example.net", "b@example.net", "carol@lists.example.net"):
            assert client.rcpt(name)[0] == 250
        assert client.rcpt("d@example.net")[:1] == (452,)
        assert client.data(b"Message-ID: <howto-recipients@host>\r\n" + PLAIN)[0] == 250
    room.postfix.settle(60)
    addresses = [address for one in room.sink.deliveries("howto-recipients") for address in one.addresses]
    assert sorted(addresses) == ["<a@example.net>", "<b@example.net>", "<carol@lists.example.net>"]


def test_headers(room: Room) -> None:
    message = (
        b"Received: from in.example ([10.0.0.7]) by a.example; Mon, 2 Mar 2026 10:00:00 +0000\r\n"
        b"Received: from out.example ([192.0.2.7]) by b.example; Mon, 2 Mar 2026 10:00:00 +0000\r\n"
        b"Received: from in.example ([10.0.0.8]) by c.example; Mon, 2 Mar 2026 10:00:00 +0000\r\n"
        b"X-Spam-Flag: NO\r\nx-spam-flag: YES\r\nPrecedence: list\r\nX-Spam-Flag: NO\r\n" + PLAIN
    )
    with room.running("headers.py"):
        delivery = room.deliver(message)
    assert [field.partition(" by ")[2][:9] for field in delivery.header("Received")][1:] == ["b.example"]
    assert delivery.header("X-Spam-Flag") == []
    assert delivery.header("Precedence") == ["bulk"]
    assert delivery.header("Subject") == ["=?utf-8?q?=5BEXTERN=5D_one_=E2=80=93_bitte_pr=C3=BCfen?="]
    assert delivery.header("X-Subject-Length") == ["3"]
    assert delivery.names[0] == "X-Scanned-By"
    assert delivery.names[-1] == "X-Gate"
    assert delivery.names[delivery.names.index("Subject") + 1] == "X-Subject-Length"


def test_envelope(room: Room) -> None:
    with room.running("envelope.py"):
        delivery = room.deliver(PLAIN, "x@lists.example.net", "Old@example.net", "b@example.net")
    assert sorted(delivery.addresses) == ["<archive@example.net>", "<b@example.net>", "<new@example.net>"]
    assert delivery.sender.address == "<bounces@lists.example.net>"
    (archive,) = [one for one in delivery.recipients if one.address == "<archive@example.net>"]
    assert "NOTIFY=NEVER" in archive.params


def test_disclaimer(room: Room) -> None:
    with room.running("disclaimer.py"):
        delivery = room.deliver(with_files(("application/pdf", "a.pdf", b"%PDF")), "anna@example.net")
        assert delivery.header("X-Disclaimer") == ["added"]
        assert delivery.data.count(b"Example Ltd., London") == 2
        once = room.deliver(b"X-Disclaimer: added\r\n" + PLAIN, "anna@example.net")
        signed = room.deliver(b"DKIM-Signature: v=1\r\n" + PLAIN, "anna@example.net")
        from_outside = room.deliver(PLAIN)
    assert [one.body for one in (once, signed, from_outside)] == [b"body\r\n"] * 3


def test_attachments(room: Room, tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("inside.exe", b"MZ")
    bad = with_files(
        ("application/octet-stream", "run.exe", b"MZ first"),
        ("application/zip", "b.zip", content.getvalue()),
        ("application/pdf", "c.pdf", b"%PDF-1.4"),
    )
    with room.running("attachments.py", tmp_path):
        delivery = room.deliver(bad)
        assert delivery.header("X-Defanged") == ["yes"]
        assert b"run.exe" in delivery.data  # in the warning that stands there now
        for gone in (b"<script", b"TVogZmlyc3Q=", b'filename="b.zip"'):
            assert gone not in delivery.data, gone
        assert b'filename="c.pdf"' in delivery.data
        good = room.deliver(PLAIN)
    assert good.body == b"body\r\n"
    (copy,) = tmp_path.iterdir()
    assert b"TVogZmlyc3Q=" in copy.read_bytes()
    assert str(copy).encode() in delivery.data


def test_quarantine(room: Room) -> None:
    with room.running("quarantine.py"):
        with room.client() as client:
            held = with_files(("application/x-7z-compressed", "a.7z", b"7z"))
            assert client.sendmail("held@example.org", ["a@example.net"], held) == {}
        room.deliver(PLAIN)
    assert [one.recipients for one in room.postfix.held() if one.sender == "<held@example.org>"] == [
        ("<a@example.net>",)
    ]
    assert "triggers HOLD" in room.postfix.log()


def test_client(room: Room) -> None:
    outside = {"addr": "192.0.2.7", "name": "mail.example.org", "helo": "mail.example.org"}
    with room.running("client.py"):
        refusal = refused(room.client(**outside), PLAIN, "boss@example.net")
        assert refusal == (550, "5.7.1 Log in to send mail as one of us")
        delivery = room.deliver(PLAIN, **outside)
        assert delivery.header("X-Client") == ["mail.example.org[192.0.2.7]; helo=mail.example.org; tls=none"]
        room.deliver(PLAIN, "boss@example.net")
        room.deliver(PLAIN, "boss@example.net", **outside, login="boss")


def test_several(room: Room) -> None:
    with room.running("several.py"):
        assert room.deliver(PLAIN).header("X-Gate") == ["open"]
        with room.client() as client:
            client.mail("some@example.org")
            assert client.rcpt("carol@example.net")[0] == 550
        assert refused(room.client(), PLAIN, "x@spam.example")[0] == 550
