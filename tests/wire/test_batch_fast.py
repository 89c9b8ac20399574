"""The fast reader of JSON reads what the strict one reads, and refuses what that refuses, in the same words."""

import json
import zlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kewang.bench.mutate import Mutator
from kewang.wire import batch as wire
from kewang.wire.batch import Batch, encode
from kewang.wire.errors import WireError
from tests.wire.shapes import batches, json_values

T0_MS = 1_785_000_000_000
PLAIN: dict[str, Any] = {
    "v": 1, "rw": 0, "up": 5, "bt": "4f1e0c9a77d2", "q": 7, "src": "env-1", "tq": 2,
    "t0": T0_MS, "k": ["temp_c", "rh_pct"], "r": [[0, 29.12, 78], [1000, None, 1e22]],
}  # fmt: skip


def same(payload: bytes) -> Batch | None:
    """What both readers make of `payload`; None if they refuse it alike."""
    fast = read(payload)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "load_object", wire._load_strictly)
        plain = read(payload)
    assert fast == plain
    if isinstance(fast, str) or isinstance(plain, str):
        return None
    assert [[type(value) for value in row] for row in fast.rows] == [[type(v) for v in row] for row in plain.rows]
    return fast


def read(payload: bytes) -> Batch | str:
    """The batch, or why there is none."""
    try:
        return wire.decode(payload)
    except WireError as error:
        return str(error)


@given(batches())
def test_every_batch_of_ours(batch: Batch) -> None:
    assert same(encode(batch)) == batch


@given(st.sampled_from([*PLAIN, "held", "tl", "new"]), json_values)
@example("r", [[]])
@example("r", [[0.0, 1]])
@example("r", [[0, True]])
@example("k", ["a", "a"])
@example("k", ["a:b", "c"])
@example("held", None)
@example("tl", [["run", "-", 1, 2, 3]])
@example("q", 2**64)
def test_one_key_is_anything(key: str, value: Any) -> None:
    same(json.dumps(PLAIN | {key: value}).encode())


def test_a_doubled_key_is_no_batch_however_it_is_written() -> None:
    text = json.dumps(PLAIN, separators=(",", ":"))
    for doubled in ('{"q":8,', '{"q" : 8,', '{"\\u0071":8,', '{"k":["x:y"],"q":8,'):
        assert same(text.replace("{", doubled, 1).encode()) is None
        assert same(zlib.compress(text.replace("{", doubled, 1).encode())) is None


def test_mutated_payloads() -> None:
    read = [same(payload) is not None for payload in Mutator(5).payloads(3000)]
    assert 300 < sum(read) < 2700


def test_what_an_edge_sends_needs_no_second_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_load_strictly", None)
    assert wire.decode(json.dumps(PLAIN).encode()).rows == PLAIN["r"]
    heartbeat = PLAIN | {"src": "box", "held": 3, "tl": [["4f1e0c9a77d2", "env-1", 495833, 360, 0]]}
    assert wire.decode(zlib.compress(json.dumps(heartbeat).encode())).tallies[0].made == 360
