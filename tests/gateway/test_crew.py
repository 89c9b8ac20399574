"""Ingest processes as their keeper sees them: what they say, how they end, and that there is always a next one."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace

import pytest
from pydantic import ValidationError

from gateway.crew import Crew, Ingester, Told
from gateway.settings import GatewaySettings
from kewang.wire.topics import SHARDS

INFLUX = {"url": "influx1+http://127.0.0.1:1/kewang"}
WELL = Told(True, True, 0, None, 2, 10.0, [], [], "")
SAYS = f"import json, sys; settings = json.loads(sys.stdin.readline()); print({json.dumps(json.dumps(asdict(WELL)))})"
LIMIT_S = 120.0


def settings(**changes: object) -> GatewaySettings:
    return GatewaySettings.model_validate({"id": "gw1", "store": INFLUX, "ingest_processes": 3} | changes)


@asynccontextmanager
async def kept(program: str, silent_s: float = 45.0) -> AsyncIterator[Ingester]:
    """An ingest process that is this Python program."""
    ingester = Ingester(settings().of_processes()[0], (sys.executable, "-uc", program), silent_s)
    task = asyncio.create_task(ingester.keep(), name="keep")
    try:
        async with asyncio.timeout(LIMIT_S):
            yield ingester
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_one_that_ends_is_started_again_and_is_not_trusted_at_once() -> None:
    async with kept(f"{SAYS}; sys.stdin.read() if sys.argv[1:] else exit(7)") as ingester:
        while ingester.starts < 2 or ingester.told is None:
            await asyncio.sleep(0.01)
        assert ingester.trouble() == f"gw1-1 ended with code 7; started {ingester.starts} times"
        while ingester.told is not None:
            await asyncio.sleep(0.01)
        assert "gw1-1 ended with code 7" in (ingester.trouble() or "")


async def test_one_that_lives_is_trusted_and_ends_with_its_input() -> None:
    async with kept(f"{SAYS}; sys.stdin.read()") as ingester:
        assert ingester.trouble() == "gw1-1 is starting"
        while ingester.told is None:
            await asyncio.sleep(0.01)
        assert (ingester.told, ingester.trouble(), ingester.starts) == (WELL, None, 1)
    assert ingester.told is None


@pytest.mark.parametrize(
    "program", [f"{SAYS}; import time; time.sleep(999)", "print('[1]', flush=True)", "print('{}')"]
)
async def test_one_that_hangs_or_speaks_nonsense_is_ended(program: str) -> None:
    async with kept(program, silent_s=0.5) as ingester:
        while ingester.starts < 2:
            await asyncio.sleep(0.01)
        assert "was ended" in (ingester.trouble() or "")


def test_processes_share_out_the_shards_and_nothing_else() -> None:
    several = settings(shards=SHARDS[:8]).of_processes()
    assert [one.id for one in several] == ["gw1-1", "gw1-2", "gw1-3"]
    assert sorted("".join(one.shards for one in several)) == list(SHARDS[:8])
    assert {(one.ingest_processes, one.incidents, one.makes_rollups()) for one in several} == {(1, None, False)}
    assert settings().makes_rollups()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"store": {"url": "sqlite:///kewang.db"}}, "SQLite"),
        ({"shards": "01"}, "2 shards"),
        ({"id": "g" * 30}, "29 characters"),
        ({"ingest_processes": 17}, "less than or equal to 16"),
    ],
)
def test_processes_that_can_not_be(changes: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        settings(**changes)


def test_what_all_say_together() -> None:
    crew = Crew(settings())
    crew.ingesters[0].told = replace(WELL, stuck=["report"], metrics="a 1\n")
    crew.ingesters[1].told = WELL
    assert crew.stuck() == ["gw1-1 report", "gw1-3"]
    assert crew.trouble() == "gw1-3 is starting"
    assert crew.texts() == {"gw1-1": "a 1\n", "gw1-2": ""}
