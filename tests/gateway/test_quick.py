"""The quick way makes of a batch what the thorough one makes, or leaves it alone; what our edges send goes quickly."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import quick
from gateway.judge import Window, judge
from gateway.ports import Numbers, SeriesId
from kewang.bench.mutate import NOW_MS, Mutator
from kewang.wire.batch import MAX_ROWS, Batch, Row, encode, fixed, inflate, read, stamp
from kewang.wire.catalogue import METRICS
from kewang.wire.errors import WireError
from tests.wire.shapes import batches, json_values

T0_MS = 1_785_000_000_000
WINDOW = Window(T0_MS - 1_000_000, T0_MS + 1_000_000)
COMMON: dict[str, Any] = {
    "v": 1, "rw": 0, "up": 5, "bt": "4f1e0c9a77d2", "q": 7, "src": "env-1", "tq": 2,
    "t0": T0_MS, "k": ["temp_c", "rh_pct"], "r": [[0, 29.12, 78], [1000, 29.1, 78.5]],
}  # fmt: skip


def quickly(message: bytes, stream: str = "env", window: Window = WINDOW) -> bool:
    """Whether it goes quickly; what becomes of it then is what the thorough way makes of it."""
    found = quick.read(stream, "ambon-m1", message, window)
    if found is None:
        return False
    batch, table, last_ms = found
    thorough = read(message)
    for name in ("run", "number", "source", "up_ms", "rewind", "t0_ms", "time_quality"):
        ours, theirs = getattr(batch, name), getattr(thorough, name)
        assert (ours, type(ours)) == (theirs, type(theirs))
    verdict = judge(SeriesId(stream, "ambon-m1", batch.source), thorough, window)
    assert (verdict.tables, verdict.refused) == ([table], [])
    assert last_ms == table.rows[-1][0]
    assert isinstance(table.rows, Numbers)
    assert {tuple(map(type, row)) for row in table.rows} == {(int, *[float] * len(table.fields))}
    return True


def text(**changed: Any) -> bytes:
    return json.dumps(COMMON | changed).encode()


@pytest.mark.parametrize("stream", ["env", "cam", "sys", "evt"])
def test_what_an_edge_sends_goes_quickly(stream: str) -> None:
    metrics = [metric for metric in METRICS if metric.stream == stream]
    rows: list[Row] = [
        [dt, *(min(getattr(metric, end), 2**53 - 1) for metric in metrics)] for dt, end in ((0, "low"), (1, "high"))
    ]
    batch = Batch("4f1e", 1, "box", 2, T0_MS, [metric.name for metric in metrics], rows)
    assert quickly(inflate(stamp(fixed(batch), 5, 9)), stream)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"r": [[0, -0.0, 0]]},
        {"r": [[5, 20, 20], [3, 1e1, 2e-300], [4, 5e-324, 99.99999999999999999]]},
        {"r": [[-1000, 20, 20]]},
        {"r": [[i, 29.1, 78.2] for i in range(MAX_ROWS)]},
        {"rw": 2**53, "up": 2**53, "q": 2**53},
        {"bt": "\u0041"},
    ],
)
def test_common_batches(changed: dict[str, Any]) -> None:
    assert quickly(text(**changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"v": True},
        {"v": 1.0},
        {"v": 2},
        {"q": 0},
        {"q": 2**53 + 1},
        {"q": 7.0},
        {"rw": -1},
        {"up": "5"},
        {"bt": "4f1e-"},
        {"bt": "a:b"},
        {"src": "-"},
        {"src": "Env"},
        {"tq": 1},
        {"tq": True},
        {"t0": 2**62},
        {"t0": T0_MS - 1_000_001},
        {"held": None},
        {"new": 1},
        {"k": ["temp_c"]},
        {"k": ["temp_c", "temp_c"]},
        {"k": ["temp_c", "cpu_pct"]},
        {"k": ["temp_c", "so2_ppb"]},
        {"k": ["temp_c", ["rh_pct"]]},
        {"k": ["temp_c_mean", "thinned"]},
        {"k": "temp_c"},
        {"k": {}},
        {"r": []},
        {"r": [[]]},
        {"r": [[0, 29.1]]},
        {"r": [[0, 29.1, 78.2, 1.0]]},
        {"r": [[0.0, 29.1, 78.2]]},
        {"r": [[True, 29.1, 78.2]]},
        {"r": [[0, 29.1, 78.2], [0, 29.2, 78.2]]},
        {"r": [[0, 29.1, None]]},
        {"r": [[0, 29.1, True]]},
        {"r": [[0, 29.1, "78.2"]]},
        {"r": [[0, 29.1, [78.2]]]},
        {"r": [[0, 29.1, 100.1]]},
        {"r": [[0, -10.1, 78.2]]},
        {"r": [[0, 29.1, 10**400]]},
        {"r": [[0, 29.1, float("nan")]]},
        {"r": [[0, 29.1, float("inf")]]},
        {"r": [[1_000_001, 29.1, 78.2]]},
        {"r": [[10**30, 29.1, 78.2]]},
        {"r": [[i, 29.1, 78.2] for i in range(MAX_ROWS + 1)]},
    ],
    ids=lambda changed: str(changed)[:50],
)
def test_what_is_not_common_is_left_to_the_thorough_way(changed: dict[str, Any]) -> None:
    assert not quickly(text(**changed))


def test_whole_numbers_that_are_no_float_exactly_are_judged_as_they_are() -> None:
    counted = {"k": ["sim_n"], "r": [[0, 2**53 - 1]]}
    assert quickly(text(**counted))
    for number in (2**53, 2**53 + 1, 2**64):
        assert not quickly(text(**counted | {"r": [[0, number]]}))


def test_what_only_looks_like_json_or_holds_a_key_twice() -> None:
    plain = text().decode()
    for doubled in ('{"q":8,', '{"q" : 8,', '{"\\u0071":8,'):
        assert not quickly(plain.replace("{", doubled, 1).encode())
    for broken in (
        plain[:-1],
        plain + "{}",
        plain.replace('"up"', "up"),
        plain.replace("29.12", "029.12"),
        "[" * 200_000,
    ):
        assert not quickly(broken.encode())
    for byte in (b"\xff", b"\xed\xa0\x80"):
        assert not quickly(text().replace(b"4f1e", byte))
        assert not quickly(text().replace(b"temp_c", byte))
    assert not quickly(text(k=0, r=0).replace(b": 0", b": " + b"[" * 200_000))
    assert quickly(plain.replace("29.12", " 29.12 ").encode())


def test_dates_of_no_century_of_ours_are_left_alone_by_an_unsynchronised_gateway() -> None:
    assert quickly(text(), window=Window())
    assert not quickly(text(t0=0), window=Window())
    assert not quickly(text(r=[[10**13, 29.1, 78.2]]), window=Window())


@given(st.sampled_from([*COMMON, "held", "tl", "new"]), json_values)
def test_one_key_is_anything(key: str, value: Any) -> None:
    quickly(text(**{key: value}))


likely = st.integers(-20, 120) | st.floats(-20, 120)


@given(
    st.lists(st.tuples(st.integers(-1_100_000, 1_100_000), likely, likely), min_size=1, max_size=6),
    st.sampled_from([("temp_c", "rh_pct"), ("rh_pct", "pressure_hpa"), ("temp_c", "cpu_pct")]),
    st.sampled_from([WINDOW, Window(), Window(T0_MS - 1000, T0_MS + 1000)]),
)
def test_rows_of_numbers(rows: list[tuple[Any, ...]], metrics: tuple[str, ...], window: Window) -> None:
    quickly(text(k=metrics, r=rows), window=window)


@given(batches())
def test_every_batch_of_ours(batch: Batch) -> None:
    quickly(inflate(encode(batch)))


def test_mutated_payloads() -> None:
    window = Window(NOW_MS - 14 * 86_400_000, NOW_MS + 300_000)
    went = 0
    for payload in Mutator(5).payloads(3000):
        try:
            message = inflate(payload)
        except WireError:
            continue
        went += any(quickly(message, stream, window) for stream in ("env", "sys", "cam"))
    assert 50 < went < 1500
