"""Milter.policy over every kind of access map: what 1.0.5 was seen to look up, and the faults of it that are mended."""

from __future__ import annotations

import itertools
import logging
import os
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from Milter import _maps
from Milter.policy import DB, MTAPolicy, dbmopen
from support.require import command, missing

SOURCE = """
# PREFIX!user@domain, PREFIX!domain, PREFIX!, PREFIX
smtp-auth!user@dom.com  FOR USER
smtp-auth!dom.com       FOR DOMAIN
smtp-auth!              FOR ALL
spf-fail\tBARE
   CONTINUED
Mixed!Dom.Com           FOLDED
"""
ENTRIES = {
    b"smtp-auth!user@dom.com": b"FOR USER",
    b"smtp-auth!dom.com": b"FOR DOMAIN",
    b"smtp-auth!": b"FOR ALL",
    b"spf-fail": b"BARE   CONTINUED",
    b"mixed!dom.com": b"FOLDED",
}


def write_cdb(path: Path, entries: dict[bytes, bytes]) -> None:
    """As cr.yp.to/cdb/cdb.txt has it."""
    records = b""
    tables: list[list[tuple[int, int]]] = [[] for _ in range(256)]
    for key, value in entries.items():
        code = 5381
        for byte in key:
            code = ((code * 33) & 0xFFFFFFFF) ^ byte
        tables[code % 256].append((code, 2048 + len(records)))
        records += struct.pack("<II", len(key), len(value)) + key + value
    head, tail = b"", b""
    for table in tables:
        slots = [(0, 0)] * (2 * len(table))
        for code, position in table:
            slot = (code >> 8) % len(slots)
            while slots[slot][1]:
                slot = (slot + 1) % len(slots)
            slots[slot] = (code, position)
        head += struct.pack("<II", 2048 + len(records) + len(tail), len(slots))
        tail += b"".join(struct.pack("<II", *slot) for slot in slots)
    path.write_bytes(head + records + tail)


