"""The dead man's switch: it is asked only while all of us is proven to be well, and tells its own failures late."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.health import StoreHealth
from gateway.metrics import GatewayMetrics
from gateway.ping import LASTS_S, Ping
from gateway.ports import Misconfigured, RetryLater
from gateway.settings import PingSettings
from kewang.runtime.settings import SettingsError
from tests.gateway.notify.messengers import Messenger, messenger, until
from tests.gateway.watch_house import House

TOKEN = "4f1e0c9a-77d2-a-secret"
WELL = None


class Hand:
    """A clock that a test turns."""

    at_s = 1000.0

    def now_s(self) -> float:
        return self.at_s


def written(folder: Path, url: str) -> Path:
    file = folder / "ping.url"
    file.write_text(url)
    file.chmod(0o600)
    return file


def ping_of(folder: Path, url: str, hand: Hand) -> Ping:
    settings = PingSettings(url_file=written(folder, url), allowed=["127.0.0.1"], plain_http=True)
    return Ping(settings, hand.now_s, (0.0, 0.0, 0.0))


@pytest.fixture
async def watcher() -> AsyncIterator[Messenger]:
    async with messenger() as one:
        yield one


async def asked(ping: Ping, doubt: str | None = WELL) -> None:
    await ping.turn(lambda: doubt)


async def test_it_is_asked_while_well_and_never_in_doubt(tmp_path: Path, watcher: Messenger) -> None:
    ping = ping_of(tmp_path, f"{watcher.url}/{TOKEN}", Hand())
    await asked(ping, "no connection to the broker")
    assert watcher.requests == []
    await asked(ping)
    assert [request.path for request in watcher.requests] == [f"/{TOKEN}"]
    await ping.close()


async def test_it_goes_on_by_itself_until_it_is_ended(tmp_path: Path, watcher: Messenger) -> None:
    hand = Hand()
    ping = ping_of(tmp_path, f"{watcher.url}/{TOKEN}", hand)

    def well() -> None:
        hand.at_s += 60  # the next one is due at once

    running = asyncio.create_task(ping.run(well))
    await until(lambda: len(watcher.requests) >= 3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_few_tries_then_it_waits_for_the_next_one(tmp_path: Path, watcher: Messenger) -> None:
    ping = ping_of(tmp_path, f"{watcher.url}/{TOKEN}", Hand())
    watcher.will("500", "reset")
    await asked(ping)
    assert (len(watcher.requests), ping.trouble) == (3, None)
    watcher.will("500", "500", "500")
    await asked(ping)
    assert len(watcher.requests) == 6
    watcher.will("404")
    await asked(ping)
    assert len(watcher.requests) == 7, "what a person must mend is not tried again"
    await ping.close()


async def test_only_what_lasts_is_trouble_told_once_and_without_the_address(
    tmp_path: Path, watcher: Messenger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    hand = Hand()
    ping = ping_of(tmp_path, f"{watcher.url}/{TOKEN}?key={TOKEN}", hand)
    watcher.will(*["404"] * 3)
    for minutes in range(2):
        await asked(ping)
        assert ping.trouble is None, minutes
        hand.at_s += LASTS_S / 2
    await asked(ping)
    assert ping.trouble is not None
    assert "404" in ping.trouble
    await asked(ping)
    assert ping.trouble is None
    told = [record.getMessage() for record in caplog.records if record.name == "gateway.ping"]
    assert [text.partition("does not")[0] == text for text in told] == [False, True]
    assert TOKEN not in caplog.text + str(told)
    await ping.close()


async def test_a_watcher_that_sends_us_elsewhere_is_not_followed(tmp_path: Path, watcher: Messenger) -> None:
    async with messenger() as inside:
        ping = ping_of(tmp_path, f"{watcher.url}/{TOKEN}", Hand())
        watcher.will(f"away {inside.url}/")
        await asked(ping)
        assert inside.requests == []
        with pytest.raises(Misconfigured, match="302"):
            watcher.will(f"away {inside.url}/")
            await ping._ask()
        await ping.close()


@pytest.mark.parametrize("url", ["https://10.0.0.5/x", "http://hc.example/x", "https://[::1", "hc.example"])
def test_an_address_that_is_not_allowed_is_told_at_the_start(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match=r"incidents\.ping\.url_file"):
        Ping(PingSettings(url_file=written(tmp_path, url)), Hand().now_s)


async def test_each_part_that_is_not_well_is_a_doubt(tmp_path: Path) -> None:
    house = House(tmp_path)
    watched, health = house.watched, StoreHealth(house.clock, GatewayMetrics())

    def doubt(*, connected: bool = True, stuck: tuple[str, ...] = ()) -> str | None:
        return watched.doubt(connected, health.failing, stuck)

    assert doubt() is not None, "nothing has answered yet"
    health.succeeded()
    assert doubt() == "no message of our own comes through the broker"
    await house.live(20)
    assert doubt() is None
    health.failed(RetryLater("busy"))
    assert doubt() == "busy"
    health.succeeded()
    assert doubt(connected=False) == "no connection to the broker"
    assert doubt(stuck=("report",)) == "stuck: report"
    watched.delivery.troubles["chat"] = "refused"
    assert doubt() == "chat: refused"
    watched.close()


async def test_a_watch_that_can_not_keep_or_does_not_go_on_is_a_doubt(tmp_path: Path) -> None:
    house = House(tmp_path)
    watched = house.watched
    await house.live(20)
    watched.outbox._db.execute("ALTER TABLE kept RENAME TO gone")
    await house.live(40)
    assert watched.watching.doubt() == "outbox can't be written: no such table: kept"
    watched.outbox._db.execute("ALTER TABLE gone RENAME TO kept")
    await house.live(40)
    assert watched.watching.doubt() is None
    house.clock.pass_s(50)
    watched.watching.looped()
    assert watched.watching.doubt() == "the watch for outages does not go on"
    watched.close()


async def test_what_was_wrong_before_a_restart_is_over_after_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.live(100)
    house.troubles = {"notify": "chat: refused"}
    await house.live(100)
    assert len(house.watched.watching.open) == 1
    house.troubles = {"notify": None}
    house.restart()
    await house.live(200)
    assert not house.watched.watching.open
    house.watched.close()
