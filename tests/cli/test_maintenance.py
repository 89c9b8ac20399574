"""`kewang maintenance`, as a process, against a gateway that runs and over its file."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.console.facts import Access
from tests.cli.commands import kewang, told
from tests.cli.test_incidents import TOKEN, config
from tests.fakes import MemoryStore
from tests.gateway.serving import console, now_ms
from tests.gateway.watch_house import BOXES, House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "incidents", now_ms())
    yield made
    made.watched.close()


async def asked(*words: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(kewang, "maintenance", *words)


async def test_a_window_is_planned_listed_and_ended(house: House, tmp_path: Path) -> None:
    async with console(MemoryStore(), access=Access(TOKEN, None, ""), incidents=house.watched) as served:
        file = ("--config", config(tmp_path, int(served.address.rpartition(":")[2])))
        planned = await asked("add", "site", "mardika", "--for", "2h", "--by", "ina", "--note", "a new pole", *file)
        assert (planned.returncode, planned.stderr) == (0, "")
        assert planned.stdout.startswith("#1 open: site mardika, ")
        assert planned.stdout.endswith("by ina: a new pole\n")
        house.silent = {BOXES[0]}
        await house.live(400)
        listed = await asked("list", *file)
        assert listed.returncode == 1
        assert f"{BOXES[0]}: heard last " in listed.stdout
        unknown = await asked("add", "site", "mardka", "--for", "90m", *file)
        assert (unknown.returncode, "did you mean mardika?" in unknown.stderr) == (1, True)
        times = ("--from", "2096-01-01T08:00", "--until", "2096-01-01T09:00")
        later = await asked("add", "device", BOXES[3], *times, *file)
        assert (later.returncode, "a year" in later.stderr) == (1, True)
        ended = await asked("end", "1", *file, "--json")
        assert (ended.returncode, told(ended)) == (0, {"ok": True, "number": 1})
        await house.live(1)
        over = await asked("list", *file, "--json")
        (window,) = told(over)["windows"]
        assert (over.returncode, window["missing"], window["by"]) == (0, [BOXES[0]], "ina")
        again = await asked("end", "1", *file)
        assert (again.returncode, "maintenance list" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        ("add", "site", "mardika"),
        ("add", "site", "mardika", "--for", "2h", "--until", "2026-11-29T16:00"),
        ("add", "site", "mardika", "--for", "two hours"),
        ("add", "site", "mardika", "--until", "tomorrow"),
    ],
)
def test_what_can_not_be_meant_is_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    refused = kewang("maintenance", *words, "--config", config(tmp_path))
    assert (refused.returncode, "kewang: " in refused.stderr) == (2, True)
