"""Readings for `kewang bench rollups`: a city at the rates that agents have by default, written by the gateway's own
store. Any series can be computed again from (seed, device, stream)."""

import asyncio
import random
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gateway.ports import Store, Table, Value
from gateway.rollup_fields import FUNCTIONS
from gateway.rollup_fields import metrics as rollup_metrics
from gateway.writer import write
from kewang.bench.boards_town import CAMERA, ENV, Town, value
from kewang.wire.catalogue import metric
from kewang.wire.names import BOX_SOURCE
from kewang.wire.tally import HOUR_MS

STEP_MS: Final = 300_000
SOURCES: Final = {"env": (ENV, 10_000), "sys": (BOX_SOURCE, 30_000), "cam": (CAMERA, 20_000)}
"""Stream -> its source and ms between two readings: the defaults of boards, heartbeats and cameras."""
_POOL: Final = 4_096
_ROWS_AT_ONCE: Final = 5_000
TALLIED_MS: Final = 2 * STEP_MS
"""Heartbeats of so long before the end of the hour state tallies."""


class Seeder:
    """Writes into `store`. `rows`: how many it wrote."""

    def __init__(self, store: Store, town: Town, seed: int) -> None:
        self._store, self._town, self._seed = store, town, seed
        self._values: dict[str, list[float]] = {}
        self._cameras = frozenset(town.cameras)
        self.rows = 0

    async def readings(self, from_ms: int, to_ms: int) -> None:
        """Of all devices, step by step as they come, with the tallies of the last heartbeats."""
        for start_ms in range(from_ms, to_ms, STEP_MS):
            await self.write(self._of(self._town.places, start_ms, start_ms + STEP_MS))
        await self.write(self._tallies(to_ms))

    def of_device(self, device: str, from_ms: int, to_ms: int) -> list[Table]:
        """All that one device measures in that time, a table for each of its sources."""
        return list(self._of([device], from_ms, to_ms))

    async def day(self, devices: Sequence[str], from_ms: int, to_ms: int) -> None:
        """Roll-ups of five minutes as these devices would have them: what a day is made of."""
        await self.write(self._steps(devices, from_ms, to_ms))

    async def write(self, tables: Iterable[Table]) -> None:
        """While the store takes some the next are made."""
        writing: asyncio.Task[None] | None = None
        for some in _writes(tables):
            if writing:
                await writing
            writing = asyncio.create_task(self._put(some), name="seed")
            await asyncio.sleep(0)
        if writing:
            await writing

    async def _put(self, tables: Sequence[Table]) -> None:
        for table, why in await write(self._store, tables):
            raise RuntimeError(f"the database refuses {table.measurement}: {why}")
        self.rows += sum(len(table.rows) for table in tables)

    def _of(self, devices: Iterable[str], from_ms: int, to_ms: int) -> Iterator[Table]:
        for device in devices:
            for stream, (source, every_ms) in SOURCES.items():
                if stream != "cam" or device in self._cameras:
                    first_ms = from_ms + self._offset(device, stream) % every_ms
                    yield self._table(device, stream, source, range(first_ms, to_ms, every_ms))

    def _table(self, device: str, stream: str, source: str, dates: range) -> Table:
        names = [one.name for one in self._town.metrics(device, stream)]
        columns = [self._column(device, name, dates) for name in names]
        if stream == "sys":
            names, columns = [*names, "held"], [*columns, [3.0] * len(dates)]
        return Table(
            stream, (("device", device), ("source", source)), tuple(names), list(zip(dates, *columns, strict=True))
        )

    def _column(self, device: str, name: str, dates: range) -> list[float]:
        """Out of a pool that is long enough to have no rhythm of ours."""
        pool = self._pool(name)
        at = (self._offset(device, name) + dates.start // dates.step) % _POOL
        short = len(dates) <= _POOL
        return pool[at : at + len(dates)] if short else [pool[(at + n) % _POOL] for n in range(len(dates))]

    def _pool(self, name: str) -> list[float]:
        """Twice the same, one after the other."""
        if name not in self._values:
            dice = random.Random(f"{self._seed}/{name}")
            self._values[name] = [value(metric(name), dice) for _ in range(_POOL)] * 2
        return self._values[name]

    def _offset(self, device: str, what: str) -> int:
        return zlib.crc32(f"{self._seed}/{device}/{what}".encode())

    def _tallies(self, to_ms: int) -> Iterator[Table]:
        hour = to_ms // HOUR_MS - 1
        for device in self._town.places:
            for number, source in enumerate((BOX_SOURCE, ENV)):
                dates = range(to_ms - TALLIED_MS + number, to_ms, SOURCES["sys"][1])
                rows: list[tuple[Value, ...]] = [(at, "seed", hour, 100 + n, 0) for n, at in enumerate(dates)]
                tags = (("device", device), ("source", source))
                yield Table("tally", tags, ("run", "hour", "made", "dropped"), rows)

    def _steps(self, devices: Sequence[str], from_ms: int, to_ms: int) -> Iterator[Table]:
        dates = range(from_ms, to_ms, STEP_MS)
        for device in devices:
            for stream, (source, _) in SOURCES.items():
                if stream != "cam" or device in self._cameras:
                    rolled = rollup_metrics(stream)
                    metrics = [one.name for one in self._town.metrics(device, stream) if one.name in rolled]
                    fields = [(name, function) for name in metrics for function in FUNCTIONS]
                    columns = [
                        [30.0] * len(dates) if f == "count" else self._column(device, m, dates) for m, f in fields
                    ]
                    names = tuple(f"{name}_{function}" for name, function in fields)
                    tags = (("device", device), ("source", source))
                    yield Table(f"{stream}_5m", tags, names, list(zip(dates, *columns, strict=True)))


def _writes(tables: Iterable[Table]) -> Iterator[list[Table]]:
    some, rows = list[Table](), 0
    for table in tables:
        some.append(table)
        rows += len(table.rows)
        if rows >= _ROWS_AT_ONCE:
            yield some
            some, rows = [], 0
    if some:
        yield some
