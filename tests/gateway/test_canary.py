"""The daily test through the gateway's own parts: engine, budget, routes, outbox; who hears of it and who does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.canary import CanaryLook
from gateway.incidents.canary import CANARY
from gateway.incidents.engine_rules import EngineRules
from gateway.incidents.watch import WatchRules
from gateway.notify.routes import NotifySettings
from gateway.settings import CanarySettings
from gateway.watched import canary_of, open_watched
from tests.fakes import MemoryStore
from tests.gateway.serving import console
from tests.gateway.watch_house import BOXES, NOTIFY, House

BIRD = BOXES[3]
TESTED = NotifySettings.model_validate(
    {
        "channels": {name: {"kind": "webhook", "url": f"https://{name}.example/"} for name in ("chat", "desk")},
        "recipients": {
            "shift": {"language": "en", "addresses": {"chat": "1"}},
            "test": {"language": "id", "addresses": {"chat": "2", "desk": "3"}},
        },
        "routes": [{"to": ["shift"], "by": ["chat"]}, {"to": ["test"], "by": ["chat", "desk"], "kinds": ["canary"]}],
    }
)


class Aviary(House):
    """With a canary; `carries`: whether the channel delivers."""

    carries = True

    def open(self) -> None:
        rules = WatchRules(engine=EngineRules(canary=BIRD))
        self.watched = open_watched(self.folder, rules, self.notify, self.clock)
        self.settle()
        self.canary = canary_of(CanarySettings(device=BIRD), self.watched)
        self.watched.watching.canary = self.canary

    async def live(self, seconds: int) -> None:
        look = CanaryLook(self.canary, self.watched.outbox, self.watched.watching.now_s)
        for _ in range(seconds // 10):
            self.troubles = {"canary": self.canary.trouble(self.watched.watching.now_s())}
            await super().live(10)
            now_s = self.watched.watching.now_s()
            while self.carries and (claimed := self.watched.outbox.claim("chat", now_s)):
                self.watched.outbox.delivered(claimed.row, "r1", now_s)
            self.watched.outbox.instead(now_s)
            await look.look()

    def heard(self) -> list[tuple[str, str]]:
        """(recipient, what), oldest first."""
        rows = self.watched.outbox.rows()[::-1]
        return [(row.recipient, row.key.partition("-")[2]) for row in rows]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Aviary]:
    made = Aviary(tmp_path, notify=TESTED)
    yield made
    made.watched.close()


async def test_only_who_asked_for_it_by_name_hears_of_it_and_it_arrives(house: Aviary) -> None:
    await house.live(300)
    house.silent = {BIRD}
    await house.live(300)
    assert house.heard() == [("2", "1-opened")]
    assert house.told() == ["[CATATAN] Uji harian: amb-box-3 senyap, memang seharusnya (#1)"]
    assert (house.canary.kept()["drill"], house.canary.trouble(house.watched.watching.now_s())) == (None, None)
    assert (len(house.watched.watching.open), house.watched.open_incidents()) == (1, 0)
    house.silent = set()
    await house.live(900)
    assert house.heard() == [("2", "1-opened"), ("2", "1-resolved")]


async def test_one_that_does_not_arrive_is_told_to_all_and_ends_with_the_next_that_does(house: Aviary) -> None:
    await house.live(300)
    house.carries, house.silent = False, {BIRD}
    await house.live(200)
    house.restart()
    await house.live(700)
    house.silent = set()
    subjects = [subject for subject in house.told() if "CRITICAL" in subject]
    assert subjects == ["[CRITICAL] The gateway has trouble: the daily test of the notices did not arrive (#2)"]
    house.carries = True
    await house.live(900)
    assert house.canary.trouble(house.watched.watching.now_s()) is not None
    house.silent = {BIRD}
    await house.live(500)
    assert house.canary.trouble(house.watched.watching.now_s()) is None
    assert any("Over: The gateway has trouble: the daily test" in subject for subject in house.told())


async def test_a_slow_first_channel_is_well_the_second_one_is_not_asked(house: Aviary) -> None:
    await house.live(300)
    house.carries, house.silent = False, {BIRD}
    await house.live(400)
    assert [to for to, _ in house.heard()] == ["2", "3"]
    house.carries = True
    await house.live(400)
    assert (house.canary.kept()["drill"], house.canary.trouble(house.watched.watching.now_s())) == (None, None)


async def test_one_killed_before_it_knew_its_notice_finds_it_all_the_same(house: Aviary) -> None:
    await house.live(300)
    house.carries, house.silent = False, {BIRD}
    await house.live(200)
    assert house.canary.drill is not None
    house.canary.drill.keys = []
    house.carries = True
    await house.live(20)
    assert (house.canary.kept()["drill"], house.canary.trouble(house.watched.watching.now_s())) == (None, None)


async def test_without_a_route_that_names_it_nobody_hears_and_that_is_trouble(tmp_path: Path) -> None:
    house = Aviary(tmp_path, notify=NOTIFY)
    await house.live(300)
    house.silent = {BIRD}
    await house.live(800)
    kinds = {one.kind for one in house.watched.watching.open.values()}
    assert kinds == {CANARY, "self"}
    assert house.told() == ["[CRITICAL] The gateway has trouble: the daily test of the notices did not arrive (#2)"]
    house.watched.close()


async def test_the_page_calls_it_a_test_and_counts_no_open_incident(house: Aviary) -> None:
    await house.live(300)
    house.silent = {BIRD}
    await house.live(300)
    async with console(MemoryStore(), incidents=house.watched) as shown:
        page = await shown.text("/incidents?lang=en")
        assert "No open incident" in page
        assert f"Daily test: {BIRD} is silent, as it must be" in page
        shown.facts.trouble = "no answer"
        assert "The gateway does not know" in await shown.text("/incidents?lang=en")
