"""What each step of the gateway costs a batch, in one process and without any other part: where to look next.

Processor time of the thread, the least of some goes through the same few hundred batches. What the kernel, the event
loop and HTTP cost is not in here: the bench of the whole line has it.
"""

import time
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final

from firmware_sim.device import Device, FleetPlan
from firmware_sim.truth import Truth
from gateway.acks import Acks
from gateway.influx1_sink import Influx1Store
from gateway.intake import Intake, Work
from gateway.late import LateMarks
from gateway.line_protocol import encode
from gateway.metrics import GatewayMetrics
from gateway.mqtt_packets import Cutter, publish, published
from gateway.ports import Message, Table
from gateway.queue import WorkQueue
from gateway.registry import Registry
from kewang.runtime.clock import SystemClock
from kewang.wire import topics
from kewang.wire.batch import inflate
from kewang.wire.timers import Timers

_GOES: Final = 25
_DEVICES: Final = 60
_BATCHES: Final = 5


class Steps:
    """The parts of a gateway, and batches of `rows` rows for them."""

    def __init__(self, rows: int) -> None:
        plan = FleetPlan(devices=_DEVICES, rows=rows, batches=_BATCHES, interval_s=0, row_ms=100, ahead=True)
        truth, t0_ms = Truth(plan.seed), plan.first_ms(time.time_ns() // 1_000_000)
        self.packets: list[bytes] = []
        for name in plan.names():
            device = Device(name, plan, truth, t0_ms)
            device.encode_ahead()
            self.packets += [publish(topics.build(name, "d/env"), payload, 1) for payload in device.ready]
        self.clock, self.acks = SystemClock("trusted"), Acks("gateway", 1000)
        self.intake = Intake(self.acks, Registry(), self.clock, Timers(), 14, GatewayMetrics())
        self.late = LateMarks(Influx1Store("http://127.0.0.1:8086", "kewang"), self.clock, "gateway")
        self.messages = self.hear()
        self.works = self.take()

    def hear(self) -> list[Message]:
        """Bytes of the broker, cut into messages."""
        return [
            Message(*published(first, rest)[::2], bool(first & 1))
            for first, rest, _ in Cutter().packets(b"".join(self.packets))
        ]

    def inflate(self) -> list[bytes]:
        """The first part of `take`."""
        return [inflate(message.payload) for message in self.messages]

    def take(self) -> list[Work]:
        """Read, judge, count, remember."""
        return list(filter(None, map(self.intake.take, self.messages)))

    def queue(self) -> None:
        """In and out."""
        queue = WorkQueue(len(self.works))
        for work in self.works:
            queue.offer(work)
        for work in self.works:
            queue.done(work)

    def name(self) -> None:
        """Stored, so that an ack is due."""
        for work in self.works:
            assert isinstance(work.name, tuple)
            self.acks.stored(work.device, *work.name, 0)
            self.acks.want(work.device, 0)

    def lines(self) -> bytes:
        """Late marks and line protocol."""
        tables: list[Table] = [table for work in self.works for table in work.tables]
        return encode([*tables, *self.late.of(tables)])

    def ack(self) -> list[bytes]:
        """An ack for each batch; a device gets one a second at most."""
        return [self.acks.ack(work.device, 20, 0, None).fitted() for work in self.works]


def measure() -> dict[str, tuple[float, float]]:
    """us of each step: of a batch of 30 rows, and of a message of one."""
    many, one = _measured(Steps(30)), _measured(Steps(1))
    return {step: (many[step], one[step]) for step in many}


def table(measured: Mapping[str, tuple[float, float]]) -> list[dict[str, Any]]:
    """As rows. `inflate` is a part of `take`."""
    return [{"step": step, "batch_of_30": many, "message_of_1": one} for step, (many, one) in measured.items()]


def _measured(steps: Steps) -> dict[str, float]:
    tried: list[Callable[[], object]] = [
        steps.hear, steps.inflate, steps.take, steps.queue, steps.name, steps.lines, steps.ack
    ]  # fmt: skip
    least = dict.fromkeys((one.__name__ for one in tried), inf)
    for _ in range(_GOES):
        for one in tried:
            began_s = time.thread_time()
            one()
            least[one.__name__] = min(least[one.__name__], time.thread_time() - began_s)
    return {name: round(1e6 * spent_s / len(steps.works), 1) for name, spent_s in least.items()}
