"""Server: starting, its address, one run a process, and a socket that cannot be had."""

from __future__ import annotations

import errno

import pytest

from support.wire import Script


def test_a_second_run_is_an_error(script: Script) -> None:
    done = script("""
        import os, threading
        from pathlib import Path
        def attempt(address):
            try:
                run(Base, address)
            except MilterError as error:
                note("MilterError", str(error))
        def main(address):
            first = threading.Thread(target=run, args=(Base, address))
            first.start()
            path = Path(address[5:])
            while not path.exists():
                pass
            attempt(address + ".2")
            stop()
            first.join()
            attempt(address)
            note("files", os.listdir(path.parent))
    """)
    message = "a filter is registered already: there is one filter in a process"
    assert done.seen == [("MilterError", message), ("MilterError", message), ("files", [])]
    assert done.returncode == 0, done.stderr


def test_server_as_a_context_manager(script: Script) -> None:
    done = script("""
        import os
        from pymilter.testing import send_message
        def attempt(function):
            try:
                note(function())
            except MilterError as error:
                note(str(error))
        def main(address):
            server = Server(Base, address, name="named", timeout=30, backlog=5)
            attempt(lambda: server.address)
            with server as same:
                note(server.address == address, same is server)
                note(send_message(address, b"A: b\\r\\n\\r\\nx\\r\\n").delivered)
            note(os.path.exists(address[5:]))
            server.stop()
            attempt(server.start)
            note(server.address == address)
    """)
    assert done.seen == [
        ("the filter has not been started",),
        (True, True),
        (True,),
        (False,),
        ("a filter is registered already: there is one filter in a process",),
        (True,),
    ]
    assert done.returncode == 0, done.stderr


def test_server_is_stopped_when_its_block_fails(script: Script) -> None:
    done = script("""
        import os
        from pymilter.testing import send_message
        def main(address):
            try:
                with Server(Base, address):
                    send_message(address, b"A: b\\r\\n\\r\\nx\\r\\n")
                    raise LookupError
            except LookupError:
                note(os.path.exists(address[5:]))
    """)
    assert done.seen == [(False,)]
    assert done.returncode == 0, done.stderr


def test_request_stop_ends_a_wait(script: Script) -> None:
    done = script("""
        import threading
        def main(address):
            with Server(Base, address) as server:
                threading.Timer(0.1, server.request_stop).start()
                server.wait()
                note("waited")
    """)
    assert done.seen == [("waited",)]


@pytest.mark.parametrize(
    ("asked", "host"),
    [
        ("inet:0@127.0.0.1", "127.0.0.1"),
        ("inet:0@localhost", "127.0.0.1"),
        ("inet6:0@::1", "::1"),
        ("inet6:0@[::1]", "::1"),
        ("inet:0", "0.0.0.0"),
        ("inet6:0@", "::"),
    ],
)
def test_port_0_takes_any_free_port(script: Script, asked: str, host: str) -> None:
    done = script(f"""
        from pymilter.testing import send_message
        def main(address):
            with Server(Base, {asked!r}) as server:
                kind, _, rest = server.address.partition(":")
                port, _, host = rest.partition("@")
                note(kind, int(port) > 0, host)
                there = {{"0.0.0.0": "127.0.0.1", "::": "::1"}}.get(host, host)
                note(send_message(f"{{kind}}:{{port}}@{{there}}", b"A: b\\r\\n\\r\\nx\\r\\n").delivered)
    """)
    assert done.seen == [(asked.partition(":")[0], True, host), (True,)]
    assert done.returncode == 0, done.stderr


BAD = """
    import errno, os, socket
    from pathlib import Path
    def main(address):
        path = Path(address[5:])
        {before}
        try:
            run(Base, {address})
        except (OSError, ValueError) as error:
            note(type(error).__name__, getattr(error, "errno", None), str(error))
        {after}
"""


