"""The stream of one camera: encoded once, in a worker thread, for all who watch; it runs only while somebody does."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Final, Protocol

from firmware_sim.cameras.codecs import CLOCK_HZ, Codec, Encoded
from firmware_sim.cameras.faults import Switched, TransportFault
from firmware_sim.cameras.film import Film
from firmware_sim.cameras.rtp import payloads
from firmware_sim.cameras.spoil import SPOILING, spoil
from firmware_sim.cameras.tally import Tally

_LATE_S: Final = 0.5
"""A stream that is so far behind leaves the pictures between out."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture on its way: its RTP payloads and its time on the 90 kHz clock, which does not wrap here."""

    payloads: tuple[bytes, ...]
    ticks: int
    is_key: bool


class Viewer(Protocol):
    """Who watches. `take` must not wait."""

    def take(self, frame: Frame) -> None: ...


class Stream:
    """Runs from the first `join` to the last `leave`."""

    def __init__(
        self,
        film: Film,
        codec: Codec,
        fps: float,
        *,
        faults: Callable[[], Switched],
        age_s: Callable[[], float],
        tally: Tally,
        executor: Executor,
    ) -> None:
        self._film, self._codec, self._fps = film, codec, fps
        self._faults, self._age_s, self._tally, self._executor = faults, age_s, tally, executor
        self._viewers: list[Viewer] = []
        self._task: asyncio.Task[None] | None = None

    def join(self, viewer: Viewer) -> None:
        """From now on `viewer` takes every picture."""
        if viewer not in self._viewers:
            self._viewers.append(viewer)
        if self.is_idle:
            self._task = asyncio.create_task(self._run(), name="camera stream")

    def leave(self, viewer: Viewer) -> None:
        """`viewer` takes no more; the stream ends with the next picture when nobody is left."""
        if viewer in self._viewers:
            self._viewers.remove(viewer)

    @property
    def is_idle(self) -> bool:
        """Whether it does not run, for nobody watches."""
        return self._task is None or self._task.done()

    async def stop(self) -> None:
        """End at once."""
        self._viewers.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        at_s = self._age_s()
        number = self._film.first_number(at_s)
        frame = await self._frame(number, at_s)
        # The first may have taken long, for its clip or its scene had to be made: the stream begins when it is there.
        at_s = max(at_s, self._age_s())
        frame = replace(frame, ticks=round(at_s * CLOCK_HZ))
        while self._viewers:
            await asyncio.sleep(max(0.0, at_s - self._age_s()))
            self._tally.frame(time.monotonic(), frame.is_key)
            for viewer in list(self._viewers):
                viewer.take(frame)
            number += 1
            period_s = 1 / self._faults().value(TransportFault.SLOW_FPS, self._fps)
            late_s = self._age_s() - at_s - period_s
            at_s += period_s * (1 + late_s // period_s if late_s > _LATE_S else 1)
            frame = await self._frame(number, at_s)
        self._tally.idle()

    async def _frame(self, number: int, at_s: float) -> Frame:
        faults = self._faults()
        loop = asyncio.get_running_loop()
        unit, packed = await loop.run_in_executor(self._executor, self._prepare, number, at_s, faults)
        return Frame(packed, round(at_s * CLOCK_HZ), unit.is_key)

    def _prepare(self, number: int, at_s: float, faults: Switched) -> tuple[Encoded, tuple[bytes, ...]]:
        """In the worker thread."""
        unit = self._film.unit(number, at_s, faults.picture)
        if not SPOILING.isdisjoint(faults.wire):
            unit = spoil(unit, self._codec, faults)
        return unit, tuple(payloads(self._codec, unit.nals))
