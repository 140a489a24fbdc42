"""What is found when a class is read: an error from run() and Server, a warning from the classic runmilter."""

from __future__ import annotations

import pytest

from pymilter.testing import Client, Verdict
from support.wire import Script, Start, message

FAULTS = {
    "async def eom(self): pass": "Gate.eom is async: a handler must be a plain method, async ones are not",
    "async def header(self, name, value): yield": "Gate.header is async",
    "def eom(self): yield": "Gate.eom has a yield in it: calling it would run none of its code",
    "def header(self, name): pass": "Gate.header cannot be called as it will be: header(name, value)",
    "def header(self, a, b, c): pass": "Gate.header cannot be called as it will be: header(name, value)",
    "def header(self, a, b, *, c): pass": "Gate.header cannot be called as it will be: header(name, value)",
    "def connect(self, host): pass": "cannot be called as it will be: connect(hostname, family, hostaddr)",
    "def hello(self): pass": "cannot be called as it will be: hello(hostname)",
    "def hello(hostname): pass": "cannot be called as it will be: hello(hostname)",
    "def envfrom(self): pass": "cannot be called as it will be: envfrom(mailfrom, *params)",
    "def envrcpt(self, to, notify): pass": "cannot be called as it will be: envrcpt(to, *params)",
    "def envfrom_bytes(self, a): pass": "cannot be called as it will be: envfrom_bytes(address, *params)",
    "def data(self, x): pass": "cannot be called as it will be: data()",
    "def unknown(self): pass": "cannot be called as it will be: unknown(command)",
    "def eoh(self, x): pass": "cannot be called as it will be: eoh()",
    "def body(self): pass": "cannot be called as it will be: body(chunk)",
    "def eom(self, x): pass": "cannot be called as it will be: eom()",
    "def abort(self, x): pass": "cannot be called as it will be: abort()",
    "def close(self, x): pass": "cannot be called as it will be: close()",
    "def negotiate(self): pass": "cannot be called as it will be: negotiate(opts)",
    "def begin_message(self, sender): pass": "cannot be called as it will be: begin_message()",
    "@staticmethod\ndef hello(): pass": "cannot be called as it will be: hello(hostname)",
    "@classmethod\ndef hello(cls): pass": "cannot be called as it will be: hello(hostname)",
    "body = None": "Gate.body is NoneType: this name is that of a handler, which must be a method",
    "data = {}": "Gate.data is dict: this name is that of a handler",
    "import functools\nheader = functools.partialmethod(lambda self, x, name: None, 1)": "Gate.header cannot be called",
    "import functools\nenvfrom = functools.partialmethod(lambda self, x: None, 1)": "envfrom(mailfrom, *params)",
    "class C:\n    async def __call__(self): pass\neom = C()": "Gate.eom is async",
    "class C:\n    def __call__(self): pass\nhello = C()": "cannot be called as it will be: hello(hostname)",
    "import functools\nasync def f(self, x): pass\neom = functools.partialmethod(f, 1)": "Gate.eom is async",
    "import functools\nasync def f(x): pass\neom = functools.partial(f, 1)": "Gate.eom is async",
    "@passing\nasync def eom(self): pass": "Gate.eom is async",
    "@passing\n@passing\nasync def eom(self): pass": "Gate.eom is async",
    "__slots__ = ('data',)": "Gate.data is member_descriptor: this name is that of a handler",
}
RIGHT = [
    "def header(self, *args): pass",
    "def header(self, name, value, more=None, *, key=1): pass",
    "@staticmethod\ndef header(name, value): pass",
    "@classmethod\ndef header(cls, name, value): pass",
    "import functools\nheader = functools.partialmethod(lambda self, x, name, value: None, 1)",
    "@nocallback\ndef header(self, name): pass",
    "def envfrom(self, mailfrom): pass",
    "def envfrom(self, mailfrom, size=None, body=None): pass",
    "def envfrom(self, *args, **kwargs): pass",
    "def hello(self, name: 'Unknown') -> 'NoSuch': pass",
    "log = None",
    "body = property(lambda self: 1)",
    "import functools\nbody = functools.cached_property(lambda self: 1)",
    "@running\nasync def eom(self): pass",
    "import functools\nenvfrom = functools.partialmethod(lambda self, x, mailfrom: None, 1)",
    "import functools\nheader = functools.partialmethod(lambda self, name, value, x: None, x=1)",
    "import functools\neom = functools.partialmethod(staticmethod(lambda x: None), 1)",
    "import functools\neom = functools.partialmethod(classmethod(lambda cls, x: None), 1)",
]
NEAR_MISSES = {
    "helo": "hello",
    "ehlo": "hello",
    "mailfrom": "envfrom",
    "mail_from": "envfrom",
    "env_from": "envfrom",
    "rcpt": "envrcpt",
    "rcpt_to": "envrcpt",
    "end_of_message": "eom",
    "endOfHeaders": "eoh",
    "bdy": "body",
    "headers": "header",
    "Header": "header",
    "on_close": "close",
    "on_eom": "eom",
    "xxfi_body": "body",
    "eob": "eom",
    "rset": "abort",
    "recipient": "envrcpt",
    "haeder": "header",
    "headr": "header",
    "conect": "connect",
    "envfrm": "envfrom",
    "unkmown": "unknown",
    "_helo": None,
    "connected": "connect",
    "scan": None,
    "begin_mesage": "begin_message",
}
RUN = """
    import asyncio, functools, textwrap
    def passing(function):
        @functools.wraps(function)
        def wrapper(*arguments):
            print("a call")
            return function(*arguments)
        return wrapper
    def running(function):
        @functools.wraps(function)
        def wrapper(*arguments):
            return asyncio.run(function(*arguments))
        return wrapper
    def made(lines):
        names = dict(globals())
        exec("class Gate(Base):\\n" + textwrap.indent(lines, "    "), names)
        return names["Gate"]
    class Fallen(Exception): pass
    def main(address):
        for lines in {lines}:
            for begin in (run, Server):
                try:
                    begin(made(lines), "unix:/no/such/folder/s")
                except TypeError as error:
                    note(lines, str(error))
                except OSError:
                    note(lines, "began")
"""