@pytest.fixture(scope="session")
def postfix(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """postmap, and a folder with a configuration for it."""
    folder = tmp_path_factory.mktemp("postfix")
    (folder / "main.cf").write_text("compatibility_level = 3.6\n")
    return command("postmap", "postfix"), folder


@pytest.fixture
def postmap(postfix: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """postmap is in the PATH, and has a configuration."""
    program, folder = postfix
    monkeypatch.setenv("MAIL_CONFIG", str(folder))
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{program.parent}")


@pytest.fixture(scope="session")
def berkeley(postfix: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of Berkeley DB that postmap makes, {kind: path}."""
    program, folder = postfix
    made = {}
    for kind in ("hash", "btree"):
        path = tmp_path_factory.mktemp(kind) / "access"
        path.write_text(SOURCE)
        subprocess.run([program, "-c", folder, f"{kind}:{path}"], check=True, timeout=30)
        made[kind] = path.with_suffix(".db")
    return made


@pytest.fixture(params=["text", "cdb", "cdb with NULs", "hash", "btree"])
def access(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An access map of each kind."""
    path = tmp_path / "access"
    path.write_text(SOURCE)
    if request.param == "text":
        return path
    if request.param.startswith("cdb"):
        nul = b"\0" if "NUL" in request.param else b""
        write_cdb(path.with_suffix(".cdb"), {key + nul: value + nul for key, value in ENTRIES.items()})
        return path.with_suffix(".cdb")
    request.getfixturevalue("postmap")
    made: dict[str, Path] = request.getfixturevalue("berkeley")
    return made[request.param]


def ask(path: Path, sender: str, *prefixes: str, nulls: bool = False) -> list[str | None]:
    conf = SimpleNamespace(access_file=str(path), access_file_nulls=nulls)
    with MTAPolicy(sender, conf) as policy:
        return [policy.getPolicy(prefix) for prefix in prefixes]


@pytest.mark.parametrize(
    ("sender", "found"),
    [
        ("user@dom.com", "FOR USER"),
        ("user@DOM.com", "FOR USER"),
        ("other@Dom.com", "FOR DOMAIN"),
        ("user@sub.dom.com", "FOR ALL"),
        ("", "FOR ALL"),
        ("user", "FOR ALL"),
    ],
)
@pytest.mark.parametrize("nulls", [False, True])
def test_the_most_exact_entry_counts(access: Path, sender: str, found: str, nulls: bool) -> None:
    answers = ask(access, sender, "smtp-auth", "spf-fail", "nope", nulls=nulls)
    assert answers == [found, "BARE   CONTINUED", None]


def test_an_entry_for_all_counts_before_the_bare_prefix(tmp_path: Path) -> None:
    for text in ("p  BARE\np!  ALL\n", "p!  ALL\np  BARE\n"):
        (tmp_path / "access").write_text(text)
        assert ask(tmp_path / "access", "user@dom.com", "p") == ["ALL"]


def hash_of_cdb(key: bytes) -> int:
    code = 5381
    for byte in key:
        code = ((code * 33) & 0xFFFFFFFF) ^ byte
    return code


def test_a_cdb_whose_search_goes_on_at_the_begin_of_a_table(tmp_path: Path) -> None:
    """Four slots for two keys, both of which belong into the last one; what the file does not have ends there too."""
    keys = (b"key%d" % number for number in itertools.count())
    first, second, none = itertools.islice((key for key in keys if hash_of_cdb(key) & 0x3FF == 0x300), 3)
    write_cdb(tmp_path / "access.cdb", {first: b"1", second: b"2"})
    found = dbmopen(str(tmp_path / "access.cdb"), "r")
    assert (found[first], found[second]) == (b"1", b"2")
    with pytest.raises(KeyError):
        found[none]
    found.close()


def test_case_is_folded_as_maps_are_made(access: Path) -> None:
    # 1.0.5 looks up "SMTP-Auth!User@dom.com" only: None
    assert ask(access, "User@dom.com", "SMTP-Auth", "Mixed") == ["FOR USER", "FOLDED"]


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    (tmp_path / "access").write_bytes(b"p!caf\xe9@x  \xfc\n")
    assert ask(tmp_path / "access", "caf\udce9@x", "p") == ["\udcfc"]  # 1.0.5: UnicodeError


def test_no_map_no_policy() -> None:
    with MTAPolicy("user@dom.com", SimpleNamespace(access_file=None)) as policy:  # 1.0.5 needs access_file_nulls too
        assert policy.getPolicy("smtp-auth") is None


def test_another_map_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("p OTHER\n")
    conf = SimpleNamespace(access_file="/nonexistent", access_file_nulls=False)
    policy = MTAPolicy("User@DOM.com", conf, access_file=str(tmp_path / "other"))
    assert (policy.sender, policy.domain, policy.acf) == ("User@DOM.com", "dom.com", None)
    assert policy.getPolicy("p") == "OTHER"  # 1.0.5: None, outside of a with
    policy.close()
    policy.close()
    assert policy.acf is None


def test_a_map_that_is_not_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "milter.policy"), pytest.raises(FileNotFoundError):
        ask(tmp_path / "missing", "user@dom.com", "p")
    assert f"{tmp_path / 'missing'}: cannot open for reading" in caplog.text  # 1.0.5 prints it


def test_db(access: Path) -> None:
    for found in (dbmopen(str(access), "r"), DB()):
        if not hasattr(found, "f"):
            found.open(str(access), "r")
        assert b"FOR ALL" in (_get(found, b"smtp-auth!"), _get(found, b"smtp-auth!\0").removesuffix(b"\0"))
        with pytest.raises(KeyError):
            found[b"nope"]
        found.close()


def _get(found: DB, key: bytes) -> bytes:
    try:
        return found[key]
    except KeyError:
        return b""


def test_maps_are_only_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="opened with 'r'"):
        dbmopen(str(tmp_path / "new"), "n")


def test_what_is_missing_is_named(tmp_path: Path, berkeley: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_maps, "_ndbm", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    for package in ("berkeleydb", "bsddb3"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"access\.db is a Berkeley DB hash file.*pip install berkeleydb"):
        dbmopen(str(berkeley["hash"]), "r")


def test_postmaps_failure_is_told(tmp_path: Path, postmap: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_CONFIG", str(tmp_path / "nowhere"))
    with pytest.raises(OSError, match=r"postmap hash:x: .*main\.cf"):
        _maps._Postmap("hash:x").get(b"key")


def test_a_warning_of_postmap_is_no_failure(
    tmp_path: Path,
    postmap: None,
    berkeley: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\nmail_name = one\nmail_name = two\n")
    monkeypatch.setenv("MAIL_CONFIG", str(tmp_path))
    table = f"hash:{berkeley['hash'].with_suffix('')}"
    found = _maps._Postmap(table)
    assert found.get(b"smtp-auth!") == b"FOR ALL"
    assert found.get(b"nope") is None
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert f"postmap {table}: {tmp_path}/main.cf, line 3: overriding earlier entry: mail_name=one" in told
    assert len(told) == len(set(told)), "a warning is logged each time"


def test_a_key_is_one_line_for_postmap(postmap: None, berkeley: dict[str, Path]) -> None:
    found = _maps._Postmap(f"hash:{berkeley['hash'].with_suffix('')}")
    assert found.get(b"smtp-auth!") == b"FOR ALL"
    for key in (b"nope\nsmtp-auth!", b"smtp-auth!\0", b"", b"-x"):
        assert found.get(key) is None


@pytest.mark.parametrize("size", [0, 100, 2047])
def test_a_short_cdb_is_an_error(tmp_path: Path, size: int) -> None:
    (tmp_path / "access.cdb").write_bytes(b"\0" * size)
    with pytest.raises(OSError, match="too short"):
        dbmopen(str(tmp_path / "access.cdb"), "r")


def test_a_damaged_cdb_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "access.cdb").write_bytes(struct.pack("<II", 0xFFFFFF00, 7) * 256)
    found = dbmopen(str(tmp_path / "access.cdb"), "r")
    with pytest.raises(OSError, match="damaged"):
        found[b"key"]
    found.close()


def test_debians_python_reads_hash_files_by_itself(berkeley: dict[str, Path]) -> None:
    python = Path("/usr/bin/python3")
    if not python.exists():
        missing("there is no /usr/bin/python3: apt-get install python3-minimal")
    program = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("maps", sys.argv[1])
maps = importlib.util.module_from_spec(spec)
spec.loader.exec_module(maps)
if maps._ndbm() is None:
    sys.exit("dbm.ndbm is not built on Berkeley DB")
found = maps._Ndbm(maps._ndbm(), maps.Path(sys.argv[2]))
print(found.get(b"smtp-auth!\\0"), found.get(b"nope"))
found.close()
"""
    environment = {"PATH": "/usr/bin:/bin"}
    arguments = [str(python), "-c", program, _maps.__file__, str(berkeley["hash"])]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=environment, check=False)
    if "not built on Berkeley DB" in done.stderr:
        missing(f"{arguments[0]}: {done.stderr.strip()}")
    assert (done.stdout, done.stderr) == ("b'FOR ALL\\x00' None\n", "")


def test_berkeleydb_is_asked_first(berkeley: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the package berkeleydb, which needs libdb-dev to install."""
    calls: list[object] = []

    class FakeError(Exception):
        pass

    class FakeFile:
        def open(self, *arguments: object) -> None:
            calls.append(arguments)

        def get(self, key: bytes) -> bytes | None:
            if key == b"broken":
                raise FakeError("page 7")
            return {b"key": b"value"}.get(key)

        def close(self) -> None:
            calls.append("close")

    db = SimpleNamespace(DB=FakeFile, DBError=FakeError, DB_UNKNOWN=5, DB_RDONLY=1024)
    monkeypatch.setitem(sys.modules, "berkeleydb", SimpleNamespace(db=db))
    found = dbmopen(str(berkeley["hash"]), "r")
    assert found[b"key"] == b"value"
    with pytest.raises(KeyError):
        found[b"other"]
    with pytest.raises(OSError, match="cannot read the map: page 7"):
        found[b"broken"]
    found.close()
    assert calls == [(str(berkeley["hash"]), None, 5, 1024), "close"]


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        (b"a b\n\n  \nc  d e \n", {b"a": b"b", b"c": b"d e", b"": None}),
        (b"# x y\n#z y\na b\n", {b"#": None, b"x": None, b"#z": None, b"a": b"b"}),
        (b"A b\na c\n", {b"a": b"b", b"A": b"b"}),
        (b"a\nb c", {b"a": b"", b"b": b"c"}),
        (b"a b\n\tc\n  d\n  # no\ne f\n", {b"a": b"b\tc  d", b"e": b"f", b"d": None}),
        (b"a b\r\nc d\r\n", {b"a": b"b", b"c": b"d"}),
    ],
)
def test_lines_of_a_text(tmp_path: Path, text: bytes, entries: dict[bytes, bytes | None]) -> None:
    (tmp_path / "access").write_bytes(text)
    found = _maps.open_map(str(tmp_path / "access"))
    assert {key: found.get(key) for key in entries} == entries
    found.close()
    assert found.get(b"a") is None


def magic(kind: str, order: str = "<") -> bytes:
    return bytes(12) + struct.pack(f"{order}I", {"hash": 0x061561, "btree": 0x053162}[kind]) + bytes(100)


@pytest.mark.parametrize("kind", ["hash", "btree"])
def test_the_kind_of_a_file_is_seen_in_its_first_bytes(kind: str) -> None:
    for order in "<>":
        assert _maps._berkeley_kind(magic(kind, order)) == kind
        assert _maps._berkeley_kind(magic(kind, order)[:16]) == kind
        assert _maps._berkeley_kind(magic(kind, order)[:15]) is None
        assert _maps._berkeley_kind(b"x" + magic(kind, order)) is None
    assert _maps._berkeley_kind(b"") is None


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a package nor a program reads maps."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("berkeleydb", "bsddb3", "dbm.ndbm"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "access.db",
            magic("hash"),
            "access.db is a Berkeley DB hash file. To read it: pip install berkeleydb, or keep",
        ),
        (
            "access.db",
            magic("btree"),
            "access.db is a Berkeley DB btree file. To read it: pip install berkeleydb, or keep",
        ),
        ("access.lmdb", b"x", "access.lmdb is an LMDB file, which postmap reads: install postfix and postfix-lmdb"),
    ],
)
def test_what_reads_a_kind_is_named(
    tmp_path: Path, nothing_installed: None, name: str, content: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImportError) as raised:
        dbmopen(str(tmp_path / name), "r")
    assert str(raised.value).startswith(f"{tmp_path}/{told}")


