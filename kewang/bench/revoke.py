"""`kewang bench revoke`: how long a box that is revoked can still do harm, and whether anybody else notices.

One broker under the real guard, the real gateway with its database, 300 boxes that publish in a process of their own.
First one box is revoked, then a hundred at once. Everything is measured at the box, at the broker's answer, and in the
database; nothing comes from the guard's own figures.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from kewang.bench.envelope import envelope
from kewang.bench.guard import Guard as Undertaker
from kewang.bench.line import prepare
from kewang.bench.process import Part, PartFailed, wait_for
from kewang.bench.provisioned import Identity, ProvisionedBroker, SecuredGateway, SpeakersProgram, now_ms
from kewang.bench.revoke_inventory import SABOTAGES, guard_of, inventory_of
from kewang.bench.speakers import Speaker, until
from kewang.bench.stored import SqliteDatabase
from provisioning.guard import Keeping, keep_guarded
from provisioning.guard.notes import Notes

ONE_LIMIT_MS: Final = 1000
HUNDRED_LIMIT_MS: Final = 3000
_VICTIM_S: Final = 0.005
_MANY_VICTIMS_S: Final = 0.1
_KNOCKS: Final = 2
"""A box that was refused tries so often again before it is believed to be out."""
_HANDSHAKES: Final = 10
"""Boxes that knock at one time."""
_SETTLE_S: Final = 1.0
_LIMIT_S: Final = 60.0

__all__ = ["SABOTAGES", "RevokePlan", "measure"]


@dataclass(frozen=True, slots=True)
class RevokePlan:
    """Sizes. `sabotage`: a part of the revocation that is left out, to be found out."""

    bystanders: int = 300
    many: int = 100
    interval_s: float = 1.0
    sabotage: str = "none"
    seed: int = 1


@dataclass
class Figures:
    """Of one revocation, ms after the act; None: it never happened. `dropped`: the last reading that was stored."""

    accepted: float | None = None
    cut: float | None = None
    refused: float | None = None
    dropped: float | None = None

    def late(self, limit_ms: float) -> list[str]:
        """Names of what came too late, or never."""
        return [f"{name}: {ms} ms" for name, ms in asdict(self).items() if ms is None or ms > limit_ms]


def measure(plan: RevokePlan, say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """The envelope. Raises MissingPart, PartFailed."""
    started_s = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="kewang-bench-"))
    undertaker = Undertaker(folder)
    try:
        with _city(folder, undertaker, plan, say) as city:
            one, hundred = city.revocations(plan, say)
            bystanders = city.bystanders()
    finally:
        undertaker.close()
        shutil.rmtree(folder, ignore_errors=True)
    figures: dict[str, Any] = {
        "one_ms": _rounded(one),
        "hundred_ms": _worst(hundred),
        "hundred": _rounded(hundred),
        "bystanders": plan.bystanders,
        "bystanders_lost": bystanders["lost_connections"],
        "messages_lost": bystanders["lost_messages"],
        "messages": bystanders["sent"],
        "dropped_by_gateway": city.dropped_by_gateway,
        "sabotage": plan.sabotage,
    }
    failed = [f"one box: {each}, the limit is {ONE_LIMIT_MS}" for each in one.late(ONE_LIMIT_MS)]
    failed += [f"{plan.many} boxes: {each}, the limit is {HUNDRED_LIMIT_MS}" for each in hundred.late(HUNDRED_LIMIT_MS)]
    failed += city.problems
    for key in ("bystanders_lost", "messages_lost"):
        failed += [f"{key} is {figures[key]}, not 0"] if figures[key] else []
    parts = ("mosquitto", "sqlite")
    return envelope("bench revoke", seed=plan.seed, parts=parts, started_s=started_s, failed=failed, figures=figures)


def _rounded(figures: Figures) -> dict[str, float | None]:
    return {name: None if ms is None else round(ms, 1) for name, ms in asdict(figures).items()}


def _worst(figures: Figures) -> float | None:
    told = [ms for ms in asdict(figures).values() if ms is not None]
    return round(max(told), 1) if len(told) == len(asdict(figures)) else None


@contextmanager
def _city(folder: Path, undertaker: Undertaker, plan: RevokePlan, say: Callable[[str], None]) -> Iterator[_City]:
    """Everything runs and speaks; nothing outlives the block."""
    broker = ProvisionedBroker(folder / "broker", guard=guard_of(plan.sabotage))
    broker.part.guard = undertaker
    say(f"certificates for {plan.bystanders + plan.many + 1} boxes")
    with broker:
        city = _City(folder, broker, plan)
        parts: list[Part] = [city.gateway, city.speakers]
        running: list[Part] = []
        try:
            prepare(city.gateway.store_url)
            for part in parts:
                part.guard = undertaker
                running.append(part)
                part.start()
            wait_for(lambda: city.gateway.get("/ready") is not None, _LIMIT_S)
            say(f"{plan.bystanders} boxes publish")
            with city.kept():
                yield city
        except TimeoutError:
            raise PartFailed(f"the gateway is not ready:\n{city.gateway.log_tail()}") from None
        finally:
            for part in reversed(running):
                part.stop()


class _City:
    """The processes and the boxes that will be revoked."""

    def __init__(self, folder: Path, broker: ProvisionedBroker, plan: RevokePlan) -> None:
        self.broker, self.inventory = broker, inventory_of(plan.sabotage)
        self.database = SqliteDatabase(folder / "kewang.db")
        service = broker.as_service("gateway")
        self.gateway = SecuredGateway(folder / "gateway", service, f"sqlite:///{self.database.file}")
        bystanders = [broker.enrol(f"amb-box-by-{number:03d}") for number in range(plan.bystanders)]
        self.victims = [broker.enrol(f"amb-box-out-{number:03d}") for number in range(plan.many + 1)]
        papers = [broker.papers(each) for each in bystanders]
        self.speakers = SpeakersProgram(folder / "speakers", papers, broker.gateway_papers(), plan.interval_s)
        self.inventory.lives |= {each.name: "installed" for each in [*bystanders, *self.victims]}
        self.problems: list[str] = []
        self._at_once = asyncio.Semaphore(_HANDSHAKES)
        self.dropped_by_gateway = 0

    @contextmanager
    def kept(self) -> Iterator[None]:
        """The guard's loops, in a thread of their own as they are in a process of their own."""
        stop, ready, before = threading.Event(), threading.Event(), self.broker.guard.memory.notes()

        async def run() -> None:
            stopping = asyncio.Event()
            wanted, placements = self.inventory.wanted, self.inventory.placements
            keeping = Keeping(wanted, placements, self.broker.as_service("provisioning"))
            ready.set()
            keeper = asyncio.create_task(keep_guarded(self.broker.guard, keeping, stopping))
            await asyncio.to_thread(stop.wait)
            stopping.set()
            await keeper

        thread = threading.Thread(target=lambda: asyncio.run(run()), name="keeper")
        thread.start()
        ready.wait()
        try:
            self._until_kept(before)
            yield
        finally:
            stop.set()
            thread.join()

    def _until_kept(self, before: Notes) -> None:
        """Until the loops have proven what was wanted when they began. Raises PartFailed."""

        def proven() -> bool:
            notes = self.broker.guard.memory.notes()
            return notes.nonce != before.nonce and not notes.pending

        try:
            wait_for(proven, _LIMIT_S)
        except TimeoutError:
            raise PartFailed(f"the guard proves nothing: {self.broker.guard.alarms()}") from None

    def revocations(self, plan: RevokePlan, say: Callable[[str], None]) -> tuple[Figures, Figures]:
        """One box, then many."""
        before = self._dropped_for_life()
        say("revoking one")
        one = asyncio.run(self._revoked(self.victims[:1], _VICTIM_S))
        say(f"revoking {plan.many}")
        many = asyncio.run(self._revoked(self.victims[1:], _MANY_VICTIMS_S))
        self.dropped_by_gateway = self._dropped_for_life() - before
        if not self.dropped_by_gateway:
            self.problems.append("the gateway dropped nothing itself: it was not told of the revocation in time")
        return one, many

    def bystanders(self) -> dict[str, int]:
        """What became of them. Raises PartFailed."""
        self.speakers.stop()
        return self.speakers.report()

    async def _revoked(self, boxes: Sequence[Identity], interval_s: float) -> Figures:
        """Let `boxes` speak, revoke them, and see what they can do from then on."""
        stopping, self._at_once = asyncio.Event(), asyncio.Semaphore(_HANDSHAKES)
        speakers = [Speaker(self.broker.papers(box), interval_s) for box in boxes]
        await asyncio.gather(*(each.connect() for each in speakers))
        speaking = [asyncio.create_task(self._life_of(each, stopping)) for each in speakers]
        await until(lambda: all(each.accepted >= 3 for each in speakers), _LIMIT_S)
        act_s, act_ms = time.monotonic(), now_ms()
        self.inventory.revoke(boxes)
        with suppress(TimeoutError):
            await until(lambda: all(each.cut_s for each in speakers), 2 * HUNDRED_LIMIT_MS / 1000)
        stopping.set()
        knocks = await asyncio.gather(*speaking)
        for _ in range(_KNOCKS):
            again = [await self._knock(each) for each in speakers]
            knocks = [None if late is None else first for first, late in zip(knocks, again, strict=True)]
        return self._figures(speakers, knocks, act_s, act_ms)

    def _figures(
        self, speakers: Sequence[Speaker], knocks: Sequence[float | None], act_s: float, act_ms: int
    ) -> Figures:
        def since(moments: Sequence[float | None]) -> float | None:
            told = [max(0.0, 1000 * (each - act_s)) for each in moments if each is not None]
            return max(told) if len(told) == len(moments) else None

        return Figures(
            accepted=since([each.last_accepted_s for each in speakers]),
            cut=since([each.cut_s for each in speakers]),
            refused=since(knocks),
            dropped=self._last_stored({each.papers.name for each in speakers}, act_ms),
        )

    async def _life_of(self, speaker: Speaker, stopping: asyncio.Event) -> float | None:
        """Speak until cut off, then come again at once; when it was refused, None if it is let in."""
        await speaker.speak(stopping)
        return await self._knock(speaker)

    async def _knock(self, speaker: Speaker) -> float | None:
        """When it was refused; None if it is let in."""
        async with self._at_once:
            try:
                await speaker.connect()
            except OSError:
                return time.monotonic()
        await speaker.close()
        return None

    def _last_stored(self, names: set[str], act_ms: int) -> float | None:
        """Ms from the act to the newest reading of `names` that the database holds, once nothing more comes."""
        seen, since_s = -1, time.monotonic()
        until_s = since_s + _LIMIT_S
        while time.monotonic() - since_s < _SETTLE_S and time.monotonic() < until_s:
            count = sum(self.database.count(device=name) for name in names)
            if count != seen:
                seen, since_s = count, time.monotonic()
            time.sleep(0.1)
        dates = [date_ms for tags, date_ms, _ in self.database.rows("env") if tags["device"] in names]
        return max(0.0, float(max(dates) - act_ms)) if dates else None

    def _dropped_for_life(self) -> int:
        text = (self.gateway.get("/metrics") or b"").decode()
        lines = [line for line in text.splitlines() if "dropped_total" in line and 'reason="life"' in line]
        return int(sum(float(line.rpartition(" ")[2]) for line in lines))
