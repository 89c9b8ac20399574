"""Who is there: every device's word from the age of its last message. No I/O, no clock, nothing that waits.

A device is late after one and a half heartbeats, silent after two and a half or when its will comes, gone after its
limit. A will spares it the last half heartbeat before it is gone, and no more. Who was gone is up again after two
messages and `proof_s` without a gap. While we ourselves can't hear (`deaf`), nobody's silence counts.

`heard` only notes a time. Deadlines lie in a heap with one live entry a device, looked at when they are over and put
back by what was heard since; entries that were overtaken are passed over.
"""

import heapq
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from gateway.incidents.hearing import Hearing, PresenceRules, Transition
from gateway.incidents.model import Word
from gateway.incidents.patience import Patience
from gateway.incidents.sources import Sources
from kewang.wire.placement import Place

MAX_DEVICES: Final = 200_000
_NEVER: Final = math.inf
_EMPTY: Final[tuple[float, ...]] = ()


@dataclass(slots=True)
class _Device:
    """`heard_s`: last message, None: none yet; it may lie ahead (`until_s`). `since_s`: heard without a gap from then.

    `entry_s`: time of its live entry in the heap. `proving`: it was gone and is not trusted yet. `downs`: when it was
    gone, within the last `flap_s`.
    """

    known_s: float
    place: Place | None = None
    heard_s: float | None = None
    since_s: float = 0.0
    messages: int = 0
    left_s: float | None = None
    entry_s: float = _NEVER
    hearing: Hearing = Hearing.HEARD
    proving: bool = False
    flapping: bool = False
    downs: tuple[float, ...] = _EMPTY
    word: Word = "unplaced"
    patience: Patience = field(default_factory=Patience)


