"""A database that is away, answers late, takes half, takes all and says no; it can be backed up, restored and wiped."""

import asyncio
import copy
import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.ports import Poison, RetryLater, Rewind, Split, Table, Value
from gateway.rewinds import add_rewind
from tests.fakes import MemoryStore
from tests.stateful.truth import NUMBER_METRIC, Contents, Identity, Reading, Truth, copy_of, thinned_reading

POISON_C = 13.0
"""A temperature that the database refuses while its rule is strict."""


@dataclass
class Backup:
    """What a backup holds, and when it was taken (Unix ms)."""

    taken_ms: int = 1
    points: dict[Any, Any] = field(default_factory=dict)
    raw: Contents = field(default_factory=lambda: defaultdict(set))
    quarantine: Contents = field(default_factory=lambda: defaultdict(set))


class Database(MemoryStore):
    """Stores, and tells `truth` of each reading that arrives."""

    def __init__(self, truth: Truth, rng: random.Random, now_ms: Callable[[], int]) -> None:
        super().__init__(now_ms)
        self.truth, self.rng, self.wall_ms = truth, rng, now_ms
        self.raw: Contents = defaultdict(set)
        self.quarantine: Contents = defaultdict(set)
        self.failing = 0.0
        """Share of writes that are taken in part, or whole, and answered with an error."""
        self.lag_s = 0.03
        self.strict = True
        self.refuse = self._refuses
        self.backups: list[Backup] = []
        self._down = 0
        self._choked_until_s = 0.0

    def _refuses(self, table: Table, row: Sequence[Value]) -> bool:
        return self.strict and table.measurement == "env" and POISON_C in row

    def go_down(self, for_s: float) -> None:
        """Away for a while."""
        self._down += 1
        asyncio.get_running_loop().call_later(for_s, self._come_up)

    def _come_up(self) -> None:
        self._down = max(0, self._down - 1)
        self.away = self._down > 0

    def choke(self, until_s: float) -> None:
        """Until then every write ends in an error, whatever was written; reads go on."""
        self._choked_until_s = max(until_s, self._choked_until_s)

    def recover(self) -> None:
        """Nothing fails any more."""
        self._down, self.away, self.failing, self._choked_until_s = 0, False, 0.0, 0.0
        self.lag_s = 0.03

    async def _answer(self) -> None:
        self.away = self._down > 0
        await super()._answer()

    async def write(self, tables: Sequence[Table]) -> None:
        await asyncio.sleep(self.rng.uniform(0.001, self.lag_s))
        choked = asyncio.get_running_loop().time() < self._choked_until_s
        whole = not choked and self.rng.random() >= self.failing
        taken = tables if whole else self._part(tables)
        with nullcontext() if whole else suppress(Split, Poison):
            await super().write(taken)
            for table in taken:
                self._note(table)
        await asyncio.sleep(self.rng.uniform(0.001, self.lag_s))
        if not whole:
            raise RetryLater("no answer in time", self.rng.uniform(0.1, 2))

    def _part(self, tables: Sequence[Table]) -> list[Table]:
        """Some of the rows, at times all of them."""
        left = self.rng.randint(0, sum(len(table.rows) for table in tables))
        part = []
        for table in tables:
            part.append(replace(table, rows=table.rows[:left]))
            left -= len(part[-1].rows)
        return part

    def _note(self, table: Table) -> None:
        now_s = asyncio.get_running_loop().time()
        for row in table.rows:
            found = _refused_reading(table, row) if table.measurement == "quarantine" else _reading(table, row)
            if found is not None:
                reading, identity = found
                where = self.quarantine if table.measurement == "quarantine" else self.raw
                where[identity].add(reading)
                self.truth.arrived(reading, identity, where[identity], now_s)

    def backup(self) -> None:
        """Take one now."""
        contents = copy_of(self.raw), copy_of(self.quarantine)
        self.backups.append(Backup(self.wall_ms(), copy.deepcopy(self.points), *contents))

    async def restore(self, backup: Backup) -> Rewind:
        """Bring `backup` back and write the rewind before anything else can be written."""
        self.truth.excuses.restored = True
        self.points, self._kinds = copy.deepcopy(backup.points), {}
        self.raw, self.quarantine = copy_of(backup.raw), copy_of(backup.quarantine)
        beside = MemoryStore(self.wall_ms)
        beside.points = self.points
        return await add_rewind(beside, self.wall_ms(), max(0, backup.taken_ms - 1))

    def wipe(self) -> None:
        """A new, empty database; the gateways notice."""
        self.truth.excuses.restored = True
        self.points, self._kinds = {}, {}
        self.raw, self.quarantine = defaultdict(set), defaultdict(set)


def _reading(table: Table, row: Sequence[Value]) -> tuple[Reading, Identity] | None:
    number = NUMBER_METRIC.get(table.measurement)
    if "thinned" in table.fields:
        return _thinned(table.measurement, dict(table.tags)["source"], row[0], _named_values(table.fields, row[1:]))
    if number is None or number not in table.fields:
        return None
    value = row[1 + table.fields.index(number)]
    return _named(table.measurement, dict(table.tags)["source"], row[0], value)


def _refused_reading(table: Table, row: Sequence[Value]) -> tuple[Reading, Identity] | None:
    tags = dict(table.tags)
    number = NUMBER_METRIC.get(tags["stream"])
    kept = json.loads(str(row[1 + table.fields.index("row")]))
    if "thinned" in kept["k"]:
        return _thinned(tags["stream"], tags["source"], row[0], _named_values(kept["k"], kept["r"]))
    if number not in kept["k"]:
        return None
    return _named(tags["stream"], tags["source"], row[0], kept["r"][kept["k"].index(number)])


def _named_values(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(names, values, strict=True))


def _thinned(stream: str, source: str, date_ms: Value, fields: dict[str, Any]) -> tuple[Reading, Identity]:
    return thinned_reading(stream, fields), (stream, source, int(str(date_ms)))


def _named(stream: str, source: str, date_ms: Value, number: Any) -> tuple[Reading, Identity]:
    return (stream, int(number)), (stream, source, int(str(date_ms)))
