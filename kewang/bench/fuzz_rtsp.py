"""Mutated conversations of a camera through our RTSP client, without a socket: nothing breaks, hangs or grows.

A conversation is what a sound camera would say from OPTIONS to the end of its stream, then broken: bytes, packets,
answers, or their order. It goes through the framer in random pieces, the dialogue, and the meter with its reassembly.
Only CameraError and Redirected may come out. Everything follows from the seed.
"""

import gc
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import psutil

from edge.net.address import Address
from edge.net.auth import Login
from edge.net.connect import redirected
from edge.net.errors import CameraError
from edge.rtsp.dialogue import Dialogue, Redirected
from edge.rtsp.messages import BODY_LIMIT_BYTES, HEADER_LIMIT_BYTES, Framer, Response
from edge.rtsp.meter import Meter
from kewang.bench.cpu import MB
from kewang.bench.envelope import envelope
from kewang.bench.fuzz_rtsp_corpus import Conversation, conversation
from kewang.wire.cameras import CameraReason

MORE_MB: Final = 32.0
"""Memory that may be gained on the way."""
SLOWEST_S: Final = 1.0
"""Processor time that one conversation may take."""
_HELD_LIMIT_BYTES: Final = HEADER_LIMIT_BYTES + BODY_LIMIT_BYTES + 65_540
_WARM_UP: Final = 500
_EXAMPLES: Final = 5
_REPORT_EVERY: Final = 10_000
_ADDRESS: Final = Address("rtsp", "192.0.2.1", 554, "/cam?channel=1", "admin", "fuzz-secret")

Look = Callable[[Conversation, random.Random], CameraReason]


@dataclass(slots=True)
class Tally:
    """What came of the conversations."""

    conversations: int = 0
    played: int = 0
    slowest_ms: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)


def measure(conversations: int, seed: int) -> dict[str, Any]:
    """The full result."""
    started_s = time.monotonic()
    tally = Tally()
    run(Tally(), min(conversations, _WARM_UP), seed)
    before_bytes = _rss()
    run(tally, conversations, seed)
    more_mb = (_rss() - before_bytes) / MB
    if more_mb > MORE_MB:
        tally.failed.append(f"the process grew by {more_mb:.0f} MB, more than {MORE_MB:g}")
    if tally.played == 0:
        tally.failed.append("no conversation got as far as a stream: the mutations are too rough")
    figures = {
        "conversations": tally.conversations,
        "played": tally.played,
        "slowest_ms": round(tally.slowest_ms, 1),
        "more_mb": round(more_mb, 1),
        "reasons": dict(tally.reasons.most_common()),
    }
    return envelope("bench fuzz-rtsp", seed=seed, parts=(), started_s=started_s, failed=tally.failed, figures=figures)


def _rss() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def run(tally: Tally, conversations: int, seed: int, look: Look | None = None) -> None:
    """Add so many conversations to `tally`, each with a seed of its own, until some have failed."""
    for number in range(seed * 1_000_000, seed * 1_000_000 + conversations):
        rng = random.Random(number)
        _one(tally, number, conversation(rng), rng, look or looked(tally))
        if len(tally.failed) >= _EXAMPLES:
            break
        if tally.conversations % _REPORT_EVERY == 0:
            print(f"fuzz-rtsp: {tally.conversations} of {conversations}", file=sys.stderr)


def _one(tally: Tally, number: int, said: Conversation, rng: random.Random, look: Look) -> None:
    started_s = time.process_time()
    try:
        reason = look(said, rng)
    except Exception:  # noqa: BLE001  the very thing that is looked for
        tally.failed.append(f"conversation {number}: {traceback.format_exc(limit=-2)}")
        return
    took_s = time.process_time() - started_s
    tally.conversations += 1
    tally.reasons[reason.name] += 1
    tally.slowest_ms = max(tally.slowest_ms, 1000 * took_s)
    if took_s > SLOWEST_S:
        tally.failed.append(f"conversation {number} took {took_s:.1f} s")


def looked(tally: Tally) -> Look:
    """A look that counts in `tally` how often a stream was reached."""

    def look(said: Conversation, rng: random.Random) -> CameraReason:
        line = Replayed(said, rng)
        talk = _talk(line)
        try:
            talk.send(None)
        except StopIteration:
            tally.played += 1
            return line.watched()
        except Redirected as moved:
            return _redirected(moved.location)
        except CameraError as error:
            return error.reason
        raise AssertionError("a conversation waits for something")

    return look


def _redirected(location: str) -> CameraReason:
    try:
        redirected(_ADDRESS, location, schemes=("rtsp",), other_hosts=True)
    except CameraError as error:
        return error.reason
    return CameraReason.REDIRECT


class Replayed:
    """A Line on which the camera says what was written down for it, in pieces of any size."""

    def __init__(self, said: Conversation, rng: random.Random) -> None:
        self._answers, self._stream, self._rng = iter(said.answers), said.stream, rng
        self._framer = Framer()
        self.meter: Meter | None = None
        self._now_s = 0.0

    async def ask(self, request: bytes) -> Response:
        """The next answer, with whatever comes before it. Raises CameraError."""
        for data in self._answers:
            found = None
            for event in self._events(data):
                if isinstance(event, Response):
                    found = found or event
                elif isinstance(event, tuple):
                    self._take(*event)
            if found:
                return found
        raise CameraError(CameraReason.TIMEOUT, "nothing more is said")

    def watched(self) -> CameraReason:
        """The stream, to its end."""
        assert self.meter is not None
        try:
            for event in self._events(self._stream):
                if isinstance(event, tuple):
                    self._take(*event)
        except CameraError as error:
            return error.reason
        self.meter.wait_s(self._now_s, until_keyframe=False)
        self.meter.close(self._now_s)
        self.meter.figures()
        return self.meter.outcome(self._now_s)[0]

    def _events(self, data: bytes) -> Iterator[object]:
        position = 0
        while position < len(data):
            size = self._rng.choice((1, 4, 60, 400, 1500, 1500, 100_000))
            yield from self._framer.feed(data[position : position + size])
            if self._framer.held_bytes > _HELD_LIMIT_BYTES:
                raise AssertionError(f"{self._framer.held_bytes} bytes are held")
            position += size

    def _take(self, channel: int, data: bytes) -> None:
        if self.meter is None:
            return
        self._now_s += self._rng.choice((0.0, 0.001, 0.04, 0.04))
        if channel == 0:
            self.meter.take(data, self._now_s, 1.8e9)
        elif channel == 1:
            self.meter.take_control(data, 1.8e9)
        else:
            self.meter.take_foreign()


async def _talk(line: Replayed) -> None:
    dialogue = Dialogue(line, _ADDRESS, Login(_ADDRESS.user, _ADDRESS.password))
    await dialogue.options()
    video = await dialogue.describe()
    if await dialogue.setup("tcp") is None and await dialogue.setup("udp", 5000) is None:
        raise CameraError(CameraReason.TRANSPORT, "no way")
    line.meter = Meter(video, 0.0, 4.5, 5.0)
    await dialogue.play()
    dialogue.teardown()
