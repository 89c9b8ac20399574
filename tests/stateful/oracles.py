"""What must be true of a world when it is calm again. Each check is named as in the protocol's model."""

from collections import Counter

from kewang.wire.ack import MAX_ACK_BYTES
from tests.stateful.truth import Reading
from tests.stateful.world import LIVE_S, World


def check(world: World) -> None:
    """All oracles. Raises AssertionError."""
    drained(world)
    nothing_lost(world)
    stored_once(world)
    bounds(world)
    ledger_balances(world)
    live_is_live(world)


def drained(world: World) -> None:
    """I4: in calm everything is acknowledged."""
    open_batches = [box.outbox.status().open_batches for box in world.boxes if box.outbox is not None]
    assert world.drained(), f"I4: not drained: {open_batches} batches open"


def nothing_lost(world: World) -> None:
    """I3: every committed reading is stored, in quarantine, declared as dropped, or excused by name."""
    lost = world.truth.committed_s.keys() - _found(world)
    lost = {reading for reading in lost if not world.truth.excuses.excuse(reading)}
    assert not lost, f"I3: {len(lost)} readings lost: {sorted(lost)[:5]}"


def stored_once(world: World) -> None:
    """I1: no reading is at two places of the database."""
    places = Counter(reading for readings in world.database.raw.values() for reading in readings)
    assert not (twice := [reading for reading, n in places.items() if n > 1]), f"I1: stored twice: {twice[:5]}"


def bounds(world: World) -> None:
    """I4: what must fit does."""
    assert world.broker.longest_ack <= MAX_ACK_BYTES


def ledger_balances(world: World) -> None:
    """I2: the database alone says what is missing and what was dropped, to the row where nothing forged it."""
    missing, surplus, dropped = world.do(ledger(world))
    lost_drops = world.truth.excuses.dropped - _found(world)
    if world.truth.excuses.ledger_exact:
        truth = (0, 0, len(lost_drops))
        assert (missing, surplus, dropped) == truth, f"I2: {(missing, surplus, dropped)} instead of {truth}"


async def ledger(world: World) -> tuple[int, int, int]:
    """(missing, surplus, dropped) rows by the tallies and dates in the database."""
    made: Counter[tuple[str, int]] = Counter()
    dropped: Counter[tuple[str, int]] = Counter()
    for (_, source, hour, _), (made_rows, dropped_rows) in (await world.database.tallies(0, 10**7)).items():
        made[source, hour] += made_rows
        dropped[source, hour] += dropped_rows
    counted = await world.database.counts(0, 10**14)
    found = Counter({(source, hour): rows for (_, source, hour), rows in counted.items() if source != "-"})
    cells = made.keys() | found.keys()
    missing = {cell: max(0, made[cell] - dropped[cell] - found[cell]) for cell in cells}
    surplus = sum(max(0, found[cell] - made[cell]) for cell in cells)
    gone = sum(max(0, made[cell] - found[cell] - missing[cell]) for cell in cells)
    return sum(missing.values()), surplus, gone


def live_is_live(world: World) -> None:
    """I6: once the line flows again, new readings are stored within seconds, whatever waits behind them."""
    truth = world.truth
    if truth.excuses.twin or world.live_from_s is None:
        return
    late = [
        (reading, round(stored_s - committed_s, 1))
        for reading, committed_s in truth.committed_s.items()
        if committed_s > world.live_from_s
        and (stored_s := truth.first_stored_s.get(reading)) is not None
        and stored_s - committed_s > LIVE_S
    ]
    assert not late, f"I6: {len(late)} live readings late: {late[:3]}"


def _found(world: World) -> set[Reading]:
    database = world.database
    return {reading for where in (database.raw, database.quarantine) for at in where.values() for reading in at}
