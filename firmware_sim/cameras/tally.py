"""The truth from outside: what a camera did, counted where it was done, told as JSON."""

import json
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

Ending = Literal["teardown", "closed", "timeout", "stopped"]
_KEPT_SESSIONS: Final = 64
_WINDOW: Final = 600


@dataclass(slots=True)
class SessionTally:
    """What one session got. `packets_dropped`: lost on purpose; `frames_dropped`: the client was too slow.

    `frames_begun` counts the frames of which a packet left, the first and last at these ticks of the stream's clock.
    """

    transport: str
    opened_s: float
    frames: int = 0
    frames_begun: int = 0
    first_ticks: int = 0
    last_ticks: int = 0
    keyframes: int = 0
    packets_sent: int = 0
    packets_dropped: int = 0
    frames_dropped: int = 0
    payload_bytes: int = 0
    ending: Ending | None = None
    closed_s: float | None = None

    def frame(self, ticks: int, packets: int, dropped: int) -> None:
        """A frame was sent, but for `dropped` of its packets."""
        self.frames += 1
        self.packets_sent += packets - dropped
        self.packets_dropped += dropped
        if dropped < packets:
            self.first_ticks, self.last_ticks = self.first_ticks if self.frames_begun else ticks, ticks
            self.frames_begun += 1

    def as_json(self) -> dict[str, Any]:
        """For the statistics file; times in seconds of this machine's monotonic clock."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Tally:
    """What one camera did since its start."""

    connections: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    open: set[int] = field(default_factory=set)
    """Identities of the sessions that are open now."""
    endings: Counter[str] = field(default_factory=Counter)
    sessions: deque[SessionTally] = field(default_factory=lambda: deque(maxlen=_KEPT_SESSIONS))
    """The last sessions that ended."""
    opened: int = 0
    frames: int = 0
    http_frames: int = 0
    packets_sent: int = 0
    packets_dropped: int = 0
    frames_dropped: int = 0
    _frame_s: deque[float] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    _key_s: deque[float] = field(default_factory=lambda: deque(maxlen=_WINDOW))

    def session_opened(self, session: SessionTally) -> None:
        """A session was set up."""
        self.opened += 1
        self.open.add(id(session))

    def session_closed(self, session: SessionTally, ending: Ending) -> None:
        """A session ended; counted once."""
        if id(session) not in self.open:
            return
        self.open.discard(id(session))
        session.ending, session.closed_s = ending, time.monotonic()
        self.endings[ending] += 1
        self.sessions.append(session)
        self.packets_sent += session.packets_sent
        self.packets_dropped += session.packets_dropped
        self.frames_dropped += session.frames_dropped

    def frame(self, at_s: float, is_key: bool) -> None:
        """The stream went on by one picture at `at_s` (monotonic)."""
        self.frames += 1
        self._frame_s.append(at_s)
        if is_key:
            self._key_s.append(at_s)

    def idle(self) -> None:
        """Nobody watches: the rates start anew with the next picture."""
        self._frame_s.clear()
        self._key_s.clear()

    @property
    def fps(self) -> float | None:
        """Pictures a second over the last ones; None before the third."""
        return _rate(self._frame_s)

    @property
    def keyframe_interval_s(self) -> float | None:
        """Seconds between key frames over the last ones; None before the third."""
        rate = _rate(self._key_s)
        return 1 / rate if rate else None

    def as_json(self) -> dict[str, Any]:
        """Everything, by name."""
        torn = self.endings["teardown"]
        return {
            "connections": self.connections,
            "requests": dict(self.requests),
            "answers": {str(code): count for code, count in self.answers.items()},
            "sessions_opened": self.opened,
            "sessions_open": len(self.open),
            "sessions_closed": self.endings.total(),
            "sessions_without_teardown": self.endings.total() - torn - self.endings["stopped"],
            "teardowns": torn,
            "sessions_timed_out": self.endings["timeout"],
            "frames": self.frames,
            "http_frames": self.http_frames,
            "packets_sent": self.packets_sent,
            "packets_dropped": self.packets_dropped,
            "frames_dropped": self.frames_dropped,
            "fps": self.fps,
            "keyframe_interval_s": self.keyframe_interval_s,
            "sessions": [session.as_json() for session in self.sessions],
        }


def write(path: Path, statistics: Mapping[str, Any]) -> None:
    """Replace the statistics file; a reader never sees half of it."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(statistics))
    fresh.replace(path)


def _rate(times_s: deque[float]) -> float | None:
    span_s = times_s[-1] - times_s[0] if len(times_s) > 2 else 0.0
    return (len(times_s) - 1) / span_s if span_s > 0 else None
