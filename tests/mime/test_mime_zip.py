"""zipnames: what is in zip files, and the bounds that keep it from unpacking bombs."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mime
from mime import ZipLimitError, ZipLimits, ZipUnreadableError
from pymilter.mime._zip import _unicode_names
from support.mime_messages import base64_leaf, read, zipped


def listed(data: bytes, limits: ZipLimits | None = None) -> list[str]:
    found = mime.zipnames(data, limits) if limits else mime.zipnames(data)
    assert {key for key, _ in found} <= {"zipname"}
    return [name for _, name in found]


def nested(depth: int) -> bytes:
    data = zipped("a.txt")
    for _ in range(depth - 1):
        data = zipped(("in.zip", data))
    return data


def encrypted(data: bytes) -> bytes:
    """Set the flag that says so in each entry."""
    out = bytearray(data)
    for sign, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        pos = out.find(sign)
        while pos >= 0:
            out[pos + at] |= 1
            pos = out.find(sign, pos + 4)
    return bytes(out)


def test_names_in_order() -> None:
    data = zipped("x.txt", ("in.ZIP", zipped("a.txt", "dir/b.exe")), "y.txt", ("not.dat", zipped("hidden.exe")))
    assert listed(data) == ["x.txt", "in.ZIP", "a.txt", "dir/b.exe", "y.txt", "not.dat"]
    assert listed(zipped()) == []
    assert listed(zipped("d/", "d.zip/", "d/e")) == ["d/", "d.zip/", "d/e"]
    assert listed(zipped("a.txt") + b"more") == ["a.txt"]


@pytest.mark.parametrize("data", [b"", b"garbage", zipped("a.txt")[:-10], zipped(("bad.zip", b"PK\x03\x04"))])
def test_broken(data: bytes) -> None:
    with pytest.raises(zipfile.BadZipFile):
        mime.zipnames(data)


def test_text_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes of a zip file"):
        mime.zipnames("abc")  # type: ignore[arg-type]


def test_encrypted() -> None:
    """The names are not encrypted; an inner zip file cannot be read. There 1.0.5 raised RuntimeError."""
    assert listed(encrypted(zipped("a.exe"))) == ["a.exe"]
    with pytest.raises(ZipUnreadableError, match="encrypted"):
        mime.zipnames(encrypted(zipped("a.txt", ("in.zip", zipped("b.txt")))))


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_inner_zip_packed_in_an_odd_way(method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("in.zip", zipped("a.txt"))
    with pytest.raises(ZipUnreadableError, match="method"):
        mime.zipnames(out.getvalue())


def test_zip_files_nested_too_deeply_are_refused() -> None:
    assert len(listed(nested(8))) == 8
    with pytest.raises(ZipLimitError, match="deeper than 8"):
        mime.zipnames(nested(9))
    assert len(listed(nested(9), ZipLimits(depth=9))) == 9


def test_too_many_entries_are_refused() -> None:
    limits = ZipLimits(entries=10)
    ten = [str(i) for i in range(10)]
    assert listed(zipped(*ten), limits) == ten
    with pytest.raises(ZipLimitError, match="more than 10 entries"):
        mime.zipnames(zipped(*ten, "one more"), limits)
    with pytest.raises(ZipLimitError, match="more than 10 entries"):
        mime.zipnames(zipped(("a.zip", zipped(*ten[:5])), ("b.zip", zipped(*ten[:5]))), limits)
    outer = zipped(("a.zip", zipped(*ten[:8])), "x", "y")  # neither has too many, both together have
    assert len(listed(outer, ZipLimits(entries=11))) == 11
    with pytest.raises(ZipLimitError, match="more than 10 entries"):
        mime.zipnames(outer, limits)


def test_size_of_all_together() -> None:
    content = random.Random(1).randbytes(1000)
    inner = zipped(("a", content))
    data = zipped(("1.zip", inner), ("2.zip", inner))
    assert len(listed(data, ZipLimits(size=2 * len(inner)))) == 4
    with pytest.raises(ZipLimitError, match="more than"):
        mime.zipnames(data, ZipLimits(size=2 * len(inner) - 1))


def test_bomb_is_not_unpacked() -> None:
    zeros = zipped(("in.zip", bytes(8 << 20)))
    with pytest.raises(ZipLimitError, match="200 to 1"):
        mime.zipnames(zeros)
    # What only lies in the file is not unpacked at all.
    assert listed(zipped(("zeros.bin", bytes(8 << 20)))) == ["zeros.bin"]


def test_size_that_lies() -> None:
    """zipfile reads no more than the entry says, so a small lie is broken, and a big one is a bound passed."""
    data = bytearray(zipped(("in.zip", nested(1))))
    at = data.rfind(b"PK\x01\x02") + 24
    for size, error in ((5, ZipUnreadableError), (1 << 31, ZipLimitError)):
        data[at : at + 4] = struct.pack("<I", size)
        with pytest.raises(error):
            mime.zipnames(bytes(data))


def test_file_that_contains_itself() -> None:
    """Two directories' entries for one inner file: each level is the same data, so only the bound ends it."""
    data = nested(200)
    with pytest.raises(ZipLimitError):
        mime.zipnames(data)


