"""What pages show as printed by a program is what it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(.*)\n((?:(?!```).*\n)*)```$", re.MULTILINE)
COMPARED = {
    "howto/testing.md": "here",
    "tutorial/09-log.md": "tests/howto/test_tutorial.py::test_behind_postfix",
}
"""Pages that show the output of a program, and who compares. All other output is made by the directive `terminal`."""
CONFIGURATION = {"howto/sendmail.md"}
"""Pages whose blocks without a language are no output, but a language that nobody can highlight."""


def plain_blocks(page: Path) -> list[str]:
    """The blocks that are in no language of programs."""
    return [block for language, block in BLOCK.findall(page.read_text("utf-8")) if language in ("", "text", "console")]


def test_all_other_output_is_made_by_running_the_commands() -> None:
    number = {str(page.relative_to(DOCS)): len(plain_blocks(page)) for page in DOCS.rglob("*.md")}
    shown = {page: blocks for page, blocks in number.items() if blocks and page not in CONFIGURATION}
    assert shown == dict.fromkeys(COMPARED, 1)


def test_what_pytest_shows(pytester: pytest.Pytester) -> None:
    (block,) = plain_blocks(DOCS / "howto/testing.md")
    pytester.makepyfile(gate=(ROOT / "examples/tutorial/step2/gate.py").read_text("utf-8"))
    pytester.makepyfile(
        test_it="""
        from gate import gate
        from pymilter.testing import accepted

        def test_it(milter):
            assert milter(gate).send(b"Subject: hello\\r\\n\\r\\ntext\\r\\n") == accepted(headers={"X-Gate": "shut"})
        """
    )
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", timeout=60)
    done.assert_outcomes(failed=1)
    printed = [line.removeprefix("E").strip() for line in done.outlines if line.startswith("E ")]
    assert printed == [line.strip() for line in block.splitlines()]


def test_numbers_are_those_of_the_benchmark(site: Path) -> None:
    results = (ROOT / "benchmarks/results/latest.md").read_text("utf-8")
    (heads,) = re.findall(r"^\| messages/s \|(.*)\|$", results, re.MULTILINE)
    column = [head.strip() for head in heads.split("|")].index("pymilter, `-> None`")
    for page, loads in (("explanation/no-reply", ("unix", "TCP")), ("reference/platforms", ("unix", "TCP"))):
        text = re.sub("<[^>]*>", " ", (site / f"{page}.html").read_text("utf-8"))
        for load in loads:
            (row,) = re.findall(rf"^\| every step handled, {load} \|(.*)\|$", results, re.MULTILINE)
            assert f" {row.split('|')[column].strip()} " in text
