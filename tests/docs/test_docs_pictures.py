"""The pictures: the order of events is that of the model of libmilter, and each picture can be read."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

import pytest

from sphinx_pymilter.pictures import PICTURES
from sphinx_pymilter.pictures.events import EVENTS
from support.engine import STATES, is_taken

LETTERS = dict(zip((event.name for event in EVENTS), "OCHMRTLNBEQ", strict=True))


def may_follow(first: str, then: str) -> bool:
    return is_taken(LETTERS[first], LETTERS[then], frozenset())


def test_all_states_are_drawn_but_abort_unknown_and_the_next_client() -> None:
    assert set(STATES) - set(LETTERS.values()) == set("_AUK")


@pytest.mark.parametrize(("first", "then"), [(a.name, b.name) for a, b in itertools.pairwise(EVENTS)])
def test_each_event_may_follow_the_one_above(first: str, then: str) -> None:
    assert may_follow(first, then)


def test_repetitions_and_jumps_are_those_of_libmilter() -> None:
    for event in EVENTS:
        assert event.repeats == may_follow(event.name, event.name), event.name
        assert not event.may_skip_to or may_follow(event.name, event.may_skip_to), event.name
    assert may_follow("eom", "envfrom")
    assert not may_follow("body", "envfrom")


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_sound_and_stays_within_its_frame(name: str) -> None:
    drawing = PICTURES[name]()
    tree = ET.fromstring(drawing.svg(name, "what it shows"))
    assert tree[0].text == "what it shows"
    for box in tree.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(box.attrib["x"]) + float(box.attrib["width"]) <= drawing.width
        assert float(box.attrib["y"]) + float(box.attrib["height"]) <= drawing.height
    assert "#" not in "".join(drawing.parts), "colours are those of the page"
