"""Whatever is written, the store in memory and the one on disk say the same: what holds on the fake holds."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ports import Poison, SeriesId, Split, Store, Table
from gateway.sqlite_sink import SqliteStore
from kewang.wire.tally import HOUR_MS
from tests.fakes import MemoryStore

HOUR = 495_833
T0 = HOUR * HOUR_MS
NOW_MS = T0 + HOUR_MS

DATES = st.integers(0, 12).map(lambda n: T0 + n * HOUR_MS // 6) | st.integers(T0, T0 + 3)
TAGS = {"device": st.sampled_from(["d-1", "d-2"]), "source": st.sampled_from(["env-1", "box"])}
FLOATS = st.sampled_from([None, 0.5, 1.0, -2.25])
COUNTS = st.integers(0, 9)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    kind = draw(st.sampled_from(["env", "sys", "evt", "quarantine", "tally", "rewind"]))
    tags = {key: draw(values) for key, values in TAGS.items()} if kind != "rewind" else {}
    if kind == "quarantine":
        tags["stream"] = draw(st.sampled_from(["env", "evt"]))
    columns: Any = {
        "quarantine": {
            "reason": st.sampled_from(["a", "b"]),
            "row": st.just("[]"),
            "deleted": st.sampled_from([None, 1]),
        },
        "tally": {
            "run": st.sampled_from(["r1", "r2"]),
            "hour": COUNTS.map(lambda n: HOUR + n),
            "made": COUNTS,
            "dropped": COUNTS,
        },
        "rewind": {"rw": COUNTS, "rf": COUNTS},
    }.get(kind, {"held": FLOATS, "temp_c": FLOATS | st.sampled_from([7, "x"])})
    fields = (
        draw(st.lists(st.sampled_from(sorted(columns)), min_size=1, unique=True))
        if kind in ("env", "sys", "evt")
        else list(columns)
    )
    rows = draw(st.lists(st.tuples(DATES, *(columns[field] for field in fields)), max_size=4))
    return Table(kind, tuple(sorted(tags.items())), tuple(fields), rows)


async def outcome(store: Store, written: list[Table]) -> str:
    try:
        await store.write(written)
    except (Split, Poison) as error:
        return type(error).__name__
    return "stored"


async def everything(store: Store) -> list[Any]:
    ids = [
        SeriesId(stream, device, source)
        for stream in ("env", "sys", "evt")
        for device in ("d-1", "d-2")
        for source in ("env-1", "box")
    ]
    return [
        await store.rewinds(),
        await store.series(),
        [await store.newest(stream) for stream in ("env", "sys", "evt", "cam")],
        [await store.values(one, metric, T0, T0 + HOUR_MS) for one in ids for metric in ("held", "temp_c")],
        [await store.dates(one, T0 + 1, T0 + HOUR_MS) for one in ids],
        await store.counts(T0 + 2, T0 + 2 * HOUR_MS),
        await store.tallies(HOUR, HOUR + 5),
        await store.tallies(HOUR, HOUR + 9, (T0 + 1, T0 + HOUR_MS), "d-1"),
        await store.tally_points((T0 + 1, T0 + HOUR_MS), HOUR_MS // 6),
        await store.held(),
        sorted((row.date_ms, row.series, row.reason, row.deleted) for row in await store.refused(T0, NOW_MS)),
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(tables(), max_size=3), max_size=8))
async def test_memory_and_sqlite_are_alike(writes: list[list[Table]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        memory, sqlite = MemoryStore(lambda: NOW_MS), SqliteStore(Path(folder) / "kewang.db", lambda: NOW_MS)
        try:
            for written in writes:
                assert await outcome(memory, written) == await outcome(sqlite, written)
            for one, other in zip(await everything(memory), await everything(sqlite), strict=True):
                assert one == other
        finally:
            await sqlite.close()
