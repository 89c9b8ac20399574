"""Faults as hypothesis' rules: any of them, in any order, then calm and the oracles."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from edge.dating import DIGITS, apart_ms
from kewang.wire.names import BOX_SOURCE
from tests.stateful import oracles
from tests.stateful.network import Memory
from tests.stateful.world import Setup, World, with_build

Rule = TypeVar("Rule", bound=Callable[..., None])

FAULTS = frozenset(
    [
        *("edge", "power", "clock", "recreate", "twin"),
        *("broker", "link"),
        *("gateway", "second", "shard"),
        *("database", "choke", "backup", "restore", "wipe", "rule"),
    ]
)
"""Of boxes, network, gateways and database."""

setups = st.builds(
    Setup,
    seed=st.integers(0, 2**16),
    loss=st.sampled_from([0.0, 0.02, 0.3]),
    duplicates=st.sampled_from([0.0, 0.1]),
    reordering=st.sampled_from([0.0, 0.2]),
    store_errors=st.sampled_from([0.0, 0.1, 0.4]),
    poison=st.sampled_from([0.0, 0.1]),
    wild=st.sampled_from([0.0, 0.1]),
    credit=st.sampled_from([20, 3]),
    trusted=st.booleans(),
)
budgets = st.sampled_from([50_000_000, 50_000_000, 60_000, 20_000])
pauses = st.floats(0.01, 30.0)
errors_ms = st.sampled_from([0, 0, 100_000, 3_600_000, -3_600_000])
HEARTBEATS_GRID_S = DIGITS * apart_ms(BOX_SOURCE) / 1000


def fault(name: str, **given: st.SearchStrategy[Any]) -> Callable[[Rule], Rule]:
    """A rule that a machine may leave out by its `faults`."""

    def wrap(function: Rule) -> Rule:
        allowed = precondition(lambda self: name in self.faults)
        return cast(Rule, allowed(rule(**given)(function)))  # type: ignore[call-overload]

    return wrap


class Line(RuleBasedStateMachine):
    """The line under fire. `faults` names those that may happen; `setup` puts other parts in."""

    faults = FAULTS

    @initialize(setup=setups, budget_bytes=budgets)
    def begin(self, setup: Setup, budget_bytes: int) -> None:
        room = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.folder = tempfile.TemporaryDirectory(prefix="kewang-line-", dir=room)
        setup = self.arranged(with_build(setup, budget_bytes=budget_bytes))
        self.world = World(setup, Path(self.folder.name))
        self.world.pass_s(3)

    def arranged(self, setup: Setup) -> Setup:
        """The world's setup; a test that takes a rule away changes it here."""
        return setup

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.world.calm()
            oracles.check(self.world)
        finally:
            self.world.close()
            self.folder.cleanup()

    @rule(seconds=pauses)
    def pass_time(self, seconds: float) -> None:
        self.world.pass_s(seconds)

    @fault("edge", box=st.integers(0, 1), down_s=st.floats(0.01, 6))
    def kill_edge(self, box: int, down_s: float) -> None:
        which = self.world.boxes[box % len(self.world.boxes)]
        self.world.do(which.kill())
        self.world.loop.call_later(down_s, which.start)
        self.world.pass_s(0.5)

    @fault("power", lying=st.booleans(), down_s=st.floats(0.1, 20), error_ms=errors_ms, trusted=st.booleans())
    def cut_power(self, lying: bool, down_s: float, error_ms: int, trusted: bool) -> None:
        which = self.world.boxes[-1]
        self.world.do(which.cut_power(lying=lying))
        self.world.loop.call_later(down_s, lambda: which.power_on(error_ms, trusted=trusted))
        self.world.pass_s(0.5)

    @fault("clock", error_ms=errors_ms, trusted=st.booleans())
    def step_the_clock(self, error_ms: int, trusted: bool) -> None:
        if (clock := self.world.boxes[0].clock) is not None:
            clock.error_ms, clock.trusted = error_ms, trusted

    @fault("gateway", down_s=st.floats(0.01, 12))
    def kill_gateway(self, down_s: float) -> None:
        world = self.world
        world.do(world.kill_gateway())
        world.loop.call_later(down_s, world.have_a_gateway)
        world.pass_s(0.5)

    @fault("second")
    def add_a_second_gateway(self) -> None:
        if len(self.world.gateways) < 2:
            self.world.loop.call_soon(self.world.add_gateway)
            self.world.pass_s(0.5)

    @fault("shard", overlap_s=st.floats(-3, 3))
    def move_the_shard(self, overlap_s: float) -> None:
        world = self.world
        world.loop.call_later(max(0.0, -overlap_s), world.add_gateway)
        if overlap_s > 0:
            world.pass_s(overlap_s)
        world.do(world.kill_gateway())
        world.pass_s(max(0.1, -overlap_s))

    @fault("broker", down_s=st.floats(0.05, 6), memory=st.sampled_from(["keep", "none", "old"]))
    def crash_the_broker(self, down_s: float, memory: Memory) -> None:
        self.world.loop.call_soon(self.world.broker.crash, down_s, memory)
        self.world.pass_s(0.2)

    @fault("link", back_s=st.floats(0.2, 90), silently=st.booleans())
    def cut_the_link(self, back_s: float, silently: bool) -> None:
        uplink = self.world.boxes[0].uplink
        self.world.loop.call_soon(lambda: uplink.cut(back_s, keepalive_s=10, silently=silently))
        self.world.pass_s(0.2)

    @fault("database", for_s=st.floats(0.1, 30))
    def database_away(self, for_s: float) -> None:
        self.world.loop.call_soon(self.world.database.go_down, for_s)
        self.world.pass_s(0.2)

    @fault("backup")
    def back_up(self) -> None:
        self.world.database.backup()

    @precondition(lambda self: "restore" in self.faults and self.world.database.backups)
    @rule(which=st.integers(0, 5))
    def restore(self, which: int) -> None:
        database = self.world.database
        self.world.do(database.restore(database.backups[which % len(database.backups)]))
        self.world.pass_s(1.1)

    @fault("wipe")
    def wipe_the_database(self) -> None:
        self.world.database.wipe()
        # Rewinds are numbered in seconds: two new databases within one second are beyond the protocol.
        self.world.pass_s(3)

    @fault("choke", for_s=st.floats(1, 40))
    def choke(self, for_s: float) -> None:
        """Writes fail though reads go on: the gateway gives no credit."""
        self.world.database.choke(self.world.loop.time() + for_s)

    @fault("recreate", down_s=st.floats(HEARTBEATS_GRID_S, 5), trusted=st.booleans())
    def replace_the_card(self, down_s: float, trusted: bool) -> None:
        """What the old one gave nobody knows: one that dates a heartbeat within the same half second meets it."""
        box = self.world.boxes[0]
        self.world.do(box.cut_power(lying=False))
        box.disk.throw_away()
        self.world.loop.call_later(down_s, lambda: box.power_on(0, trusted=trusted))

    @precondition(lambda self: "twin" in self.faults and len(self.world.boxes) == 1 and self.world.boxes[0].on)
    @rule(trusted=st.booleans())
    def clone_the_box(self, trusted: bool) -> None:
        world, box = self.world, self.world.boxes[0]
        if box.outbox is None or box.outbox.status().undated_batches:
            return
        world.boxes.append(box.twin(world.folder / "twin", world.broker))
        world.loop.call_soon(lambda: world.boxes[-1].power_on(0, trusted=trusted))
        world.pass_s(0.5)

    @fault("rule")
    def change_the_rule(self) -> None:
        self.world.database.strict = not self.world.database.strict


def gentle(setup: Setup) -> Setup:
    """`setup` on a good network, so that a test meets only the fault it is about."""
    return replace(setup, loss=0.0, duplicates=0.0, reordering=0.0, store_errors=0.0)