def test_faults_are_found_at_the_start(script: Script) -> None:
    done = script(RUN.format(lines=[*FAULTS]))
    assert len(done.seen) == 2 * len(FAULTS)
    for lines, told in done.seen:
        assert FAULTS[lines] in told, lines


def test_what_can_be_called_is_let_through(script: Script) -> None:
    done = script(RUN.format(lines=RIGHT))
    assert done.seen == [(lines, "began") for lines in RIGHT]
    assert "WARNING" not in done.stderr


def test_near_misses_are_warned_of(script: Script) -> None:
    done = script(RUN.format(lines=[f"def {name}(self, *args): pass" for name in NEAR_MISSES]))
    told = [line for line in done.stderr.splitlines() if line.startswith("WARNING:pymilter:")]
    wanted = [
        f"WARNING:pymilter:Gate.{name} is no event and is never called: did you mean {meant}?"
        for name, meant in NEAR_MISSES.items()
        if meant
    ]
    assert sorted(told) == sorted(wanted * 2)  # each class is made twice


def test_a_near_miss_beside_the_right_one_is_fine(script: Script) -> None:
    done = script(RUN.format(lines=["def header(self, n, v): pass\ndef headers(self): pass"]))
    assert "WARNING" not in done.stderr


def test_factories(script: Script) -> None:
    done = script("""
        import functools
        class Other: pass
        class Bad(Base):
            def eom(self, x): pass
        def main(address):
            for factory in (Other, functools.partial(Other), functools.partial(functools.partial(Bad))):
                try:
                    Server(factory, address)
                except TypeError as error:
                    note(str(error))
            for mode in ("0660", 6.0):
                try:
                    Server(Base, address, socket_mode=mode)
                except TypeError as error:
                    note(str(error))
            for wrong in ("inet:127.0.0.1:8890", "127.0.0.1:8890", "inet6:[::1]:25", "inet:::1:25", "localhost:25"):
                try:
                    Server(Base, wrong)
                except ValueError as error:
                    note(str(error))
            for code, *more in [("550",), (True,), (550.0,), (550, 571), (550, "5.7.1", b"x")]:
                try:
                    Reject(code, *more)
                except TypeError as error:
                    note(str(error))
    """)
    assert [values[0] for values in done.seen] == [
        "factory is the class Other: it must be derived from pymilter.Base",
        "factory is the class Other: it must be derived from pymilter.Base",
        "Bad.eom cannot be called as it will be: eom()",
        "socket_mode is '0660': it must be an int from 0 to 0o777, such as 0o660, or None",
        "socket_mode is 6.0: it must be an int from 0 to 0o777, such as 0o660, or None",
        "socket is 'inet:127.0.0.1:8890': write inet:8890@127.0.0.1",
        "socket is '127.0.0.1:8890': '127.0.0.1' is no kind of socket; write inet:8890@127.0.0.1",
        "socket is 'inet6:[::1]:25': write inet6:25@::1",
        "socket is 'inet:::1:25': write inet6:25@::1",
        "socket is 'localhost:25': 'localhost' is no kind of socket; write inet:25@localhost",
        'reply code is a str: it must be an int, as in Reject(550, "5.7.1", "text")',
        'reply code is a bool: it must be an int, as in Reject(550, "5.7.1", "text")',
        'reply code is a float: it must be an int, as in Reject(550, "5.7.1", "text")',
        "enhanced status code is a int: it must be a str or None",
        "reply text is a bytes: each line must be a str",
    ]


