"""What may travel, as hypothesis strategies."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from kewang.wire.ack import MAX_LABELS, MAX_RANGES, Ack
from kewang.wire.batch import MAX_DATE_MS, MAX_METRICS, MAX_REWIND, MIN_DATE_MS, Batch
from kewang.wire.command import Command, Result
from kewang.wire.errors import WireError
from kewang.wire.names import STREAMS
from kewang.wire.placement import Place, Placement
from kewang.wire.state import GatewayState, OutboxSize, State
from kewang.wire.tally import MAX_TALLIES, Tally
from kewang.wire.topics import CHANNELS

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
COUNTS = st.integers(0, 2**53)

devices = st.text(LETTERS + "-", min_size=3, max_size=32)
sources = st.text(LETTERS + "-", min_size=1, max_size=32).filter(lambda text: text != "-")
runs = st.text(LETTERS + LETTERS.upper(), min_size=1, max_size=32)
channels = st.sampled_from(CHANNELS)
streams = st.sampled_from(STREAMS)
dates = st.integers(MIN_DATE_MS, MAX_DATE_MS)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
"""Anything a JSON parser may give."""

tallies = st.builds(Tally, run=runs, source=sources, hour=COUNTS, made=COUNTS, dropped=COUNTS)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Every batch an edge may send."""
    metrics = draw(st.lists(texts, min_size=1, max_size=min(5, MAX_METRICS), unique=True))
    values = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
    t0_ms = draw(dates)
    offsets = st.integers(MIN_DATE_MS - t0_ms, MAX_DATE_MS - t0_ms)
    row = st.builds(lambda dt, given: [dt, *given], offsets, st.lists(values, max_size=6))
    return Batch(
        run=draw(runs),
        number=draw(st.integers(1, 2**53)),
        source=draw(sources),
        time_quality=draw(st.integers(0, 2)),
        t0_ms=t0_ms,
        metrics=metrics,
        rows=draw(st.lists(row, min_size=1, max_size=5)),
        rewind=draw(st.integers(0, MAX_REWIND)),
        up_ms=draw(COUNTS),
        held=draw(st.none() | COUNTS),
        tallies=draw(st.lists(tallies, max_size=min(3, MAX_TALLIES))),
    )


acks = st.builds(
    Ack,
    g=texts,
    rw=st.integers(0, MAX_REWIND),
    rf=st.integers(0, MAX_DATE_MS),
    ok=st.lists(st.tuples(runs, COUNTS, COUNTS), max_size=5).map(tuple),
    nk=st.lists(st.tuples(runs, COUNTS, texts), max_size=3).map(tuple),
    bad=st.lists(st.integers(0, 2**32 - 1), max_size=3).map(tuple),
    cr=st.integers(0, 10_000),
    gt=st.none() | dates,
    re=st.none() | st.tuples(runs, COUNTS),
)

crowded_acks = st.builds(
    Ack,
    ok=st.lists(st.tuples(runs, COUNTS, COUNTS), min_size=20, max_size=2 * MAX_RANGES).map(tuple),
    nk=st.lists(st.tuples(runs, COUNTS, st.text(max_size=200)), min_size=10, max_size=2 * MAX_LABELS).map(tuple),
    bad=st.lists(st.integers(0, 2**32 - 1), max_size=40).map(tuple),
)
"""Acks that may be too long."""

states = st.builds(
    State,
    st=st.sampled_from(["on", "bye", "off"]),
    bt=runs,
    n=COUNTS,
    up=st.none() | COUNTS,
    rw=st.none() | COUNTS,
    why=st.none() | st.sampled_from(["power", "watchdog", "link", "update", "config"]),
    fw=st.none() | texts,
    cfg=st.none() | COUNTS,
    outbox=st.none() | st.builds(OutboxSize, batches=COUNTS, bytes=COUNTS),
)

ids = st.text(LETTERS + "-", min_size=1, max_size=64)
places = st.builds(
    Place,
    from_ms=st.integers(0, MAX_DATE_MS),
    site=ids,
    lat=st.none() | st.floats(-90, 90),
    lon=st.none() | st.floats(-180, 180),
    uplink=st.none() | ids,
    feeder=st.none() | ids,
    link=st.sampled_from(["wired", "cellular"]),
    kind=ids,
    sources=st.lists(sources, max_size=3).map(tuple),
    life=st.sampled_from(["approved", "installed", "maintenance", "quarantined", "revoked", "retired"]),
)
placements = st.builds(Placement, h=st.lists(places, min_size=1, max_size=4).map(tuple))
gateway_states = st.builds(
    GatewayState, st=st.sampled_from(["on", "off"]), shards=st.text("0123456789abcdef", max_size=16)
)

command_ids = st.text(LETTERS + "-", min_size=8, max_size=64)
command_names = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
values = st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts
commands = st.builds(
    Command,
    id=command_ids,
    exp=st.integers(0, MAX_DATE_MS),
    name=command_names,
    args=st.dictionaries(command_names, values, max_size=4),
)
results = st.builds(Result, id=command_ids, ok=st.booleans(), text=texts)


def read_or_refused(decode: Callable[[bytes], object], payload: bytes) -> None:
    """`decode` gives a message, or a WireError whose text can be shown; any other error passes through."""
    try:
        decode(payload)
        return
    except WireError as error:
        text = str(error)
    assert text.isprintable()
    assert len(text) <= 200