@pytest.mark.parametrize("content", [nested(20), zipped(("in.zip", bytes(8 << 20)))])
def test_passed_bound_is_bad(content: bytes) -> None:
    msg = read(base64_leaf("application/zip; name=f.zip", content))
    assert mime.check_name(msg, "/saved", scan_zip=True) == 0
    assert "'f.zip'" in msg.get_payload()
    msg = read(base64_leaf("application/zip; name=f.zip", content))
    assert mime.check_attachments(msg, lambda part: mime.check_name(part, scan_zip=True)) == 0
    assert msg.ismodified()


def test_encrypted_inner_zip_is_bad() -> None:
    """In 1.0.5 the exception left defang."""
    msg = read(base64_leaf("application/zip; name=f.zip", encrypted(zipped(("in.zip", zipped("b.txt"))))))
    assert mime.defang(msg, "/saved", scan_zip=True)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damaged_zip_raises_nothing_else(data: st.DataObject) -> None:
    raw = bytearray(zipped("a.txt", ("in.zip", zipped("b.txt", ("c.zip", zipped("d"))))))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ZipUnreadableError):
        mime.zipnames(bytes(raw))


def test_name_in_a_unicode_path_field() -> None:
    """Info-ZIP's field 0x7075: Explorer and unzip show that name."""
    info = zipfile.ZipInfo("good.txt")
    name = b"evil.exe"
    info.extra = struct.pack("<HHBI", 0x7075, 5 + len(name), 1, 0) + name
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, b"data")
    assert listed(out.getvalue()) == ["good.txt", "evil.exe"]
    for content_type in ("application/zip (x)", "application/zip; name=a.zip"):
        msg = read(base64_leaf(content_type, out.getvalue()))
        assert mime.defang(msg, "/saved", scan_zip=True)


def test_zip_file_whose_base64_begins_with_padding() -> None:
    raw = base64_leaf("application/zip; name=a.zip", zipped("evil.exe")).replace(b"\n\n", b"\n\n=", 1)
    assert mime.defang(read(raw), "/saved", scan_zip=True)


def path_field(name: bytes) -> bytes:
    return struct.pack("<HHBI", 0x7075, 5 + len(name), 1, 0) + name


@pytest.mark.parametrize(
    ("extra", "names"),
    [
        (b"", ["good.txt"]),
        (path_field(b"a.exe"), ["good.txt", "a.exe"]),
        (path_field(b"good.txt"), ["good.txt"]),
        (struct.pack("<HHI", 1, 4, 0) + path_field(b"a.exe"), ["good.txt", "a.exe"]),
        (struct.pack("<HH", 1, 0) + path_field(b"a") + path_field(b"b"), ["good.txt", "a", "b"]),
        (path_field(b"\xc3\xa9\xff"), ["good.txt", "\xe9\N{REPLACEMENT CHARACTER}"]),
        (path_field(b"a.exe") + struct.pack("<HH", 2, 0), ["good.txt", "a.exe"]),
    ],
)
def test_names_in_the_extra_fields(extra: bytes, names: list[str]) -> None:
    info = zipfile.ZipInfo("good.txt")
    info.extra = extra
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, b"data")
    assert listed(out.getvalue()) == names


