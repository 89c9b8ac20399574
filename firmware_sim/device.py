"""One device of a fleet: what it makes, what waits for a name, and when there is something to do. No sockets."""

import math
import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from firmware_sim.truth import DEFAULT_METRICS, Truth
from kewang.wire.ack import Ack
from kewang.wire.batch import Batch, encode
from kewang.wire.state import State, Why

SOURCE: Final = "env-1"
LONGEST_WAIT: Final = 20
"""A batch is sent again after at most so many times the first wait."""


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """What a fleet does.

    `batches` of each device, 0 = until stopped. `interval_s` between two of them, 0 = as fast as the window allows;
    then the rows are `row_ms` apart and end now, else they are dated as they are made. `window`: batches of a device
    that may be unnamed at one time; None = the gateway's credit.
    """

    devices: int = 100
    connections: int = 4
    prefix: str = "fleet"
    seed: int = 1
    metrics: tuple[str, ...] = DEFAULT_METRICS
    rows: int = 30
    batches: int = 0
    interval_s: float = 10.0
    row_ms: int = 1000
    window: int | None = None
    resend_s: float = 30.0
    ahead: bool = False
    """Encode all batches before the first is published."""

    def __post_init__(self) -> None:
        if self.batches == 0 and (self.ahead or self.interval_s == 0):
            raise ValueError("a fleet at full speed or encoded ahead needs an end: give a number of batches")

    @property
    def step_ms(self) -> int:
        """Ms between two rows."""
        return max(1, int(self.interval_s * 1000 / self.rows)) if self.interval_s else self.row_ms

    def first_ms(self, now_ms: int) -> int:
        """Date (Unix ms) of each device's first row."""
        behind = self.rows if self.interval_s else self.batches * self.rows
        return now_ms - behind * self.step_ms

    def names(self) -> list[str]:
        """The device ids."""
        return [f"{self.prefix}-{index:05d}" for index in range(1, self.devices + 1)]


@dataclass(slots=True)
class Waiting:
    """A batch that no ack has named yet."""

    payload: bytes
    due_s: float
    wait_s: float


@dataclass(slots=True)
class Device:
    """One protocol client; every time is monotonic. Changed only under the fleet's lock."""

    name: str
    plan: FleetPlan
    truth: Truth
    t0_ms: int
    next_s: float = 0.0
    """When the next new batch is due; by this the devices of a paced fleet are spread."""
    run: str = field(default_factory=lambda: secrets.token_hex(6))
    number: int = 0
    credit: int = 0
    rewind: int = 0
    connects: int = 0
    due_s: float = math.inf
    """The one entry of the fleet's schedule that counts."""
    waiting: dict[int, Waiting] = field(default_factory=dict)
    ready: list[bytes] = field(default_factory=list)
    """Payloads encoded ahead, the next one last."""

    def encoded(self, number: int) -> bytes:
        """The payload of batch `number`."""
        step_ms, first = self.plan.step_ms, (number - 1) * self.plan.rows + 1
        rows: list[Sequence[Any]] = [
            (i * step_ms, *self.truth.row(self.name, first + i)) for i in range(self.plan.rows)
        ]
        t0_ms = self.t0_ms + (first - 1) * step_ms
        metrics = list(self.truth.metrics)
        return encode(Batch(self.run, number, SOURCE, 2, t0_ms, metrics, rows, self.rewind, up_ms=_mono_ms()))

    def encode_ahead(self) -> None:
        """Encode every batch of the plan."""
        self.ready = [self.encoded(number) for number in range(self.plan.batches, 0, -1)]

    def new(self, now_s: float) -> bytes | None:
        """The next new batch if one is due and the window has room; it waits from now on."""
        if now_s < self.next_s or self.finished or len(self.waiting) >= self.window:
            return None
        self.number += 1
        self.next_s += self.plan.interval_s
        payload = self.ready.pop() if self.ready else self.encoded(self.number)
        self.waiting[self.number] = Waiting(payload, now_s + self.plan.resend_s, self.plan.resend_s)
        return payload

    def again(self, now_s: float) -> list[bytes]:
        """The batches whose time without a name is over; their next wait is twice as long."""
        due = [waiting for waiting in self.waiting.values() if waiting.due_s <= now_s]
        for waiting in due:
            waiting.wait_s = min(2 * waiting.wait_s, LONGEST_WAIT * self.plan.resend_s)
            waiting.due_s = now_s + waiting.wait_s * random.uniform(0.8, 1.2)
        return [waiting.payload for waiting in due]

    def take(self, ack: Ack) -> int:
        """Obey an ack; how many batches it named."""
        self.credit, self.rewind = ack.cr, max(self.rewind, ack.rw)
        ranges = [(first, last) for run, first, last in ack.ok if run == self.run]
        named = [number for number in self.waiting if any(first <= number <= last for first, last in ranges)]
        for number in named:
            del self.waiting[number]
        return len(named)

    @property
    def window(self) -> int:
        """How many batches may wait. Without credit one, as an edge sends its newest heartbeat: it asks for an ack."""
        return max(1, self.credit) if self.plan.window is None else self.plan.window

    @property
    def finished(self) -> bool:
        """Whether every batch of the plan was made."""
        return 0 < self.plan.batches <= self.number

    def wake_s(self) -> float:
        """When there is something to do next without an ack."""
        new_s = math.inf if self.finished or len(self.waiting) >= self.window else self.next_s
        return min([new_s, *(waiting.due_s for waiting in self.waiting.values())])

    def birth(self) -> State:
        """What the device says of itself when it was just connected."""
        self.connects += 1
        why: Why = "power" if self.connects == 1 else "link"
        return State(st="on", bt=self.run, n=self.connects, up=_mono_ms(), rw=self.rewind, why=why)


def _mono_ms() -> int:
    return time.monotonic_ns() // 1_000_000
