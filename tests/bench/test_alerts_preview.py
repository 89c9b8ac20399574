"""Days of a small city through production's watch, files and notices; `kewang notify preview` must say the same."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kewang.bench.alerts_city import city_of
from kewang.bench.alerts_preview import agreement, lived, preview_shortfalls
from kewang.bench.alerts_truth import outages_of
from kewang.bench.alerts_world import World, WorldPlan, staged

DAY_S = 86_400.0
AGREES = {"missing": 0, "extra": 0, "different": 0, "undelivered": 0}


def days_of_a_city() -> World:
    """Three days of 60 devices, in which the gateway is killed twice: once in the middle of a digest's time."""
    plan = WorldPlan(60, 3, 11)
    city = city_of(plan.devices, plan.seed)
    outages = outages_of(city, plan.days, plan.seed)
    kills = [(1.1 * DAY_S, 1.1 * DAY_S + 20), (outages[1].start_s + 190, outages[1].start_s + 230)]
    return staged(plan, city, outages, upgrades=kills)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World, dict[str, Any], list[str]]:
    folder, world, said = tmp_path_factory.mktemp("month"), days_of_a_city(), list[str]()
    return folder, world, lived(world, folder, said.append), said


def test_every_message_agrees_with_what_was_sent(story: tuple[Path, World, dict[str, Any], list[str]]) -> None:
    _, _, figures, said = story
    assert {key: figures[key] for key in AGREES} == AGREES, said
    assert figures["same"] == figures["messages"] > 40
    assert (figures["restarts"], figures["held"] > 0) == (2, True)
    assert preview_shortfalls(figures) == []
    assert figures["turns_bytes"] < 100_000
    assert figures["kinds"].keys() >= {"opened", "acknowledged", "escalated", "resolved", "maintenance"}


def test_a_preview_that_does_not_agree_is_found_out(
    story: tuple[Path, World, dict[str, Any], list[str]], tmp_path: Path
) -> None:
    said: list[str] = []
    folder, world = shutil.copytree(story[0], tmp_path / "copy"), story[1]
    with closing(sqlite3.connect(folder / "gateway.db")) as db, db:
        db.execute("UPDATE message SET content = json_set(content, '$.text', 'other') WHERE id = 3")
        db.execute("DELETE FROM message WHERE id = 4")
    found = agreement(folder, world.end_s, said.append)
    assert (found["missing"], found["extra"], found["different"]) == (0, 1, 1)
    assert preview_shortfalls(found | {"restarts": 0}) == [
        "preview: 1 extra",
        "preview: 1 different",
        "preview: no restarts",
    ]
    assert len(said) == 2
