"""A question finds its page in the search of the site, by a title or a heading."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.questions import QUESTIONS, Question

MOST = 4
"""As many pages may have all the words of a question in their headings; more would be no answer."""


def found_by_heading(site: Path, words: str) -> set[str]:
    """The pages that have all these words in their headings, as the search of the site compares words."""
    from sphinx.search.en import SearchEnglish

    language = SearchEnglish({})
    text = (site / "searchindex.js").read_text("utf-8")
    index: dict[str, Any] = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    pages = set(range(len(index["docnames"])))
    for word in re.findall(r"\w+", words.lower()):
        if word in language.stopwords:
            continue
        hits = index["titleterms"].get(language.stem(word), [])
        pages &= set(hits if isinstance(hits, list) else [hits])
    return {index["docnames"][page] for page in pages}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.words.replace(" ", "-"))
def test_a_question_finds_its_page(site: Path, question: Question) -> None:
    found = found_by_heading(site, question.words)
    assert question.page in found
    assert len(found) <= MOST, sorted(found)


def test_there_are_twenty_questions_and_more() -> None:
    assert len({question.asked_at for question in QUESTIONS}) == len(QUESTIONS) >= 20


def test_a_question_without_a_page_finds_none(site: Path) -> None:
    assert found_by_heading(site, "hook into exim") == set()