FACTORIES = {
    "Frozen": "Frozen is frozen: pymilter sets attributes of each object",
    "NeedsOne": "NeedsOne.__init__ needs 1 argument: it is called without arguments, unless functools.partial(NeedsOne",
    "NeedsKeyword": "NeedsKeyword.__init__ needs path=: it is called without arguments",
    "functools.partial(NeedsTwo, 1)": "NeedsTwo.__init__ needs 1 argument",
    "functools.partial(NeedsTwo, 1, 2, 3)": "NeedsTwo.__init__ does not take what functools.partial gives",
    "functools.partial(NeedsTwo, 1, 2, c=3)": "NeedsTwo.__init__ does not take what functools.partial gives",
    "MakesNew": "MakesNew.__new__ needs 2 arguments",
    "Abstract": "Abstract is abstract: it lacks eom",
    "lambda context: Plain()": "needs 1 argument: it is called without arguments",
    "afactory": "factory afactory is async: it must be a class or a plain function that returns an object",
    "yields": "factory yields has a yield in it: it must return an object",
    "NeedsTwo(1, 2).make": "factory NeedsTwo.make needs 1 argument",
}
RIGHT_FACTORIES = [
    *(
        "Plain",
        "functools.partial(NeedsTwo, 1, 2)",
        "functools.partial(NeedsTwo, 1, b=2)",
        "functools.partial(NeedsOne, a=1)",
    ),
    *("functools.partial(NeedsKeyword, path='/')", "TakesAny", "lambda x=1: Plain()", "dataclasses.dataclass(Data)"),
    *("NeedsTwo(1, 2).give", "ThawedAgain", "Concrete", "Metaclassed", "dataclasses.dataclass(slots=True)(Slotted)"),
]
FACTORY_CLASSES = """
        import abc, dataclasses, functools
        class Plain(Base): pass
        @dataclasses.dataclass(frozen=True)
        class Frozen(Base): pass
        class ThawedAgain(Frozen): pass
        class Data(Base): pass
        class Slotted(Base):
            number: int = 1
        class NeedsOne(Base):
            def __init__(self, a): pass
        class NeedsTwo(Base):
            def __init__(self, a, b): pass
            def make(self, x): return Plain()
            def give(self): return Plain()
        class NeedsKeyword(Base):
            def __init__(self, *, path): pass
        class TakesAny(Base):
            def __init__(self, *args, a=1, **kwargs): pass
        class MakesNew(Base):
            def __new__(cls, a, b): return super().__new__(cls)
        class Abstract(Base, abc.ABC):
            @abc.abstractmethod
            def eom(self): pass
        class Concrete(Abstract):
            def eom(self): pass
        class Meta(type):
            def __call__(cls): return super().__call__(1)
        class Metaclassed(Base, metaclass=Meta):
            def __init__(self, a): pass
        async def afactory(): return Plain()
        def yields(): yield Plain()
"""


def test_what_could_make_no_object_is_found_at_the_start(script: Script) -> None:
    done = script(f"""{FACTORY_CLASSES}
        def main(address):
            for text in {[*FACTORIES, *RIGHT_FACTORIES]}:
                for begin in (run, Server):
                    try:
                        begin(eval(text), "unix:/no/such/folder/s")
                        note(text, "began")
                    except TypeError as error:
                        note(text, str(error))
                    except OSError:
                        note(text, "began")
    """)
    assert len(done.seen) == 2 * len(FACTORIES) + 2 * len(RIGHT_FACTORIES)
    for text, told in done.seen:
        assert FACTORIES.get(text, "began") in told, (text, told)


def test_what_could_make_no_object_is_warned_of_in_a_classic_program(start: Start) -> None:
    process = start("""
        import Milter
        class Gate(Milter.Base):
            def __init__(self, path): pass
        Milter.factory = Gate
        def main(address):
            Milter.runmilter("gate", address)
    """)
    with Client(process.address) as client:
        assert client.connect().code == 451
    assert "WARNING:pymilter:Gate.__init__ needs 1 argument" in process.stderr


HANDLERS = {
    "property": """
        @property
        def envfrom(self): return lambda mailfrom, *params: note("envfrom", mailfrom, params)
    """,
    "partialmethod": """
        def any_event(self, mark, mailfrom): note("envfrom", mailfrom, (mark,))
        envfrom = functools.partialmethod(any_event, "SIZE=9")
    """,
    "staticmethod": """
        @staticmethod
        def envfrom(mailfrom, *params): note("envfrom", mailfrom, params)
    """,
    "classmethod": """
        @classmethod
        def envfrom(cls, mailfrom, *params): note("envfrom", mailfrom, params)
    """,
    "partial": """
        envfrom = functools.partial(lambda mark, mailfrom, size=None: note("envfrom", mailfrom, (size,)), 1)
    """,
    "an object": """
        class C:
            def __call__(self, mailfrom, *params): note("envfrom", mailfrom, params)
        envfrom = C()
    """,
}


