"""`kewang incidents`, as a process, over the files of a gateway and over a gateway that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.console.facts import Access
from tests.cli.commands import kewang, told
from tests.fakes import MemoryStore
from tests.gateway.serving import console
from tests.gateway.watch_house import BOXES, House

TOKEN = "a-token-of-the-test"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "incidents")
    yield made
    made.watched.close()


def config(folder: Path, port: int = 1, section: str = "incidents") -> str:
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    file = folder / "gateway.toml"
    file.write_text(
        f'[{section}]\nfolder = "{folder}/incidents"\n[console]\nport = {port}\nservice_token_file = "{token}"\n'
        if section == "incidents"
        else "[console]\nport = 1\n"
    )
    return str(file)


async def out(house: House) -> None:
    """A site is out."""
    await house.live(400)
    house.silent = set(BOXES[:3])
    await house.live(200)


async def test_what_is_open_is_listed_and_shown(house: House, tmp_path: Path) -> None:
    await out(house)
    file = config(tmp_path)
    listed = await asyncio.to_thread(kewang, "incidents", "list", "--config", file)
    assert listed.returncode == 1
    assert "#1 open critical: Site mardika is not heard" in listed.stdout
    shown = await asyncio.to_thread(kewang, "incidents", "show", "1", "--config", file)
    assert shown.returncode == 0
    assert all(f"{box}: heard last" in shown.stdout for box in BOXES[:3])
    assert " opened, 3 devices" in shown.stdout
    none = await asyncio.to_thread(kewang, "incidents", "show", "9", "--config", file)
    assert (none.returncode, "no incident 9" in none.stderr) == (1, True)
    house.silent = set()
    await house.live(900)
    over = await asyncio.to_thread(kewang, "incidents", "list", "--config", file, "--json")
    assert (over.returncode, [one["number"] for one in told(over)["incidents"]]) == (0, [1])


async def test_one_is_taken_on_at_the_running_gateway(house: House, tmp_path: Path) -> None:
    await out(house)
    async with console(MemoryStore(), access=Access(TOKEN, None, ""), incidents=house.watched) as served:
        file = config(tmp_path, int(served.address.rpartition(":")[2]))
        words = ("incidents", "ack", "1", "--by", "ina", "--note", "on my way", "--config", file)
        taken = await asyncio.to_thread(kewang, *words)
        assert taken.returncode == 0, taken.stderr
        acknowledged = house.watched.watching.open[1].acknowledged
        assert acknowledged is not None
        assert (acknowledged.by, acknowledged.note) == ("ina", "on my way")
        noted = ("incidents", "note", "1", "--by", "ina", "--note", "the fuse was blown", "--config", file)
        assert (await asyncio.to_thread(kewang, *noted)).returncode == 0
        await house.live(1)
        shown = await asyncio.to_thread(kewang, "incidents", "show", "1", "--config", file)
        assert "acknowledged by ina, 3 devices, 0 back: on my way" in shown.stdout
        assert "noted by ina, 3 devices, 0 back: the fuse was blown" in shown.stdout
        none = await asyncio.to_thread(kewang, "incidents", "note", "7", "--note", "x", "--config", file)
        assert (none.returncode, "over for too long" in none.stderr) == (1, True)
        again = await asyncio.to_thread(kewang, "incidents", "ack", "7", "--config", file)
        assert (again.returncode, "not open" in again.stderr) == (1, True)
        (tmp_path / "token").write_text("another")
        wrong = await asyncio.to_thread(kewang, "incidents", "ack", "1", "--config", file)
        assert (wrong.returncode, "service_token_file" in wrong.stderr) == (3, True)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    away = kewang("incidents", "list", "--config", config(tmp_path))
    assert (away.returncode, "has this gateway run yet" in away.stderr) == (3, True)
    without = kewang("incidents", "list", "--config", config(tmp_path, section="none"))
    assert (without.returncode, "[incidents]" in without.stderr) == (2, True)
