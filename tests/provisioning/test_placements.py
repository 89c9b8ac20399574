"""Placements: what a file says reaches every later subscriber, and each mistake in it is told."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from kewang.bench.parts import Broker, Mosquitto
from kewang.runtime.broker import BrokerSettings
from kewang.runtime.settings import SettingsError
from kewang.wire import topics
from kewang.wire.placement import Place, Placement
from provisioning.placements import Placements, keep_published, publish_once, read_placements

LIMIT_S = 60

GOOD = """
[mardika-1]
site = "mardika"
lat = -3.695
lon = 128.181
uplink = "fo-2"
kind = "camera"
sources = ["env-1", "cam-1"]

[[passo-1]]
site = "workshop"
[[passo-1]]
from = 2026-03-01T09:00:00+09:00
site = "passo"
life = "maintenance"
"""


def write(folder: Path, text: str, name: str = "placements.toml") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_good_file_is_read(tmp_path: Path) -> None:
    found = read_placements(write(tmp_path, GOOD))
    assert set(found) == {"mardika-1", "passo-1"}
    assert found["mardika-1"].now.sources == ("env-1", "cam-1")
    assert [place.from_ms for place in found["passo-1"].h] == [0, 1_772_323_200_000]
    assert found["passo-1"].at(1_772_323_199_999).site == "workshop"
    assert found["passo-1"].now.life == "maintenance"


def test_json_says_the_same(tmp_path: Path) -> None:
    entries = {"passo-1": [{"site": "workshop"}, {"from": "2026-03-01T09:00:00+09:00", "site": "passo"}]}
    found = read_placements(write(tmp_path, json.dumps(entries), "placements.json"))
    assert [place.from_ms for place in found["passo-1"].h] == [0, 1_772_323_200_000]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[A]\nsite = "x"', "A: not a device id: 3 to 32 characters"),
        ('[abc]\nsiet = "x"', "abc: unknown key 'siet'; did you mean 'site'?"),
        ("[abc]\nlat = 1", "abc: site: Field required"),
        ('[abc]\nsite = "x"\nlat = 91', "abc: lat: Input should be less than or equal to 90"),
        ('[abc]\nsite = "x"\nlat = "south"', "abc: lat: Input should be a valid number"),
        ('[abc]\nsite = "Pasar Mardika"', "abc: site: String should match pattern"),
        ('[abc]\nsite = "x"\nlife = "lost"', "abc: life: Input should be 'approved'"),
        ('[abc]\nsite = "x"\nfrom = "x"', "abc: Invalid isoformat string"),
        ('[abc]\nsite = "x"\nfrom = 2026-03-01T09:00:00', "abc: from has no time zone: write e.g."),
        ('[[abc]]\nsite = "x"\n[[abc]]\nsite = "y"', "abc: from is missing: say since when"),
        ('[[abc]]\nfrom = 5\nsite = "x"\n[[abc]]\nfrom = 5\nsite = "y"', "abc: from does not increase"),
        ("abc = []", "abc: an empty history"),
        ("abc = 3", "abc: not a place: write site = ..."),
        ("abc = [3]", "abc: not a place: write site = ..."),
        ("abc", "not TOML"),
    ],
)
def test_a_mistake_is_told_with_device_and_key(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read_placements(write(tmp_path, text))
    assert says in str(raised.value)
    assert str(tmp_path / "placements.toml") in str(raised.value)


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        read_placements(write(tmp_path, '[abc]\nsiet = "x"\n[abd]\nlat = 1\n[abe]\nsite = "x"'))
    assert len(str(raised.value).splitlines()) == 2


@pytest.mark.parametrize(("text", "says"), [("[1]", "not a table of devices"), ("{", "not JSON")])
def test_a_file_that_is_no_table_is_told(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read_placements(write(tmp_path, text, "placements.json"))
    with pytest.raises(SettingsError, match="give the path of a placements file"):
        read_placements(tmp_path / "none.toml")


def a_placement(site: str) -> Placement:
    return Placement(h=(Place.model_validate({"from": 0, "site": site}),))


async def retained(port: int, wanted: Placements) -> None:
    """Come as a new subscriber and wait until the broker says `wanted`."""
    held: dict[str, Placement] = {}
    async with asyncio.timeout(LIMIT_S), aiomqtt.Client("127.0.0.1", port) as client:
        for topic in topics.filters([topics.PLACEMENT]):
            await client.subscribe(topic, qos=1)
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            held[topics.parse(message.topic.value).device] = Placement.decode(message.payload)
            if held == wanted:
                return


async def test_what_is_published_stays_at_the_broker(any_broker: Broker) -> None:
    placements = {"mardika-1": a_placement("mardika"), "passo-1": a_placement("passo")}
    await publish_once(BrokerSettings(port=any_broker.port), placements)
    await retained(any_broker.port, placements)


async def test_a_broker_that_is_away_is_told() -> None:
    with pytest.raises(OSError, match=r"broker 127\.0\.0\.1:1: .*is it running"):
        await publish_once(BrokerSettings(port=1), {})


async def keeping(port: int, read: Callable[[], Placements], then: Callable[[], Any], **keys: Any) -> None:
    """Run `then()` while placements are kept published."""
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(keep_published(BrokerSettings(port=port), read, stopping, **keys), name="keep")
        await then()
        stopping.set()


async def test_a_broker_that_forgot_everything_is_told_again(mosquitto: Mosquitto) -> None:
    placements = {"mardika-1": a_placement("mardika")}

    async def forget_and_look() -> None:
        await retained(mosquitto.port, placements)
        await asyncio.to_thread(mosquitto.kill9)
        await asyncio.to_thread(mosquitto.start)
        await retained(mosquitto.port, placements)

    await keeping(mosquitto.port, lambda: placements, forget_and_look)


async def test_a_change_is_published_and_a_file_being_edited_changes_nothing(mosquitto: Mosquitto) -> None:
    said: list[Placements | SettingsError] = [{"mardika-1": a_placement("mardika")}]
    reads = 0

    def read() -> Placements:
        nonlocal reads
        reads += 1
        if isinstance(said[-1], SettingsError):
            raise said[-1]
        return said[-1]

    async def change() -> None:
        await retained(mosquitto.port, {"mardika-1": a_placement("mardika")})
        said.append(SettingsError("half written"))
        seen, limit_s = reads, time.monotonic() + LIMIT_S
        while reads < seen + 2 and time.monotonic() < limit_s:
            await asyncio.sleep(0.01)
        await retained(mosquitto.port, {"mardika-1": a_placement("mardika")})
        said.append({"mardika-1": a_placement("passo")})
        await retained(mosquitto.port, {"mardika-1": a_placement("passo")})

    await keeping(mosquitto.port, read, change, refresh_s=0.02)


async def test_a_keeper_that_finds_no_broker_stops_at_once() -> None:
    async def nothing() -> None:
        await asyncio.sleep(0)

    async with asyncio.timeout(LIMIT_S):
        await keeping(1, dict, nothing)
