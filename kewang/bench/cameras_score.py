"""What an alarm was worth: fresh, in time, of the right type, or false."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kewang.bench.cameras_plan import DAY_S, GRACE_S, LIMIT_S, RIGHT_TYPE, Event
from kewang.wire.cameras import CameraReason

Track = Sequence[tuple[float, CameraReason | None]]
"""(s, the alarm that stands from then on), in order of time."""


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a fault. `latency_s`: from its onset to the first fresh alarm while it lasted; None: no alarm."""

    event: Event
    latency_s: float | None
    reason: CameraReason | None
    masked: bool
    """An alarm stood already when it began."""

    @property
    def in_time(self) -> bool:
        return self.latency_s is not None and self.latency_s <= LIMIT_S[self.event.weight]

    @property
    def typed(self) -> bool:
        return self.in_time and self.reason in RIGHT_TYPE[self.event.fault]


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """An alarm that no fault excuses. `stuck`: it stayed after a repair and its grace."""

    time_s: float
    reason: CameraReason
    stuck: bool


def rising(track: Track) -> Iterator[tuple[float, CameraReason]]:
    """The moments an alarm begins where none stood."""
    standing: CameraReason | None = None
    for time_s, reason in track:
        if reason is not None and standing is None:
            yield time_s, reason
        standing = reason


def standing_at(track: Track, time_s: float) -> CameraReason | None:
    """The alarm that stands at `time_s`."""
    return next((reason for since_s, reason in reversed(track) if since_s <= time_s), None)


def found(track: Track, event: Event) -> Found:
    """What `track` says of `event`. An alarm that stood before is no detection of it, unless it gives way to the
    right one."""
    before = standing_at(track, event.start_s)
    right = RIGHT_TYPE[event.fault] - {before}
    risen = set(rising(track))
    fresh = (
        (at_s, reason)
        for at_s, reason in track
        if event.start_s < at_s <= event.end_s and ((at_s, reason) in risen or reason in right)
    )
    at_s, reason = next(fresh, (None, None))
    latency_s = None if at_s is None else at_s - event.start_s
    return Found(event, latency_s, reason, before is not None)


def false_alarms(track: Track, events: Sequence[Event]) -> list[FalseAlarm]:
    """Alarms that rose outside every event and its grace, and those that came with one and stayed."""
    alarms = [
        FalseAlarm(at_s, reason, False)
        for at_s, reason in rising(track)
        if not any(event.excuses(at_s) for event in events)
    ]
    for event in events:
        over_s = event.end_s + GRACE_S
        reason = standing_at(track, over_s)
        if track and over_s < track[-1][0] and reason not in (None, standing_at(track, event.start_s)):
            alarms.append(FalseAlarm(over_s, reason, True))
    return sorted(alarms, key=lambda alarm: alarm.time_s)


def calm_days(from_s: float, until_s: float, events: Sequence[Event]) -> float:
    """Days between the two moments in which an alarm would be false; the events don't overlap."""
    excused_s = sum(max(0.0, min(until_s, event.end_s + GRACE_S) - max(from_s, event.start_s)) for event in events)
    return (until_s - from_s - excused_s) / DAY_S