@pytest.mark.parametrize("extra", [b"", b"\x75", b"\x75\x70\x06", b"\1\0\1\0"])
def test_extra_fields_that_are_cut_off(extra: bytes) -> None:
    assert _unicode_names(path_field(b"a") + extra) == ["a"]
    assert _unicode_names(extra) == []
    assert _unicode_names(b"\x75\x70\x06\0\1\0\0\0\0a"[:4]) == [""]


def test_an_inner_zip_file_may_be_named_so_in_its_extra_field_alone() -> None:
    info = zipfile.ZipInfo("good.txt")
    info.extra = path_field(b"in.zip")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, zipped("hidden.exe"))
    assert listed(out.getvalue()) == ["good.txt", "in.zip", "hidden.exe"]


def test_the_ratio_counts_above_a_mebibyte() -> None:
    def of_size(size: int) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(zipfile.ZipInfo("a.txt"), bytes(size))
        return out.getvalue()

    rest = len(of_size(0))
    data = zipped(("in.zip", of_size((1 << 20) - rest)))
    assert listed(data, ZipLimits(ratio=1)) == ["in.zip", "a.txt"]
    data = zipped(("in.zip", of_size((1 << 20) - rest + 1)))
    with pytest.raises(ZipLimitError, match=r"'in\.zip' is packed by more than 1 to 1"):
        mime.zipnames(data, ZipLimits(ratio=1))
    packed = zipfile.ZipFile(io.BytesIO(data)).infolist()[0]
    ratio = -(-packed.file_size // packed.compress_size)
    assert listed(data, ZipLimits(ratio=ratio)) == ["in.zip", "a.txt"]
    with pytest.raises(ZipLimitError):
        mime.zipnames(data, ZipLimits(ratio=ratio - 1))


def test_what_a_limit_says() -> None:
    assert ZipLimits() == ZipLimits(depth=8, entries=10_000, size=67_108_864, ratio=200)
    inner = zipped("a.txt")
    with pytest.raises(ZipLimitError, match=f"inner zip files of more than {len(inner) - 1} bytes: 'in.zip'"):
        mime.zipnames(zipped(("in.zip", inner)), ZipLimits(size=len(inner) - 1))
    assert listed(zipped(("in.zip", inner)), ZipLimits(size=len(inner))) == ["in.zip", "a.txt"]
    with pytest.raises(ZipLimitError, match=r"nested deeper than 1: 'in\.zip'"):
        mime.zipnames(zipped(("in.zip", inner)), ZipLimits(depth=1))
    assert listed(zipped(("in.zip", inner)), ZipLimits(depth=2, entries=2)) == ["in.zip", "a.txt"]
    with pytest.raises(ZipLimitError, match="more than 1 entries"):
        mime.zipnames(zipped(("in.zip", inner)), ZipLimits(entries=1))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_zip_file_is_any_bytes(kind: type) -> None:
    assert mime.zipnames(kind(zipped("a"))) == [("zipname", "a")]


def test_a_broken_zip_file_says_why() -> None:
    with pytest.raises(ZipUnreadableError, match="File is not a zip file") as caught:
        mime.zipnames(b"")
    assert isinstance(caught.value.__cause__, zipfile.BadZipFile)
    assert not isinstance(caught.value, ZipLimitError)
    with pytest.raises(TypeError, match="zipnames needs the bytes of a zip file, not list"):
        mime.zipnames([])  # type: ignore[arg-type]


def test_an_entry_that_is_stored_is_read() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("in.zip", zipped("a.txt"))
        archive.writestr("d.zip/", b"")
    assert listed(out.getvalue()) == ["in.zip", "a.txt", "d.zip/"]


def test_entries_are_counted_before_the_file_is_read() -> None:
    """zipfile makes an object of each."""
    with pytest.raises(ZipUnreadableError, match="not a zip file"):
        mime.zipnames(b"PK\x01\x02" * 10, ZipLimits(entries=10))
    with pytest.raises(ZipLimitError, match="more than 10 entries in a zip file"):
        mime.zipnames(b"PK\x01\x02" * 11, ZipLimits(entries=10))