def attempt(script: Script, address: str, before: str = "pass", after: str = "pass") -> tuple[str, int | None, str]:
    done = script(BAD.format(address=address, before=before, after=after))
    assert done.returncode == 0, done.stderr
    [(kind, code, text)] = done.seen
    return kind, code, text


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("''", "the path is missing"),
        ("'unix:'", "the path is missing"),
        ("'inet:'", "'' is neither a port nor the name of a service"),
        ("'inet:70000@127.0.0.1'", "a port is at most 65535"),
        ("'inet:-1@127.0.0.1'", "'-1' is neither a port nor the name of a service"),
        ("'tcp:25@127.0.0.1'", "'tcp' is no kind of socket"),
        ("address + '\\0'", "null"),
    ],
)
def test_an_address_that_is_none(script: Script, address: str, reason: str) -> None:
    kind, _, text = attempt(script, address)
    assert kind == "ValueError"
    assert reason in text


@pytest.mark.parametrize(
    ("address", "before", "code", "reason"),
    [
        ("f'unix:{path}/no/such/folder'", "pass", errno.ENOENT, "No such file or directory"),
        ("'unix:' + 'x' * 108", "pass", errno.ENAMETOOLONG, "longer than 107 bytes"),
        ("address", "path.write_text('kept')", errno.ENOTSOCK, "the file there is not a socket"),
        ("address", "path.mkdir()", errno.ENOTSOCK, "the file there is not a socket"),
        ("address", "s = socket.socket(socket.AF_UNIX); s.bind(str(path)); s.listen()", errno.EADDRINUSE, "serves it"),
        (
            "f'inet:{s.getsockname()[1]}@127.0.0.1'",
            "s = socket.create_server(('127.0.0.1', 0))",
            errno.EADDRINUSE,
            "in use",
        ),
        ("'inet:0@192.0.2.1'", "pass", errno.EADDRNOTAVAIL, "annot assign requested address"),
        ("'inet:0@no-such-host.invalid'", "pass", errno.EADDRNOTAVAIL, "cannot listen on inet:0@no-such-host.invalid"),
    ],
)
def test_a_socket_that_cannot_be_had(script: Script, address: str, before: str, code: int, reason: str) -> None:
    kind, number, text = attempt(script, address, before)
    assert kind != "ValueError"
    assert number == code
    assert reason in text
    assert "cannot listen on" in text


def test_what_is_in_the_way_stays(script: Script) -> None:
    done = script("""
        import os
        from pathlib import Path
        def main(address):
            path = Path(address[5:])
            path.write_text("kept")
            try:
                run(Base, address)
            except OSError:
                note(path.read_text())
    """)
    assert done.seen == [("kept",)]


def test_a_stale_socket_is_replaced(script: Script) -> None:
    done = script("""
        import socket
        from pymilter.testing import send_message
        def main(address):
            old = socket.socket(socket.AF_UNIX)
            old.bind(address[5:])
            old.listen()
            old.close()
            with Server(Base, address):
                note(send_message(address, b"A: b\\r\\n\\r\\nx\\r\\n").delivered)
    """)
    assert done.seen == [(True,)]
    assert done.returncode == 0, done.stderr


def test_the_socket_of_another_filter_is_left_alone_at_the_end(script: Script) -> None:
    done = script("""
        import os, socket
        from pymilter.testing import send_message
        def main(address):
            with Server(Base, address):
                send_message(address, b"A: b\\r\\n\\r\\nx\\r\\n")
                os.unlink(address[5:])
                other = socket.socket(socket.AF_UNIX)
                other.bind(address[5:])
                other.listen()
            note(os.path.exists(address[5:]))
    """)
    assert done.seen == [(True,)]


def test_the_mode_of_the_socket_is_the_umasks(script: Script) -> None:
    done = script("""
        import os
        def main(address):
            os.umask(0o027)
            with Server(Base, address):
                note(oct(os.stat(address[5:]).st_mode & 0o777))
    """)
    assert done.seen == [("0o750",)]


def test_no_process_started_meanwhile_holds_the_socket(script: Script) -> None:
    done = script("""
        import socket, subprocess
        from pymilter.testing import send_message
        def main(address):
            with Server(Base, "inet:0@127.0.0.1") as server:
                send_message(server.address, b"A: b\\r\\n\\r\\nx\\r\\n")
                port = int(server.address[5:].partition("@")[0])
                child = subprocess.Popen(["sleep", "20"], close_fds=False)
            again = socket.create_server(("127.0.0.1", port), reuse_port=False)
            child.kill()
            child.wait()
            note("free again")
    """)
    assert done.seen == [("free again",)]
