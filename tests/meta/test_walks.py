"""The walks drawn in docs/explanation/design.md lead through files and functions that exist, never back into a file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
HEAD: Final = "| file | functions | what happens there |"
SECTION: Final = "## Four values on their way"


class Hop(NamedTuple):
    """One row of a table."""

    file: str
    functions: list[str]


def walks_in(text: str) -> list[list[Hop]]:
    """The tables of the section, each a list of hops."""
    section = text.partition(f"{SECTION}\n")[2].partition("\n## ")[0]
    return [[_hop_of(row) for row in _rows(table)] for table in section.split(f"{HEAD}\n")[1:]]


def _rows(table: str) -> Iterator[str]:
    for line in table.splitlines()[1:]:
        if not line.startswith("|"):
            return
        yield line


def _hop_of(row: str) -> Hop:
    file, functions = row.split("|")[1:3]
    return Hop(file.strip().strip("`"), re.findall(r"`(\w+)`", functions))


def faults_of(walk: list[Hop]) -> Iterator[str]:
    """What is wrong with a table: files and functions that are not there, and files that come twice."""
    for number, (file, functions) in enumerate(walk):
        if any(file == earlier.file for earlier in walk[:number]):
            yield f"{file} comes twice"
        if not (ROOT / file).is_file():
            yield f"there is no {file}"
            continue
        if not functions:
            yield f"no function of {file} is named"
        defined = _defined_in(ROOT / file)
        yield from (f"{file} defines no {name}" for name in functions if name not in defined)


def _defined_in(path: Path) -> set[str]:
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        return {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)}
    code = re.sub(r"//.*", "", text)
    types = re.findall(r"\b(?:struct|class) (\w+) [^;{]*\{|\b(?:struct|class) (\w+) \{", code)
    # A type or a namespace before the name, and a body behind the arguments: a call has not both.
    functions = re.findall(r"[\w>:*&] ?[*&]?(?<!return )\b(\w+)\([^;{}]*\)[\w ]*(?::[^;{}]*)?\{", code)
    return {name for pair in types for name in pair if name} | set(functions)


def walks() -> list[list[Hop]]:
    """Those of this tree."""
    return walks_in((ROOT / "docs/explanation/design.md").read_text("utf-8"))


def test_each_table_is_read() -> None:
    text = (ROOT / "docs/explanation/design.md").read_text("utf-8")
    assert len(walks()) == text.count(HEAD) >= 8
    assert all(len(walk) > 2 for walk in walks())


@pytest.mark.parametrize("walk", walks(), ids=lambda walk: f"{walk[0].functions[0]}-{walk[-1].functions[-1]}")
def test_a_walk_is_as_drawn(walk: list[Hop]) -> None:
    assert list(faults_of(walk)) == []


DISPATCH: Final = Hop("cpp/python/boundary/dispatch.cpp", ["header"])


@pytest.mark.parametrize(
    ("walk", "fault"),
    [
        ([Hop("cpp/python/boundary/gone.cpp", ["header"])], "there is no cpp/python/boundary/gone.cpp"),
        ([Hop(DISPATCH.file, [])], f"no function of {DISPATCH.file} is named"),
        # It is called there, and defined in policy.cpp.
        ([Hop(DISPATCH.file, ["header", "answer_failure"])], f"{DISPATCH.file} defines no answer_failure"),
        ([Hop("cpp/python/boundary/fill.hpp", ["FillNoField"])], "cpp/python/boundary/fill.hpp defines no FillNoField"),
        ([Hop("python/pymilter/_run.py", ["request_end"])], "python/pymilter/_run.py defines no request_end"),
        ([DISPATCH, Hop("cpp/python/boundary/admit.hpp", ["admit"]), DISPATCH], f"{DISPATCH.file} comes twice"),
    ],
)
def test_fault_in_a_walk_is_seen(walk: list[Hop], fault: str) -> None:
    assert list(faults_of(walk)) == [fault]