@pytest.mark.parametrize(
    ("name", "content", "table"),
    [
        ("access.db", magic("hash"), "hash:access"),
        ("access.db", magic("btree"), "btree:access"),
        ("access.other", magic("btree"), None),
        ("access.lmdb", b"x", "lmdb:access"),
    ],
)
def test_postmap_reads_what_has_its_suffix(
    tmp_path: Path, nothing_installed: None, name: str, content: bytes, table: str | None
) -> None:
    (tmp_path / "postmap").write_text("#!/bin/sh\n")
    (tmp_path / "postmap").chmod(0o755)
    (tmp_path / name).write_bytes(content)
    if table is None:
        with pytest.raises(ImportError, match="Berkeley DB btree"):
            dbmopen(str(tmp_path / name), "r")
        return
    found = dbmopen(str(tmp_path / name), "r").f
    assert isinstance(found, _maps._Postmap)
    kind, _, path = table.partition(":")
    assert found._table == f"{kind}:{tmp_path}/{path}"


@pytest.mark.parametrize(
    ("kind", "name", "is_read"), [("hash", "a.db", True), ("btree", "a.db", False), ("hash", "a", False)]
)
@pytest.mark.parametrize("library", ["Berkeley DB 5.3.28", "GNU gdbm"])
def test_ndbm_reads_hash_files_if_it_is_berkeley_db(
    tmp_path: Path,
    nothing_installed: None,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    name: str,
    is_read: bool,
    library: str,
) -> None:
    opened: list[tuple[str, str]] = []

    def ndbm_open(path: str, mode: str) -> SimpleNamespace:
        opened.append((path, mode))
        return SimpleNamespace(get={b"key": b"value"}.get, close=lambda: opened.clear())

    monkeypatch.setitem(sys.modules, "dbm.ndbm", SimpleNamespace(library=library, open=ndbm_open))
    (tmp_path / name).write_bytes(magic(kind))
    if not is_read or "gdbm" in library:
        with pytest.raises(ImportError):
            dbmopen(str(tmp_path / name), "r")
        return
    found = dbmopen(str(tmp_path / name), "r")
    assert opened == [(str(tmp_path / "a"), "r")]
    assert found[b"key"] == b"value"
    with pytest.raises(KeyError):
        found[b"nope"]
    found.close()
    assert opened == []


