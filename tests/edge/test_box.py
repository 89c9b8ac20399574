"""The box as a source."""

import asyncio
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from edge.ports import SourceError, Values
from edge.sources.box import CELLULAR, NO_LINK, WIFI, WIRED, Box, BoxSettings, link_kind
from kewang.runtime.certificate import ends_s
from kewang.wire.catalogue import BY_NAME
from tests.docs_examples.test_examples import CITY_CA

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"


def a_route(interface: str, metric: int, destination: str = "00000000", mask: str = "00000000") -> str:
    return f"{interface}\t{destination}\t0100A8C0\t0003\t0\t0\t{metric}\t{mask}\t0\t0\t0\n"


@pytest.mark.parametrize(
    ("routes", "kind"),
    [
        ("", NO_LINK),
        (a_route("eth0", 100, "0000A8C0", "00FFFFFF"), NO_LINK),
        (a_route("eth0", 100), WIRED),
        (a_route("wlan0", 600), WIFI),
        (a_route("wwan0", 700), CELLULAR),
        (a_route("ppp0", 0), CELLULAR),
        (a_route("wwan0", 700) + a_route("eth0", 100), WIRED),
        (a_route("eth0", 1000) + a_route("wlan0", 600), WIFI),
    ],
)
def test_the_link_is_that_of_the_best_default_route(tmp_path: Path, routes: str, kind: int) -> None:
    (tmp_path / "route").write_text(HEAD + routes)
    (tmp_path / "net" / "wlan0" / "wireless").mkdir(parents=True)
    assert link_kind(tmp_path / "route", tmp_path / "net") == kind


def test_a_machine_without_a_route_table_has_no_link(tmp_path: Path) -> None:
    assert link_kind(tmp_path / "none") == NO_LINK


async def test_its_values_are_believable() -> None:
    box = Box(BoxSettings(), clock_synced=lambda: True)
    await box.read()
    for name, value in zip(box.metrics, await box.read(), strict=True):
        assert value is None or BY_NAME[name].low <= value <= BY_NAME[name].high, name
    known = dict(zip(box.metrics, await box.read(), strict=True))
    assert known["clock_synced"] == 1
    assert known["mem_pct"] is not None
    assert known["disk_pct"] is not None
    assert known["uptime_s"] is not None


async def test_it_tells_how_long_its_certificate_is_good_if_it_knows_the_date(tmp_path: Path) -> None:
    file = tmp_path / "box.pem"
    file.write_text(CITY_CA)

    async def told(synced: bool, certificate: Path | None) -> object:
        box = Box(BoxSettings(), clock_synced=lambda: synced, certificate=certificate)
        return dict(zip(box.metrics, await box.read(), strict=True))["cert_days"]

    left_days = (ends_s(file) - time.time()) / 86_400
    assert await told(True, file) == pytest.approx(left_days, abs=0.2)
    assert [await told(False, file), await told(True, None), await told(True, tmp_path / "none")] == [None] * 3


async def test_a_disk_that_is_not_there_is_no_value(tmp_path: Path) -> None:
    box = Box(BoxSettings(disk=tmp_path / "none"))
    assert dict(zip(box.metrics, await box.read(), strict=True))["disk_pct"] is None


async def test_while_one_look_hangs_no_second_thread_is_spent_on_it() -> None:
    may_end, looks = threading.Event(), []

    def hanging_clock() -> bool:
        looks.append(1)
        return may_end.wait(30)

    box = Box(BoxSettings(), clock_synced=hanging_clock)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await box.read()
    with pytest.raises(SourceError, match=r"hangs: check the disk"):
        await box.read()
    assert len(looks) == 1
    may_end.set()
    values: Values = ()
    async with asyncio.timeout(60):
        while not values:
            with suppress(SourceError):
                values = await box.read()
            await asyncio.sleep(0)
    assert dict(zip(box.metrics, values, strict=True))["clock_synced"] == 1