@pytest.mark.parametrize("kind", HANDLERS)
def test_a_handler_may_be_any_attribute_that_can_be_called(start: Start, kind: str) -> None:
    process = start("import functools\nclass Filter(Base):" + HANDLERS[kind])
    with Client(process.address) as client:
        client.connect()
        assert client.mail("<a@example.org>", "SIZE=9").verdict is Verdict.CONTINUE
    assert process.seen() == [("envfrom", "<a@example.org>", ("SIZE=9",))]


def test_marks_count_on_every_kind_of_method(script: Script) -> None:
    done = script("""
        import functools
        from functools import partialmethod
        def gives_none(self, x, name, value) -> None: pass
        def header(self, x, name, value): pass
        class A(Base):
            header = partialmethod(gives_none, 1)
        class B(Base):
            header = noreply(partialmethod(header, 1))
        class C(Base):
            header = partialmethod(noreply(header), 1)
        class D(Base):
            @noreply
            @staticmethod
            def header(name, value): pass
        class E(Base):
            @noreply
            @classmethod
            def header(cls, name, value): pass
        class F(Base):
            header = partialmethod(lambda self, x, name, value: None, 1)
        def main(address):
            for klass in (A, B, C, D, E, F):
                note(klass.__name__, bool(klass.protocol_mask() & Protocol.NR_HDR))
    """)
    assert done.seen == [*((name, False) for name in "ABCDE"), ("F", True)]


@pytest.mark.parametrize("lines", ["def eom(self, x): pass", "async def eom(self): pass"])
def test_a_class_that_a_function_brings_is_checked_when_it_comes(start: Start, lines: str) -> None:
    process = start(f"""
        class Gate(Base):
            {lines}
        def Filter(): return Gate()
    """)
    for _ in range(2):
        with Client(process.address) as client:
            assert client.connect().code == 451
    assert process.stderr.count("TypeError: Gate.eom ") == 2


CLASSIC = """
    import Milter
    class Gate(Milter.Base):
        def header(self, name): note("header")
        def helo(self, name): note("helo")
        def begin_message(self, sender): note("begin_message")
        def envfrom(self, mailfrom, *params): note("envfrom")
        def eom(self):
            note("eom")
            return Milter.ACCEPT
    Milter.factory = {factory}
    def main(address):
        Milter.runmilter("gate", address)
"""


@pytest.mark.parametrize("factory", ["Gate", "lambda: Gate()"])
def test_a_classic_program_is_warned_and_starts(start: Start, factory: str) -> None:
    process = start(CLASSIC.format(factory=factory))
    for _ in range(2):
        with Client(process.address) as client:
            client.connect()
            assert client.play(b"\r\nx\r\n").verdict is Verdict.ACCEPT
            assert message(client)["header"].code == 451
    assert [values[0] for values in process.seen()] == ["envfrom", "eom", "envfrom"] * 2
    told = [line for line in process.stderr.splitlines() if line.startswith("WARNING:pymilter:Gate")]
    assert told == [
        "WARNING:pymilter:Gate.header cannot be called as it will be: header(name, value)",
        "WARNING:pymilter:Gate.begin_message cannot be called as it will be: begin_message()",
        "WARNING:pymilter:Gate.helo is no event and is never called: did you mean hello?",
    ]


def test_a_classic_factory_that_is_no_base_starts_too(start: Start) -> None:
    process = start("""
        import Milter
        class Other: pass
        Milter.factory = Other
        def main(address):
            Milter.runmilter("gate", address)
    """)
    with Client(process.address) as client:
        assert client.connect().code == 451
    assert "factory is the class Other: it must be derived from Milter.Base" in process.stderr


def test_class_decorators_do_not_fit_methods(script: Script) -> None:
    done = script("""
        def main(address):
            for decorator in (rejected_recipients, header_leading_space, lambda method: enable_protocols(method, 1)):
                try:
                    class Gate(Base):
                        @decorator
                        def header(self, name, value): pass
                except TypeError as error:
                    note(str(error))
            for decorator in (noreply, nocallback, symlist("i"), decode("bytes")):
                try:
                    @decorator
                    class Gate(Base): pass
                except ValueError as error:
                    note(str(error).split(":")[0])
    """)
    fits = "it is for a class, derived from Base, and not for a method"
    names = ("@rejected_recipients", "@header_leading_space", "enable_protocols")
    assert [values[0] for values in done.seen] == [
        *(f"{name} does not fit header: {fits}" for name in names),
        *(f"@{name} does not fit Gate" for name in ("noreply", "nocallback", "symlist", "decode")),
    ]
