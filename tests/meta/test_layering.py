"""The layering rules hold in this tree, and each of them would be seen when broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from meta.layering import circles, cpp_circles, cpp_faults, python_faults

ROOT = Path(__file__).parents[2]


def test_cpp() -> None:
    assert cpp_faults(ROOT / "cpp") == []
    assert cpp_circles(ROOT / "cpp") == []


def test_python() -> None:
    assert python_faults(ROOT / "python") == []


@pytest.fixture
def cpp(tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(ROOT / "cpp", tmp_path / "cpp"))


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(ROOT / "python", tmp_path / "python", ignore=shutil.ignore_patterns("*.so")))


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        (
            "core/protocol/checks.cpp",
            '#include "python/interpreter/gil.hpp"',
            '"python/interpreter/gil.hpp" lies above: core may include core',
        ),
        ("core/protocol/checks.cpp", '#include "bindings/bindings.hpp"', '"bindings/bindings.hpp" lies above'),
        (
            "python/interpreter/gil.cpp",
            '#include "bindings/bindings.hpp"',
            "above: python may include core, python",
        ),
        ("python/interpreter/gil.cpp", '#include "gil.hpp"', '"gil.hpp" is no header of ours'),
        ("python/connection/context.cpp", "#include <libmilter/mfapi.h>", "only by core/protocol/libmilter.hpp"),
        ("core/process/loop.hpp", "#  include <libmilter/mfdef.h>", "only by core/protocol/libmilter.hpp"),
        ("core/process/loop.cpp", "#include <Python.h>", "only through python/interpreter/python.hpp"),
        ("python/connection/context.cpp", "#include <pybind11/stl.h>", "only through python/interpreter/python.hpp"),
        ("bindings/context.cpp", "#include <pybind11/functional.h>", "only through python/interpreter/python.hpp"),
        ("bindings/service.cpp", "const py::gil_scoped_release release;", "gil_scoped_release belongs into"),
        ("python/boundary/dispatch.cpp", "PyGILState_Ensure();", "PyGILState_Ensure belongs into"),
        ("python/connection/context.hpp", "Py_BEGIN_ALLOW_THREADS", "Py_BEGIN_ALLOW_THREADS belongs into"),
        ("python/service/service.cpp", "auto *state = PyEval_SaveThread();", "PyEval_SaveThread belongs into"),
        ("python/boundary/dispatch.cpp", 'extern "C" void callback();', 'extern "C" belongs into'),
        *(
            (f"{layer}/{room}/{file}", f'#include "{layer}/{above}/{header}"', f"{layer}/{room} may include")
            for layer, room, file, above, header in (
                ("core", "protocol", "checks.cpp", "body", "body_buffer.hpp"),
                ("core", "body", "body_buffer.cpp", "process", "traffic.hpp"),
                ("core", "process", "loop.cpp", "balance", "loads.hpp"),
                ("python", "interpreter", "gil.cpp", "handlers", "plan.hpp"),
                ("python", "handlers", "plan.hpp", "connection", "context.hpp"),
                ("python", "connection", "context.cpp", "service", "service.hpp"),
                ("python", "service", "service.cpp", "boundary", "dispatch.hpp"),
            )
        ),
    ],
)
def test_fault_in_cpp_is_seen(cpp: Path, file: str, line: str, told: str) -> None:
    with (cpp / file).open("a") as text:
        text.write(line + "\n")
    (fault,) = cpp_faults(cpp)
    assert fault.startswith(f"{file}:")
    assert told in fault


@pytest.mark.parametrize(
    ("file", "line", "circle"),
    [
        (
            "python/boundary/reply.cpp",
            '#include "python/boundary/invoke.hpp"',
            "python/boundary/reply includes python/boundary/invoke includes python/boundary/reply",
        ),
        (
            "python/connection/calls.hpp",
            '#include "python/connection/connection.hpp"',
            "python/connection/connection includes python/connection/calls includes python/connection/connection",
        ),
        (
            "core/process/listener.cpp",
            '#include "core/process/loop.hpp"',
            "core/process/listener includes core/process/loop includes core/process/listener",
        ),
    ],
)
def test_circle_in_cpp_is_seen(cpp: Path, file: str, line: str, circle: str) -> None:
    with (cpp / file).open("a") as text:
        text.write(line + "\n")
    assert any(circle in fault for fault in cpp_circles(cpp))


def test_large_file_in_cpp_is_seen(cpp: Path) -> None:
    (cpp / "core/body/new.hpp").write_text("// Something.\n" * 251)
    assert cpp_faults(cpp) == ["core/body/new.hpp:251: has 251 lines, more than 250: look for the two things in it"]


def test_comments_do_not_count(cpp: Path) -> None:
    with (cpp / "core/protocol/checks.cpp").open("a") as text:
        text.write('// PyGILState_Ensure\n/* extern "C"\n#include <Python.h>\n*/\n')
    assert cpp_faults(cpp) == []


def test_file_without_opening_sentence_is_seen(cpp: Path) -> None:
    (cpp / "core/body/new.hpp").write_text("#pragma once\n")
    assert cpp_faults(cpp) == ["core/body/new.hpp:1: does not open with a sentence that says what it owns"]


def test_unknown_layer_is_seen(cpp: Path) -> None:
    (cpp / "extra").mkdir()
    (cpp / "extra/new.hpp").write_text("// Something.\n")
    assert cpp_faults(cpp) == ["extra/new.hpp:1: is in no layer; the layers are core, python, bindings"]


@pytest.mark.parametrize("folder", ["core", "core/extra", "python/boundary/deeper"])
def test_file_in_no_room_is_seen(cpp: Path, folder: str) -> None:
    (cpp / folder).mkdir(exist_ok=True)
    (cpp / folder / "new.hpp").write_text("// Something.\n")
    (fault,) = cpp_faults(cpp)
    assert fault.startswith(f"{folder}/new.hpp:1: is in no room; the rooms of {folder.partition('/')[0]} are ")


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("pymilter/_observe/report.py", "from pymilter._core import Context", "imports pymilter._core: only"),
        ("pymilter/_observe/report.py", "from pymilter import _core", "imports pymilter._core: only"),
        ("pymilter/_observe/report.py", "from .. import _core", "imports pymilter._core: only"),
        ("pymilter/_serve/sockets.py", "import pymilter._core as core", "imports pymilter._core: only"),
        ("pymilter/testing/_wire.py", "from .. import _core", "imports pymilter._core: only"),
        ("pymilter/_observe/report.py", "importlib.import_module('pymilter._core')", "imports pymilter._core: only"),
        ("pymilter/_class/base.py", "import Milter", "nothing in pymilter may import the classic modules"),
        (
            "pymilter/_class/base.py",
            "from milter import set_flags",
            "nothing in pymilter may import the classic modules",
        ),
        ("pymilter/_run.py", "def f() -> None:\n    import mime", "nothing in pymilter may import the classic modules"),
        (
            "pymilter/_class/negotiate.py",
            "from pymilter._constants import SKIP",
            "may import only _core, _class.annotations, _class.decorators, _class.marks of pymilter",
        ),
        (
            "pymilter/_class/negotiate.py",
            "from pymilter import errors",
            "may import only _core, _class.annotations, _class.decorators, _class.marks of pymilter",
        ),
        ("pymilter/errors.py", "from pymilter._constants import SKIP", "may import nothing of pymilter"),
        ("pymilter/_run.py", "import dns.resolver", "has no run-time dependency"),
        ("pymilter/_run.py", "import prometheus_client", "has no run-time dependency"),
    ],
)
def test_fault_in_python_is_seen(python: Path, file: str, line: str, told: str) -> None:
    with (python / file).open("a") as text:
        text.write(line + "\n")
    faults = python_faults(python)
    assert faults
    assert all(fault.startswith(f"{file}:") and told in fault for fault in faults)


def test_classic_module_that_goes_below_pymilter_is_seen(python: Path) -> None:
    (python / "Milter" / "below.py").write_text('"""A module."""\nfrom pymilter._core import Service\n')
    assert "Milter/below.py:2: imports pymilter._core" in "\n".join(python_faults(python))


def test_file_without_docstring_is_seen(python: Path) -> None:
    (python / "pymilter" / "_new.py").write_text("x = 1\n")
    assert python_faults(python) == ["pymilter/_new.py:1: does not open with a sentence that says what it owns"]


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("pymilter/replies.py", "from pymilter._class.gather import MIB", "ground may import only from ground"),
        ("pymilter/_process/forked.py", "from pymilter._observe import report", "only from ground, _process"),
        ("pymilter/_class/arity.py", "import pymilter._serve.address", "only from ground, _process, _class"),
        ("pymilter/_serve/lock.py", "from pymilter._workers.limits import spent_when", "_class, _observe, _serve"),
        ("pymilter/_workers/limits.py", "from pymilter import _run", "_observe, _serve, _workers"),
        ("pymilter/_class/arity.py", "def f() -> None:\n    from pymilter.message import Message", "_process, _class"),
        ("pymilter/_serve/lock.py", "from pymilter.prometheus import Collector", "_class, _observe, _serve"),
        ("pymilter/testing/_send.py", "from pymilter._command.output import Output", "message, testing"),
        ("pymilter/testing/_send.py", "from pymilter.testing.__main__ import main", "message, testing"),
        ("pymilter/_run.py", "from pymilter._command import main", "run may import only from ground"),
        ("pymilter/__init__.py", "from pymilter import __main__", "nothing imports _command or __main__"),
    ],
)
def test_import_from_a_room_above_is_seen(python: Path, file: str, line: str, told: str) -> None:
    with (python / file).open("a") as text:
        text.write(line + "\n")
    assert any(fault.startswith(f"{file}:") and told in fault for fault in python_faults(python))


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("pymilter/_serve/address.py", "from pymilter._serve import sockets"),
        ("pymilter/_serve/address.py", "from . import sockets"),
        ("pymilter/_serve/address.py", "def f() -> None:\n    import pymilter._serve.sockets"),
        ("pymilter/_class/arity.py", "from pymilter._class.base import Base"),
    ],
)
def test_circle_is_seen(python: Path, file: str, line: str) -> None:
    with (python / file).open("a") as text:
        text.write(line + "\n")
    assert "in a circle" in "\n".join(circles(python / "pymilter"))


def test_import_for_type_checkers_is_no_circle(python: Path) -> None:
    with (python / "pymilter/_serve/address.py").open("a") as text:
        text.write("if TYPE_CHECKING:\n    from pymilter._serve.sockets import open_listener\n")
    assert circles(python / "pymilter") == []
