"""The line with one rule of the protocol taken away: parts that a test puts in place of the real ones."""

import json
import random
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from edge.delivery import Delivery
from edge.ports import Applied, Clock, Draft, Entry, Outbox
from gateway.intake import Work
from gateway.pipeline import Pipeline
from gateway.writer import Outcome
from kewang.wire.ack import Ack
from kewang.wire.batch import MAX_DATE_MS
from kewang.wire.timers import Timers
from tests.stateful.disk import Disk, WatchedOutbox
from tests.stateful.machine import gentle
from tests.stateful.world import Setup, with_build


class AcknowledgesBeforeWritten(Pipeline):
    """Names a batch when it is queued."""

    def offer(self, work: Work) -> bool:
        if not isinstance(work.name, int):
            self.acks.stored(work.device, *work.name, self.acks.rewind)
        return super().offer(work)


class CountsForTheRewindAtTheEnd(Pipeline):
    """Takes a write for the rewind that is known when it ends."""

    def _name(self, works: list[Work], outcome: Outcome, rewind: int) -> None:
        super()._name(works, outcome, self.acks.rewind)


class ObeysALowerRewind(WatchedOutbox):
    """Marks what an ack with an older rewind names."""

    def apply(self, ack: Ack, unreadable: Mapping[int, int]) -> Applied | None:
        return super().apply(ack.model_copy(update={"rw": max(ack.rw, self.rewind)}), unreadable)


class ReopensNothing(WatchedOutbox):
    """Obeys a rewind without opening a batch."""

    def apply(self, ack: Ack, unreadable: Mapping[int, int]) -> Applied | None:
        return super().apply(ack.model_copy(update={"rf": MAX_DATE_MS}), unreadable)


class SameRunForEver(WatchedOutbox):
    """Names batches by the outbox's own order instead of (run, number): names return after a lost transaction."""

    def body(self, order: int) -> bytes | None:
        body = super().body(order)
        if body is None:
            return None
        said = {"v": 1} | json.loads(body) | {"bt": "same", "q": order}
        return json.dumps(said, separators=(",", ":")).encode()

    def apply(self, ack: Ack, unreadable: Mapping[int, int]) -> Applied | None:
        orders = {order for run, low, high in ack.ok if run == "same" for order in range(low, high + 1)}
        open_ones = [entry for entry in self.oldest_open(10_000, ()) if entry.order in orders]
        mine = tuple((entry.run, entry.number, entry.number) for entry in open_ones)
        return super().apply(ack.model_copy(update={"ok": mine, "nk": ()}), unreadable)


class SendsBeforeTheDateIsKept(WatchedOutbox):
    """Sends in the same breath as it is dated."""

    @property
    def sendable(self) -> bool:
        return self.anchor_ms is not None


class SameDigitForEver(WatchedOutbox):
    """Forgets at every start that it dated boots before."""

    def __init__(self, disk: Disk, budget_bytes: int, boot: str, timers: Timers, now_s: Callable[[], float]) -> None:
        super().__init__(disk, budget_bytes, boot, timers, now_s)
        with closing(sqlite3.connect(disk.path)) as db, db:
            db.execute("DELETE FROM meta WHERE key = 'datings'")


class NoLiveLane(Delivery):
    """New batches wait behind the old ones."""

    def commit(self, drafts: Sequence[Draft]) -> list[Entry]:
        entries = super().commit(drafts)
        self._live.clear()
        return entries


def no_live_lane(outbox: Outbox, clock: Clock, timers: Timers, rng: random.Random) -> Delivery:
    """See NoLiveLane."""
    return NoLiveLane(outbox, clock, timers, rng)


@dataclass(frozen=True)
class RuleOff:
    """A rule, the faults under which it matters, and the oracle that notices its absence."""

    faults: str
    noticed: str
    pipeline: type[Pipeline] = Pipeline
    outbox: type[WatchedOutbox] = WatchedOutbox
    live_lane: bool = True
    fixed: Mapping[str, object] = field(default_factory=dict)
    """What of the setup is not left to chance."""
    seed: int | None = None
    """Where the search begins, for a rule that is needed in few stories: with it one of the first dozen tells."""

    def arranged(self, setup: Setup) -> Setup:
        """`setup` without the rule, on a good network."""
        setup = replace(gentle(setup), pipeline=self.pipeline, **self.fixed)  # type: ignore[arg-type]
        setup = with_build(setup, outbox=self.outbox)
        return setup if self.live_lane else with_build(setup, delivery=no_live_lane)

    def kept(self) -> "RuleOff":
        """The same arrangement with the rule in force, in the same stories."""
        return RuleOff(self.faults, self.noticed, fixed=self.fixed, seed=self.seed)


RULES = {
    "acknowledge only what is written": RuleOff("gateway database", "I3", pipeline=AcknowledgesBeforeWritten, seed=12),
    "ignore a lower rewind": RuleOff("backup restore second", "I3", outbox=ObeysALowerRewind, seed=11),
    "a rewind reopens": RuleOff("backup restore", "I3", outbox=ReopensNothing),
    "a write counts for the rewind at its start": RuleOff(
        "backup restore", "I3", pipeline=CountsForTheRewindAtTheEnd, fixed={"store_lag_s": 2.0}, seed=5
    ),
    "every start is a new run": RuleOff("edge power recreate", "I3|I4", outbox=SameRunForEver),
    "a boot has a digit of its own": RuleOff(
        "power", "I5", outbox=SameDigitForEver, fixed={"trusted": True, "error_ms": 100_000}, seed=6
    ),
    "a date is kept before it is sent": RuleOff("power choke", "I5", outbox=SendsBeforeTheDateIsKept),
    "live readings pass the backlog": RuleOff("link", "I6", live_lane=False, fixed={"credit": 1}),
}