class Presence:
    """All devices."""

    def __init__(self, rules: PresenceRules, started_s: float) -> None:
        self._rules = rules
        self._hears_s = started_s
        self._deaf = False
        self._sources = Sources(rules)
        self._devices: dict[str, _Device] = {}
        self.worked_on: Callable[[str], bool] = lambda _: False
        """Whether somebody works on this device now. Call `look` when that changes."""
        self._heap: list[tuple[float, str]] = []
        beat_s = rules.heartbeat_s
        self._late_s, self._silent_s, self._grace_s = 1.5 * beat_s, 2.5 * beat_s, rules.grace_beats * beat_s

    def place(self, device: str, place: Place | None, now_s: float) -> Place | None:
        """Where the device is from now on; None: nowhere we know of. Where it was before."""
        one = self._device(device, now_s)
        before = one.place
        if one.place is None and one.heard_s is None:
            one.known_s = now_s
        one.place = place
        self._look(device, one, now_s)
        return before

    def attached(self, device: str, sources: Collection[str]) -> None:
        """The device has these sources and no others."""
        self._sources.only(device, sources)

    def heard(self, device: str, now_s: float, until_s: float | None = None) -> None:
        """A message came. `until_s`: it is known to be heard at least each heartbeat up to then."""
        one = self._devices.get(device) or self._device(device, now_s)
        end_s = now_s if until_s is None else max(now_s, until_s)
        before_s = one.heard_s
        one.patience.heard(before_s, now_s, end_s, self._rules.heartbeat_s)
        if one.hearing or one.left_s is not None or before_s is None or now_s - before_s > self._late_s:
            one.since_s, one.messages, one.left_s = now_s, 0, None
            self._look(device, one, now_s)
        elif one.proving and until_s is not None:
            self._look(device, one, now_s)
        one.messages += 1 if until_s is None else 2
        one.heard_s = end_s if before_s is None or end_s > before_s else before_s

    def left(self, device: str, now_s: float, *, deliberate: bool) -> None:
        """Its will or bye came. Either is a hint: whoever comes back in time was never gone."""
        one = self._devices.get(device)
        if one is None or one.heard_s is None:
            return
        one.heard_s, one.left_s = min(one.heard_s, now_s), now_s
        self._look(device, one, now_s)

    def source_heard(self, device: str, source: str, now_s: float) -> None:
        """A row of one of its sources came."""
        self._sources.heard(device, source, now_s)

    def paced(self, device: str, flush_s: float, stretch: float) -> None:
        """How long its rows wait, and how much more rarely than usual its sources are read."""
        if device in self._devices:
            self._sources.paced(device, flush_s, stretch)

    def deaf(self) -> None:
        """We ourselves can't hear: nobody's silence counts until `hears`."""
        self._deaf = True

    def hears(self, now_s: float) -> None:
        """We hear again: silence counts from a grace after now. Said twice, it changes nothing."""
        if self._deaf:
            self._deaf, self._hears_s = False, now_s

    def word(self, device: str, source: str | None = None) -> Word:
        """How the device is, or one of its sources."""
        if source is not None:
            return self._sources.word(device, source)
        one = self._devices.get(device)
        return one.word if one else "unknown"

    def heard_s(self, device: str, now_s: float) -> float | None:
        """When its last message came; None: never."""
        one = self._devices.get(device)
        return None if one is None or one.heard_s is None else min(one.heard_s, now_s)

    def look(self, device: str, now_s: float) -> None:
        """Judge it again."""
        if (one := self._devices.get(device)) is not None:
            self._look(device, one, now_s)

    def _fit_s(self, device: str) -> float:
        """From when a silence of its sources is their own: heard without a gap since then; inf: it is not well."""
        one = self._devices.get(device)
        if one is None or one.hearing >= Hearing.SILENT or one.heard_s is None or not _alerts(one):
            return _NEVER
        return max(one.since_s, self._hears_s + self._grace_s)

    @property
    def next_s(self) -> float:
        """When `due` has something next; inf: never."""
        if self._deaf:
            return _NEVER
        return min(self._heap[0][0] if self._heap else _NEVER, self._sources.next_s)

    def due(self, now_s: float) -> list[Transition]:
        """What changed up to now."""
        return [] if self._deaf else [*self._overdue(now_s), *self._sources.due(now_s, self._fit_s)]

    def _overdue(self, now_s: float) -> Iterator[Transition]:
        heap, devices = self._heap, self._devices
        while heap and heap[0][0] <= now_s:
            entry_s, device = heapq.heappop(heap)
            one = devices.get(device)
            if one is None or one.entry_s != entry_s:
                continue
            one.entry_s = _NEVER
            if (changed := self._judge(device, one, now_s)) is not None:
                yield changed
            self._look(device, one, self._next_s(one, now_s))

    def _device(self, device: str, now_s: float) -> _Device:
        known = self._devices.get(device)
        if known is None:
            if len(self._devices) >= MAX_DEVICES:
                self._forget(next(iter(self._devices)))
            known = self._devices[device] = _Device(known_s=now_s)
        return known

    def _forget(self, device: str) -> None:
        del self._devices[device]
        self._sources.forget(device)

    def _look(self, device: str, one: _Device, at_s: float) -> None:
        """See to it that the device is judged at `at_s`, if not before."""
        if at_s < one.entry_s:
            one.entry_s = at_s
            heapq.heappush(self._heap, (at_s, device))

    def _base_s(self, one: _Device) -> float:
        """From when its silence counts."""
        if one.heard_s is not None and one.heard_s >= self._hears_s:
            return one.heard_s
        return max(self._hears_s, one.known_s) + self._grace_s

    def _hinted(self, one: _Device) -> bool:
        return one.left_s is not None and one.left_s >= self._hears_s

    def _gone_s(self, one: _Device) -> float:
        link = "wired" if one.place is None else one.place.link
        limit_s = self._rules.limit_s(link, one.patience.more(self._rules))
        return self._base_s(one) + limit_s - (0.5 * self._rules.heartbeat_s if self._hinted(one) else 0.0)

    def _hearing(self, one: _Device, now_s: float) -> Hearing:
        base_s = self._base_s(one)
        if now_s >= base_s + self._late_s and now_s >= self._gone_s(one):
            return Hearing.GONE
        if self._hinted(one) or now_s >= base_s + self._silent_s:
            return Hearing.SILENT
        return Hearing.LATE if now_s >= base_s + self._late_s else Hearing.HEARD

    def _judge(self, device: str, one: _Device, now_s: float) -> Transition | None:
        """Its hearing and word as of now; the transition if either changed."""
        before, hearing = (one.word, one.hearing, one.proving), self._hearing(one, now_s)
        if hearing is not Hearing.GONE and one.hearing is Hearing.GONE and not self._new(one):
            hearing = Hearing.GONE
        if hearing is Hearing.GONE and one.hearing is not Hearing.GONE and _alerts(one):
            if not self.worked_on(device):
                one.downs = (*one.downs, now_s)[-self._rules.flap_downs :]
            one.proving = True
        one.hearing = hearing
        if one.proving and hearing is Hearing.HEARD and one.messages > 1 and now_s >= one.since_s + self._rules.proof_s:
            one.proving = False
        one.flapping = self._flaps(one, now_s)
        one.word = self._word(device, one)
        if (one.word, hearing, one.proving) == before:
            return None
        return self._transition(device, one, before[0], now_s)

    def _transition(self, device: str, one: _Device, before: Word, now_s: float) -> Transition:
        base_s = self._base_s(one)
        heard_s = base_s if one.heard_s is None else min(one.heard_s, now_s)
        marks = (self._hinted(one), one.proving, len(self._recent(one, now_s)))
        return Transition(device, None, one.word, before, now_s, heard_s, base_s, one.hearing, *marks)

    def _new(self, one: _Device) -> bool:
        """Whether something was heard of it since we hear: who was gone before we were deaf stays gone."""
        return one.heard_s is not None and one.heard_s >= self._hears_s

    def _recent(self, one: _Device, now_s: float) -> list[float]:
        return [down_s for down_s in one.downs if now_s < down_s + self._rules.flap_s]

    def _flaps(self, one: _Device, now_s: float) -> bool:
        recent = self._recent(one, now_s)
        return len(recent) >= self._rules.flap_downs or (one.flapping and bool(recent))

    def _word(self, device: str, one: _Device) -> Word:
        if one.place is None:
            return "unplaced"
        if one.place.life != "installed" or self.worked_on(device):
            return "maintenance"
        if one.flapping:
            return "unstable"
        if one.hearing is Hearing.GONE:
            return "down"
        if one.heard_s is None:
            return "unknown"
        return "degraded" if one.proving or one.hearing is Hearing.SILENT else "up"

    def _next_s(self, one: _Device, now_s: float) -> float:
        """The next time at which its word or hearing may change by itself."""
        base_s = self._base_s(one)
        times = [base_s + self._late_s, base_s + self._silent_s, self._gone_s(one)][one.hearing :]
        if one.proving:
            times.append(one.since_s + self._rules.proof_s)
        if one.flapping:
            times.append(one.downs[-1] + self._rules.flap_s)
        return min((time_s for time_s in times if time_s > now_s), default=_NEVER)

    def kept(self) -> dict[str, Any]:
        """What a restart must not forget: who was gone or came and went. JSON-able."""
        return {
            device: {"heard_s": one.heard_s, "gone": one.hearing is Hearing.GONE, "downs": list(one.downs)}
            for device, one in self._devices.items()
            if one.proving or one.downs
        }

    @classmethod
    def restored(cls, kept: Mapping[str, Any], rules: PresenceRules, started_s: float) -> Self:
        """As `kept`: silence counts anew, from a grace after `started_s`; who was gone has to prove itself again."""
        presence = cls(rules, started_s)
        for device, facts in kept.items():
            one = presence._device(device, started_s)
            one.heard_s, one.downs = facts["heard_s"], tuple(facts["downs"])
            one.proving = True
            one.hearing = Hearing.GONE if facts["gone"] else Hearing.HEARD
            one.flapping = False
        return presence


def _alerts(one: _Device) -> bool:
    return one.place is not None and one.place.life == "installed"
