"""Whom provisioning tells to ask the office: boxes of which something else is wanted than a moment ago."""

from __future__ import annotations

from edge import upkeep
from provisioning.acts import maintenance, sources
from provisioning.nudges import ASK, PART, changed, wishes
from tests.provisioning.town import OPI, RUDI, Town

ONE, TWO = "amb-cam-one", "amb-cam-two"


def test_the_first_look_tells_nobody_and_a_new_box_has_just_asked() -> None:
    assert changed(None, {ONE: (1, None)}) == []
    assert changed({}, {ONE: (1, None)}) == []


def test_other_sources_and_a_visit_s_begin_and_end_are_told() -> None:
    assert changed({ONE: (1, None), TWO: (1, 7)}, {ONE: (2, None), TWO: (1, 7)}) == [ONE]
    assert changed({ONE: (1, None)}, {ONE: (1, 8)}) == [ONE]
    assert changed({ONE: (1, 8)}, {ONE: (1, None)}) == [ONE]
    assert changed({ONE: (1, None)}, {}) == []


def test_only_boxes_with_a_certificate_are_told(town: Town) -> None:
    town.installed(ONE)
    town.approved(TWO)
    before = wishes(town.inventory)
    assert set(before) == {ONE}
    with town.inventory.writing(OPI) as work:
        sources.put(work, ONE, sources.NewSource("cam-1", "camera", {"url": "rtsp://10.0.0.9/stream"}, {}))
    named = wishes(town.inventory)
    assert changed(before, named) == [ONE]
    town.clock.tick()
    with town.inventory.writing(RUDI) as work:
        maintenance.begin(work, ONE, why="cleaning")
    assert changed(named, wishes(town.inventory)) == [ONE]


def test_a_box_is_told_in_words_it_takes() -> None:
    assert (ASK, PART) == (upkeep.ASK, upkeep.Upkeep.name)
