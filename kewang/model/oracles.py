"""What must be true of a world when it is calm again."""

from collections import Counter, defaultdict
from typing import Final

from kewang.model.gateway import QUEUE, RANGES
from kewang.model.kernel import Cell
from kewang.model.outbox import HOUR_MS
from kewang.model.world import Calm, World

_LIVE_MS: Final = 5000
Hour = tuple[str, int]
"""Of a source."""


def faults_of(world: World, calm: Calm) -> list[str]:
    """Every fault that the journal and the oracles found; each begins with the number of its rule."""
    checks = (_lost, _twice, _thinned, _drained, _bounds, _ledger)
    found = [fault for check in checks for fault in check(world)]
    return [*world.journal.faults, *found, *_late(world, calm)]


def _places(world: World) -> dict[int, list[str]]:
    places: dict[int, list[str]] = defaultdict(list)
    for where, contents in (("stream", world.database.raw), ("quarantine", world.database.quarantine)):
        for (source, ms), readings in contents.items():
            for reading in readings:
                places[reading].append(f"{where} {source} {ms}")
    return places


def _lost(world: World) -> list[str]:
    """I3: every row is stored, in quarantine, declared as dropped, or excused by name."""
    journal, places = world.journal, _places(world)
    excused = journal.dropped | journal.thrown_away | journal.undone
    if journal.restored:
        excused |= journal.left_the_ring
    made = journal.made_ms.keys() | journal.rows.keys()
    lost = sorted(made - places.keys() - excused)
    return [f"I3 lost: {len(lost)} rows: {lost[:5]}"] if lost else []


def _twice(world: World) -> list[str]:
    """I1: no row is at two places of the stream, nor both by itself and in a thinned row. Twins may do that."""
    if world.journal.twin:
        return []
    stored = Counter(reading for readings in world.database.raw.values() for reading in readings)
    found = [f"I1 stored twice: {reading}" for reading, times in stored.items() if times > 1]
    for reading in list(stored):
        if row := world.journal.rows.get(reading):
            stored.update(row.of)
    twice = [reading for reading, times in stored.items() if times > 1]
    return found + ([f"I1 counted twice: {len(twice)} rows: {twice[:5]}"] if twice else [])


def _thinned(world: World) -> list[str]:
    """I7: a thinned row says how many it stands for; undated ones are of one boot; no refused row hides in one."""
    found = []
    for reading in _places(world).keys() & world.journal.rows.keys():
        row = world.journal.rows[reading]
        if row.told != len(row.of):
            found.append(f"I7 row {reading} says it stands for {row.told} rows, of {len(row.of)}")
        if row.refused:
            found.append(f"I7 row {reading} hides one that is to be refused")
        if row.source == "sys":
            found.append(f"I7 row {reading} is of heartbeats")
        if len(world.journal.boots[reading]) > 1:
            found.append(f"I7 row {reading} is of undated rows of two boots")
    return found


def _drained(world: World) -> list[str]:
    """I4: in calm everything is acknowledged."""
    waiting = sum(len(box.outbox.open_ones()) for box in world.boxes)
    return [f"I4 not drained: {waiting} batches"] if waiting else []


def _bounds(world: World) -> list[str]:
    """I4: what must fit does."""
    over = world.conditions.longest_ack > RANGES or world.conditions.longest_queue > QUEUE
    return ["I4 a bound is passed"] if over else []


def _ledger(world: World) -> list[str]:
    """I2: the database alone tells what is missing, dropped and thinned, to the row where nothing forged it."""
    journal, places = world.journal, _places(world)
    missing, surplus, gone, thinned = _balance(world)
    truth = len(journal.dropped - places.keys())
    in_thinned = sum(len(journal.rows[reading].of) for reading in places if reading in journal.rows)
    exact = (missing, surplus, gone, thinned) == (0, 0, truth, in_thinned)
    if journal.exact and not exact:
        return [f"I2 ledger: missing {missing}, surplus {surplus}, gone {gone} of {truth}, thinned {thinned}"]
    return []


def _balance(world: World) -> tuple[int, int, int, int]:
    """Rows missing, too many, gone, and told by thinned rows, of what the database holds."""
    raw, quarantine = world.database.raw, world.database.quarantine
    dates = Counter[Hour]((source, ms // HOUR_MS) for source, ms in raw.keys() | quarantine.keys())
    stated, thinned = dict[Cell, tuple[int, int]](), 0
    for contents in (raw, quarantine):
        for readings in contents.values():
            for reading in readings:
                thinned += world.journal.rows[reading].told if reading in world.journal.rows else 0
                for cell, (made, dropped) in world.journal.statements.get(reading, {}).items():
                    known = stated.get(cell, (0, 0))
                    stated[cell] = (max(known[0], made), max(known[1], dropped))
    rows, declared = Counter[Hour](), Counter[Hour]()
    for (_, source, number), (made, dropped) in stated.items():
        rows[source, number] += made
        declared[source, number] += dropped
    missing = surplus = gone = 0
    for hour in rows.keys() | dates.keys():
        absent = max(0, rows[hour] - declared[hour] - dates[hour])
        missing, surplus = missing + absent, surplus + max(0, dates[hour] - rows[hour])
        gone += max(0, rows[hour] - dates[hour] - absent)
    return missing, surplus, gone, thinned


def _late(world: World, calm: Calm) -> list[str]:
    """I6: new readings pass the backlog."""
    if world.journal.twin:
        return []
    stored_ms = world.journal.stored_ms
    late = [
        reading
        for reading, made_ms in world.journal.made_ms.items()
        if calm.live_from_ms < made_ms < calm.live_to_ms and stored_ms.get(reading, made_ms) - made_ms > _LIVE_MS
    ]
    return [f"I6 late: {len(late)} live rows: {late[:5]}"] if late else []
