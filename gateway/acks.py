"""What the gateway remembers of each device, and when it is time to tell it. Lost at will: that costs a resend.

No I/O and no clock of its own; monotonic ms come as arguments.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from gateway.ports import Rewind
from kewang.wire.ack import MAX_LABELS, MAX_RANGES, Ack
from kewang.wire.batch import MAX_REWIND

MAX_DEVICES = 200_000
MAX_UNREADABLE = 16


@dataclass(slots=True)
class Memory:
    """One device: facts that hold for rewind `facts_rewind`, and what its next ack answers."""

    ranges: list[tuple[str, int, int]] = field(default_factory=list)
    """(run, first, last) stored or quarantined, the one changed last at the end."""
    labels: OrderedDict[tuple[str, int], str] = field(default_factory=OrderedDict)
    unreadable: deque[int] = field(default_factory=lambda: deque(maxlen=MAX_UNREADABLE))
    facts_rewind: int = 0
    device_rewind: int = 0
    answers: tuple[str, int] | None = None
    last_ack_ms: int | None = None

    def covers(self, run: str, number: int) -> bool:
        """Whether a range names this batch."""
        return any(r == run and first <= number <= last for r, first, last in self.ranges)


class Acks:
    """Facts per device and the queue of acks that are due."""

    def __init__(self, gateway: str, interval_ms: int) -> None:
        self.gateway = gateway
        self._interval_ms = interval_ms
        self._devices: OrderedDict[str, Memory] = OrderedDict()
        self._due: OrderedDict[str, int] = OrderedDict()
        self._rewinds: list[Rewind] = []
        self.rewind = 0
        """The highest rewind the database knows."""
        self._ahead: dict[str, int] = {}
        self.devices_ahead = 0
        """Devices that obeyed a rewind which the database, as read last, does not know: it was restored, and nobody
        told the devices. They take no ack and hold everything."""

    @property
    def rewinds(self) -> list[Rewind]:
        """As the database has them, by number."""
        return self._rewinds

    @rewinds.setter
    def rewinds(self, rewinds: list[Rewind]) -> None:
        # Counted here: between two reads a device may have learned of a new rewind from another gateway.
        self._rewinds = rewinds
        self.rewind = rewinds[-1].number if rewinds else 0
        self._ahead = {device: number for device, number in self._ahead.items() if number > self.rewind}
        self.devices_ahead = len(self._ahead)

    def heard(self, device: str, run: str, up_ms: int, device_rewind: int) -> None:
        """A birth or a batch came: the next ack answers it."""
        memory = self._memory(device)
        memory.answers, memory.device_rewind = (run, up_ms), device_rewind
        if self.rewind < device_rewind <= MAX_REWIND:
            self._ahead[device] = device_rewind
        elif device in self._ahead:
            del self._ahead[device]

    def stored(self, device: str, run: str, number: int, rewind: int, why: str | None = None) -> None:
        """A batch is stored, or quarantined in part (`why`), by a write that began under `rewind`."""
        if rewind != self.rewind:
            return
        memory = self._fresh(device)
        memory.ranges = _united(memory.ranges, run, number)[-MAX_RANGES:]
        if why is not None:
            memory.labels[run, number] = why
            while len(memory.labels) > MAX_LABELS:
                memory.labels.popitem(last=False)

    def unreadable(self, device: str, crc: int) -> None:
        """A message that can't be read as a batch is in quarantine."""
        memory = self._fresh(device)
        if crc not in memory.unreadable:
            memory.unreadable.append(crc)

    def want(self, device: str, now_ms: int) -> None:
        """Tell the device soon: at once, or when its last ack is old enough."""
        if device not in self._due:
            last_ms = self._memory(device).last_ack_ms
            self._due[device] = now_ms if last_ms is None else max(now_ms, last_ms + self._interval_ms)

    def due(self, now_ms: int) -> list[str]:
        """Devices to be told now; each is taken off the queue."""
        devices = [device for device, at_ms in self._due.items() if at_ms <= now_ms]
        for device in devices:
            del self._due[device]
        return devices

    def wait_ms(self, now_ms: int) -> int:
        """How long until every device that waits for an ack may have it."""
        return max([at_ms - now_ms for at_ms in self._due.values()], default=0)

    def ack(self, device: str, credit: int, now_ms: int, time_ms: int | None) -> Ack:
        """The ack for `device`; `time_ms` is the gateway's time if its clock is synchronised."""
        memory = self._fresh(device)
        memory.last_ack_ms = now_ms
        return Ack(
            g=self.gateway,
            rw=self.rewind,
            rf=self._reopen_since(memory.device_rewind),
            ok=tuple(memory.ranges),
            nk=tuple((run, number, why) for (run, number), why in memory.labels.items() if memory.covers(run, number)),
            bad=tuple(memory.unreadable),
            cr=credit,
            gt=time_ms,
            re=memory.answers,
        )

    def _reopen_since(self, device_rewind: int) -> int:
        """`rf`: the lowest of all rewinds above the device's; 0 (all) if the database does not know the device's."""
        newer = [rewind.since_ms for rewind in self.rewinds if rewind.number > device_rewind]
        known = any(rewind.number == device_rewind for rewind in self.rewinds)
        return min(newer) if newer and known else 0

    def _fresh(self, device: str) -> Memory:
        """The device's memory, its facts forgotten if the rewind rose since."""
        memory = self._memory(device)
        if memory.facts_rewind != self.rewind:
            memory.ranges, memory.facts_rewind = [], self.rewind
            memory.labels.clear()
            memory.unreadable.clear()
        return memory

    def _memory(self, device: str) -> Memory:
        memory = self._devices.get(device)
        if memory is None:
            memory = self._devices[device] = Memory(facts_rewind=self.rewind)
            if len(self._devices) > MAX_DEVICES:
                forgotten, _ = self._devices.popitem(last=False)
                self._ahead.pop(forgotten, None)
        else:
            self._devices.move_to_end(device)
        return memory


def _united(ranges: list[tuple[str, int, int]], run: str, number: int) -> list[tuple[str, int, int]]:
    """`ranges` with `number` put in; the range that holds it comes last."""
    first = last = number
    others = []
    for other in ranges:
        if other[0] == run and other[1] <= last + 1 and first <= other[2] + 1:
            first, last = min(first, other[1]), max(last, other[2])
        else:
            others.append(other)
    return [*others, (run, first, last)]