def test_the_older_package_is_asked_next(
    tmp_path: Path, nothing_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OddError(Exception):
        pass

    class File:
        def open(self, *arguments: object) -> None:
            raise OddError("page 7")

    db = SimpleNamespace(DB=File, DBError=OddError, DB_UNKNOWN=5, DB_RDONLY=1024)
    monkeypatch.setitem(sys.modules, "bsddb3", SimpleNamespace(db=db))
    (tmp_path / "access.db").write_bytes(magic("hash"))
    with pytest.raises(OSError, match=r"^cannot open the map: page 7$"):
        dbmopen(str(tmp_path / "access.db"), "r")


def test_what_postmap_says_may_have_any_bytes(caplog: pytest.LogCaptureFixture) -> None:
    said = b"postmap: warning: odd \xff\n\n  \npostmap: fatal: \xe9 \nmore\n"
    assert _maps._faults("hash:odd", said) == "postmap: fatal: \ufffd; more"
    assert _maps._faults("hash:odd", said) == "postmap: fatal: \ufffd; more"
    assert caplog.messages == ["postmap hash:odd: odd \ufffd"]


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("read key; printf '%s\\tvalue\\twith tab\\n' $key", b"value\twith tab"),
        ("read key; printf 'key\\tx\\n\\n'", b"x\n"),
        ("exit 1", None),
        ("exit 0", None),
        ("exit 2", "postmap hash:x: ended with status 2"),
        ("echo no such table >&2; exit 1", "postmap hash:x: no such table"),
        ("echo postmap: warning: old >&2; read key; printf '%s\\tv\\n' $key", b"v"),
    ],
)
def test_what_postmap_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, found: bytes | str | None
) -> None:
    (tmp_path / "postmap").write_text(f'#!/bin/sh\n[ "$*" = "-q - hash:x" ] || exit 9\n{script}\n')
    (tmp_path / "postmap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    table = _maps._Postmap("hash:x")
    if isinstance(found, str):
        with pytest.raises(OSError) as raised:  # noqa: PT011 - its text is looked at
            table.get(b"key")
        assert str(raised.value) == found
    else:
        assert table.get(b"key") == found


def test_nulls_are_tried_first_only_if_the_program_says_so(tmp_path: Path) -> None:
    write_cdb(tmp_path / "access.cdb", {b"p": b"plain", b"p\0": b"with\0"})
    assert ask(tmp_path / "access.cdb", "a@b", "p") == ["plain"]
    assert ask(tmp_path / "access.cdb", "a@b", "p", nulls=True) == ["with"]


def test_a_cdb_has_values_of_any_length_and_keys_of_one_hash(tmp_path: Path) -> None:
    keys = {b"key%d" % number: b"v" * number for number in range(300)}
    write_cdb(tmp_path / "access.cdb", {**keys, b"": b"empty"})
    found = _maps.open_map(str(tmp_path / "access.cdb"))
    assert all(found.get(key) == value for key, value in keys.items())
    assert found.get(b"") == b"empty"
    assert [found.get(b"key%d" % number) for number in range(300, 600)] == [None] * 300
    found.close()
    with pytest.raises(ValueError, match="closed"):
        found.get(b"key1")
