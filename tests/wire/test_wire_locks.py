"""Calls that wait for the peer hold up no other connection, and their own answer until they are over."""

from __future__ import annotations

import pytest

from pymilter.testing import AddHeader, Client, ReplaceBody, Verdict
from pymilter.testing._constants import Command
from support.wire import Start, WireFilter, eventually, message

SIZE = 50_000_000  # more than any socket takes without a reader

BLOCKED = f"""
    import threading
    inside, go = threading.Event(), threading.Event()
    class Filter(Base):
        def hello(self, hostname):
            if hostname == "go":
                go.set()
            elif hostname == "inside":
                assert inside.wait(20)
            return REJECT
        def eom(self):
            thread = threading.Thread(target=self.replace)
            {{begin}}
            return ACCEPT
        def replace(self):
            inside.set()
            self.replacebody(b"x" * {SIZE})
            note("replaced")
"""


def end_message(client: Client) -> None:
    """Send a message up to its end, and do not read the answer to that."""
    client.connect()
    client.mail("<>")
    client.rcpt("<b@x>")
    client.eoh()
    client._dialogue.send(Command.EOM, b"")


def ask(process: WireFilter, word: str) -> Verdict:
    """Say HELO on another connection."""
    with Client(process.address) as client:
        client.connect()
        return client.helo(word).verdict


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_a_peer_that_does_not_read_holds_up_no_other_connection(start: Start, kind: str) -> None:
    process = start(BLOCKED.format(begin="self.replace()"), kind=kind)
    with Client(process.address) as client:
        end_message(client)
        for _ in range(3):
            assert ask(process, "inside") is Verdict.REJECT
        assert process.seen() == []  # it waits for the peer all the while
        assert read_to_the_end(client) == (SIZE, b"a")


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_the_answer_waits_for_a_call_that_another_thread_makes(start: Start, kind: str) -> None:
    begin = "thread.start(); assert go.wait(20)"
    process = start(BLOCKED.format(begin=begin), kind=kind)
    with Client(process.address) as client:
        end_message(client)
        eventually(client._dialogue.channel.pending, bool)  # the thread is in its call, which takes more than has room
        ask(process, "go")  # the handler returns, while its thread is still inside the call
        ask(process, "other")
        assert read_to_the_end(client) == (SIZE, b"a")
    assert process.wait_for(lambda seen: seen) == [("replaced",)]


def test_a_child_that_is_forked_during_such_a_call_ends(start: Start) -> None:
    """The thread that makes the call is not there in the child, and leaves it no lock to wait for."""
    begin = """thread.start(); assert go.wait(20)
            if (child := os.fork()) == 0:
                note("queue id", self.getsymval("i"))
                return ACCEPT
            note("ended", os.waitpid(child, 0)[1])"""
    process = start("    import os" + BLOCKED.format(begin=begin))
    with Client(process.address) as client:
        end_message(client)
        eventually(client._dialogue.channel.pending, bool)
        ask(process, "go")
        assert process.wait_for(lambda seen: len(seen) == 2) == [("queue id", None), ("ended", 0)]
        assert read_to_the_end(client) == (SIZE, b"a")


def read_to_the_end(client: Client) -> tuple[int, bytes]:
    """The size of the body that comes, and the answer behind it."""
    size = 0
    while (packet := client._dialogue.channel.receive("EOM"))[0] == b"b":
        size += len(packet[1])
    return size, packet[0]


def test_edits_from_many_threads_after_a_body(start: Start) -> None:
    # Under ThreadSanitizer (scripts/check-native tsan) this shows edits that are kept without the lock.
    process = start("""
        import threading
        class Filter(Base):
            def eom(self):
                self.replacebody(b"x")
                threads = [threading.Thread(target=self.add, args=(str(number),)) for number in range(4)]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                return ACCEPT
            def add(self, name):
                for number in range(200): self.addheader("X-" + name, str(number))
    """)
    with Client(process.address) as client:
        client.connect()
        edits = message(client)["eom"].edits
    assert edits[0] == ReplaceBody(b"x")
    for name in range(4):
        own = [edit for edit in edits if isinstance(edit, AddHeader) and edit.name == f"X-{name}"]
        assert own == [AddHeader(f"X-{name}", str(number)) for number in range(200)]
    assert len(edits) == 801


PROGRESS = """
    import os, socket, stat
    def corked():
        found = set()
        for name in os.listdir("/proc/self/fd"):
            try:
                if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                    continue
                one = socket.socket(fileno=os.dup(int(name)))
                one.getpeername()
                found.add(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK))
            except OSError:
                pass
        return max(found)
    class Filter(Base):
        def eom(self):
            self.addheader("A", "b")
            note(corked())
            self.progress()
            note(corked())
            self.addheader("C", "d")
            note(corked())
            return ACCEPT
"""


def test_progress_does_not_wait_with_the_edits(start: Start) -> None:
    process = start(PROGRESS, kind="inet")
    with Client(process.address) as client:
        client.connect()
        answer = message(client)["eom"]
    assert (answer.progress, len(answer.edits)) == (1, 2)
    assert process.seen() == [(1,), (0,), (1,)]
