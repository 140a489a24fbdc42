"""The stubs tell the truth: mypy.stubtest, our own comparison with what pybind11 says, and names equal everywhere."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import pymilter
import pymilter._core
import pymilter.testing  # noqa: F401 - asked for by its name
from meta.stubs import stub_faults
from pymilter import _constants

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "pymilter"

# As the command line of stubtest, but of the modules named only, and in as few words as can be.
STUBTEST = """
import sys
from mypy import stubtest
from mypy.options import Options
options = Options()
options.incremental = False
options.mypy_path = [sys.argv[1]]
errors = [
    error
    for module in stubtest.build_stubs(sys.argv[2:], options)
    for error in stubtest.test_module(module)
    if not error.is_private_type_check_only_related()
]
print("".join(error.get_description(concise=True) + "\\n" for error in errors), end="")
sys.exit(bool(errors))
"""


def stubtest(path: Path, folder: Path, *modules: str) -> str:
    """What stubtest says of modules and their stubs, or their own types, under `path`; no allowlist."""
    done = subprocess.run(
        [sys.executable, "-c", STUBTEST, path, *modules],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def stub(name: str) -> str:
    return (PACKAGE / name).read_text("utf-8")


def test_stubtest(tmp_path: Path) -> None:
    all_of_pymilter = [name for _, name, _ in pkgutil.walk_packages(pymilter.__path__, "pymilter.")]
    assert len(all_of_pymilter) > 50
    assert stubtest(ROOT / "python", tmp_path, "pymilter", *all_of_pymilter, "milter", "Milter", "mime") == ""


def test_stubtest_sees_faults(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(PACKAGE, tmp_path / "pymilter", ignore=shutil.ignore_patterns("__pycache__")))
    core = stub("_core.pyi")
    assert "def getpriv(self)" in core
    (copy / "_core.pyi").write_text(core.replace("def getpriv(self)", "def get_priv(self)"))
    init, constants = stub("__init__.pyi"), stub("_constants.py")
    assert "    stop,\n" in init
    (copy / "__init__.pyi").write_text(init.replace("    stop,\n", ""))
    (copy / "_constants.py").write_text(constants.replace('    "DISCARD",\n', ""))
    told = stubtest(tmp_path, tmp_path, "pymilter", "pymilter._core")
    for fault in (
        "Context.get_priv is not present at runtime",
        "Context.getpriv is not present in stub",
        "pymilter.__all__ names exported from the stub do not correspond",
        "pymilter.stop is not present in stub",
        "pymilter.DISCARD is not present in stub",
    ):
        assert fault in told


def test_core_stub_says_what_cpp_says() -> None:
    assert stub_faults(stub("_core.pyi"), pymilter._core) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("def getpriv(self)", "def get_priv(self)", "Context.get_priv is in the stub only"),
        ("def version()", "def libversion()", "version is at run time only"),
        (
            "name: str) -> str | None:",
            "name: str) -> str:",
            "Context.getsymval (its result): str in the stub, str | None in C++",
        ),
        ("def id(self) -> int", "def id(self) -> str", "Context.id (its type): str in the stub, int in C++"),
        ("    @property\n    def id", "    def id", "Context.id is a property at run time"),
        ("(self, field: str | bytes, value", "(self, name: str | bytes, value", "Context.addheader: args"),
        ("idx: int = -1", "idx: int = 0", "Context.addheader: defaults"),
        ("idx: int = -1", "idx: str = -1", "Context.addheader(idx): str in the stub, int in C++"),
        (", *macros: str | bytes", "", "Context.setsymlist: only one of stub and run time has *arguments"),
        ("def start(self, descriptor: int, *, ", "def start(self, descriptor: int, ", "Service.start: args"),
        ("def wait(self, seconds: float | None)", "def wait(self, seconds: float)", "Service.wait(seconds): float in"),
        ("-> tuple[int, int, int]", "-> tuple[int, int]", "version (its result): tuple[int, int] in the stub"),
        ("def connections() -> tuple[int, int]", "def connections() -> list[int]", "connections (its result)"),
        ("-> tuple[int, bytes, bytes, tuple[bytes, ...]]", "-> list[bytes]", "encode_reply (its result): list[bytes]"),
        ("text: tuple[str, ...]", "text: tuple[bytes, ...]", "encode_reply(text): tuple[bytes, ...] in the stub"),
        ("steps: list[str]", "steps: str", "make_plan(steps): str in the stub"),
        ("text: dict[str, str]", "text: dict[str, int]", "make_plan(text): dict[str, int] in the stub"),
        ("macros: list[tuple[int, str]]", "macros: list[tuple[int, int]]", "make_plan(macros)"),
        ("(self, *args: Any, **kwargs: Any)", "(self)", "Context.__init__: Python cannot make one"),
        ("    QUARANTINE = 0x20\n", "", "Action.QUARANTINE: None in the stub, 32 at run time"),
        ("class Status(IntEnum)", "class Status(IntFlag)", "Status: the stub does not derive it from IntEnum"),
        ("EVENT_ENDED: Final[int]", "EVENT_ENDED: Final[str]", "EVENT_ENDED: the stub says Final[str]"),
        ("NOT_SENT: Final[dict[str, int]]", "NOT_SENT: Final[dict[int, int]]", "NOT_SENT: the stub says"),
        ("(smfi_quarantine).", "(smfi_progress).", "Context.quarantine: docstring"),
        ("counted from 1 in this process.", "counted from 0.", "Context.id: docstring"),
        ("(SMFIS_*).", "(SMFIF_*).", "Status: docstring"),
        ("Private; use pymilter or milter.", "Public.", "pymilter._core: docstring"),
    ],
)
def test_fault_in_core_stub_is_seen(old: str, new: str, told: str) -> None:
    text = stub("_core.pyi")
    assert old in text
    faults = stub_faults(text.replace(old, new, 1), pymilter._core)
    assert faults
    assert any(fault.startswith(told) for fault in faults), faults


def test_name_missing_at_run_time_is_seen() -> None:
    """As when the extension is older than the stub."""
    module = ModuleType(pymilter._core.__name__, pymilter._core.__doc__)
    vars(module).update({name: value for name, value in vars(pymilter._core).items() if name != "setdbg"})
    assert stub_faults(stub("_core.pyi"), module) == ["setdbg is in the stub only"]


def public_names(module: ModuleType) -> list[str]:
    """What a module offers at run time without its submodules, in the order of __all__ as ruff sorts it."""
    names = {
        name
        for name in dir(module)
        if not isinstance(getattr(module, name), ModuleType) and (not name.startswith("_") or name == "__version__")
    }
    order = {name: place for place, name in enumerate(module.__all__)}
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


@pytest.mark.parametrize("name", ["pymilter", "pymilter.testing"])
def test_all_is_what_there_is(name: str) -> None:
    module = importlib.import_module(name)
    assert public_names(module) == list(module.__all__)


def test_package_stub_has_the_same_names() -> None:
    tree = ast.parse(stub("__init__.pyi"))
    (listed,) = [ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)]
    assert sorted(listed + _constants.__all__) == sorted(pymilter.__all__)
    assert "__all__ += _constants.__all__" in stub("__init__.pyi")


@pytest.mark.parametrize("name", ["pymilter", "pymilter.testing", "pymilter.mime", "milter", "Milter"])
def test_all_that_is_public_has_a_docstring(name: str) -> None:
    """help() shows it; editors show the same one, for it stands in the source, or in a stub that is compared above."""
    assert list(names_without_docstring(importlib.import_module(name))) == []


def names_without_docstring(module: ModuleType) -> Iterator[str]:
    """Classes and functions of ours in __all__, and what such a class defines or inherits of ours."""
    if not module.__doc__:
        yield module.__name__
    for name in module.__all__:
        value = getattr(module, name)
        if not (inspect.isclass(value) or inspect.isroutine(value)) or not is_ours(value):
            continue
        if not inspect.getdoc(value):
            yield name
        for member, found in inspect.getmembers(value) if inspect.isclass(value) else ():
            is_member = isinstance(found, property) or (inspect.isroutine(found) and is_ours(found))
            if is_member and not member.startswith("_") and not inspect.getdoc(found):
                yield f"{name}.{member}"


def is_ours(value: Any) -> bool:
    return str(getattr(value, "__module__", None) or "pymilter").partition(".")[0] in ("pymilter", "milter", "Milter")


def test_missing_docstring_is_seen() -> None:
    class Public:
        def method(self) -> None: ...

        @property
        def held(self) -> int:
            return 1

    def function() -> None: ...

    Public.__module__ = Public.method.__module__ = function.__module__ = "pymilter"
    module = ModuleType("pymilter", "A module.")
    vars(module).update(Public=Public, function=function, __all__=["Public", "function"])
    assert list(names_without_docstring(module)) == ["Public", "Public.held", "Public.method", "function"]


@pytest.mark.parametrize("name", ["pymilter", "pymilter.testing", "pymilter.prometheus"])
def test_each_parameter_is_described(name: str) -> None:
    """Of functions that take several: under Args, between backquotes, or at the function that is named instead."""
    assert list(parameters_without_a_word(importlib.import_module(name))) == []


# Made by the package alone; their parts are described at their attributes.
NOT_MADE_BY_USERS = ("Envelope", "Field", "Headers", "Message", "Expected", "Step")


def parameters_without_a_word(module: ModuleType) -> Iterator[str]:
    """The parameters that no docstring describes, of public functions, of classes, and of their public methods."""
    for name in module.__all__:
        value = getattr(module, name)
        if not is_ours(value):
            continue
        if inspect.isfunction(value):
            yield from undescribed(name, value, inspect.getdoc(value))
        elif inspect.isclass(value):
            made = vars(value).get("__init__")
            # The __init__ of a dataclass has no source: its attributes have docstrings.
            has_source = inspect.isfunction(made) and made.__code__.co_filename != "<string>"
            if has_source and name not in NOT_MADE_BY_USERS:
                yield from undescribed(name, made, f"{inspect.getdoc(value)}\n{made.__doc__}")
            for member, found in vars(value).items():
                function = getattr(found, "__func__", found)
                if inspect.isfunction(function) and not member.startswith("_"):
                    yield from undescribed(f"{name}.{member}", function, inspect.getdoc(getattr(value, member)))


def undescribed(name: str, function: Any, doc: str | None) -> Iterator[str]:
    # Behind @contextmanager, the parameters are those of the generator; elsewhere __wrapped__ may be for show.
    function = getattr(function, "__wrapped__", function) if function.__code__.co_name == "helper" else function
    parameters = list(inspect.signature(function, follow_wrapped=False).parameters)
    if parameters[:1] in (["self"], ["cls"]):
        del parameters[0]
    if len(parameters) < 2 or re.search(r"arguments are those of `", doc or ""):
        return
    for parameter in parameters:
        word = rf"`\*{{0,2}}{parameter}`|^\s*(\w+, )*\*{{0,2}}{parameter}(, \w+)*:"
        if not re.search(word, doc or "", re.MULTILINE):
            yield f"{name}: {parameter}"


def test_a_parameter_without_a_word_is_seen() -> None:
    class Public:
        """Has `first`."""

        def __init__(self, first: int, second: int) -> None: ...

        def method(self, first: int, second: int) -> None:
            """Do it.

            Args:
                second: The second of first and second.
            """

    def function(first: int, second: int, *rest: int) -> None:
        """Take `first`, second and `*rest`."""

    def same(first: int, second: int) -> None:
        """Do the same. The arguments are those of `function`."""

    Public.__module__ = function.__module__ = same.__module__ = "pymilter"
    module = ModuleType("pymilter", "A module.")
    vars(module).update(Public=Public, function=function, same=same, __all__=["Public", "function", "same"])
    assert list(parameters_without_a_word(module)) == ["Public: second", "Public.method: first", "function: second"]


def test_package_stub_and_package_have_one_docstring() -> None:
    assert ast.get_docstring(ast.parse(stub("__init__.pyi"))) == ast.get_docstring(ast.parse(stub("__init__.py")))
