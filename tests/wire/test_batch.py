"""Batches: every one round-trips; whatever else comes gives WireError and nothing more, at little cost."""

import json
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kewang.wire.batch import (
    DEFLATE_ABOVE_BYTES,
    MAX_DATE_MS,
    MAX_INFLATED_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_METRICS,
    MAX_NAMES,
    MAX_ROWS,
    MIN_DATE_MS,
    Batch,
    decode,
    encode,
    fixed,
    inflate,
    stamp,
)
from kewang.wire.errors import WireError
from tests.wire.shapes import batches, json_values, read_or_refused

T0_MS = 1_785_000_000_000
PLAIN: dict[str, Any] = {
    "v": 1, "bt": "4f1e0c9a77d2", "q": 18422, "rw": 1_785_000_000, "up": 86_400_123, "src": "env-1", "tq": 2,
    "t0": T0_MS, "k": ["temp_c", "rh_pct"], "r": [[0, 29.12, 78.2], [10_000, 29.1, None]],
}  # fmt: skip


def payload(**changes: Any) -> bytes:
    return json.dumps(PLAIN | changes).encode()


def refused(message: bytes) -> str:
    with pytest.raises(WireError) as caught:
        decode(message)
    return str(caught.value)


@given(batches())
def test_decode_is_the_inverse_of_encode(batch: Batch) -> None:
    assert decode(encode(batch)) == batch


@given(batches(), st.integers(0, 2**33), st.integers(0, 2**53))
def test_a_resend_differs_only_in_what_is_stamped(batch: Batch, rewind: int, up_ms: int) -> None:
    again = decode(stamp(fixed(batch), rewind, up_ms))
    assert (again.rewind, again.up_ms) == (rewind, up_ms)
    again.rewind, again.up_ms = batch.rewind, batch.up_ms
    assert again == batch


@given(batches())
def test_long_messages_are_deflated_and_short_ones_are_not(batch: Batch) -> None:
    sent = encode(batch)
    message = inflate(sent)
    assert (sent[:1] == b"x") == (len(message) > DEFLATE_ABOVE_BYTES)
    assert (sent[:1] == b"{") == (len(message) <= DEFLATE_ABOVE_BYTES)


def test_stamp_takes_only_what_fixed_made() -> None:
    with pytest.raises(WireError):
        stamp(b'{"bt":"a"}', 0, 0)


def test_the_message_of_the_page() -> None:
    batch = decode(payload())
    assert (batch.run, batch.number, batch.rewind, batch.up_ms) == ("4f1e0c9a77d2", 18422, 1_785_000_000, 86_400_123)
    assert batch.rows == [[0, 29.12, 78.2], [10_000, 29.1, None]]
    assert (batch.held, batch.tallies) == (None, [])


def test_time_quality_is_two_unless_said() -> None:
    quick = dict(PLAIN)
    del quick["tq"]
    assert decode(json.dumps(quick).encode()).time_quality == 2


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda end: b"{" + end))
@example(b"")
@example(b"x")
@example(b"\x78\x9c")
@example(b"{")
@example('{"v":1}'.encode("utf-16"))
@example('{"v":1}'.encode("utf-16-le"))
@example(b"\xef\xbb\xbf{}")
@example(b"{\xff}")
@example(b"[1]")
@example(b"null")
def test_arbitrary_bytes_give_a_wire_error(message: bytes) -> None:
    refused(message)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_deflated_give_a_wire_error(message: bytes) -> None:
    refused(zlib.compress(message))


@given(batches(), st.data())
def test_mutated_bytes_give_a_batch_or_a_wire_error(batch: Batch, data: st.DataObject) -> None:
    message = bytearray(data.draw(st.sampled_from([encode(batch), inflate(encode(batch))])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(message) - 1))
        message[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        if not message:
            break
    read_or_refused(decode, bytes(message))


@given(st.sampled_from([*PLAIN, "held", "tl"]), json_values)
def test_any_value_under_any_key_gives_a_batch_or_a_wire_error(key: str, value: Any) -> None:
    read_or_refused(decode, payload(**{key: value}))


@given(st.sampled_from(["v", "bt", "q", "rw", "up", "src", "t0", "k", "r"]))
def test_a_missing_key_is_named(key: str) -> None:
    assert key in refused(json.dumps({k: v for k, v in PLAIN.items() if k != key}).encode())


@given(json_values)
def test_unknown_keys_are_ignored(value: Any) -> None:
    # Of NaN and infinity a JSON writer makes tokens that are no JSON; they are refused wherever they stand.
    text = json.dumps({"later": value, "device": "someone-else"} | PLAIN)
    if "NaN" not in text and "Infinity" not in text:
        assert decode(text.encode()) == decode(payload())


@pytest.mark.parametrize("version", [0, 2, "1", 1.0, True, None, [1]])
def test_an_unknown_version_is_refused(version: Any) -> None:
    assert "version" in refused(payload(v=version))


@pytest.mark.parametrize("key", ["q", "rw", "up", "t0", "tq", "held"])
@pytest.mark.parametrize(
    "value", [True, False, -1, 1.0, 1e3, "1", [1], {}, 2**53 + 1, pytest.param(10**4000, id="huge")]
)
def test_counts_are_whole_numbers_in_bounds(key: str, value: Any) -> None:
    assert key in refused(payload(**{key: value}))


@pytest.mark.parametrize("name", ["", "-", "Env.", "a b", "a" * 33, "a\n", "é", 5, None, ["a"], "\ud800"])
def test_sources_and_runs_follow_their_grammar(name: Any) -> None:
    assert "src" in refused(payload(src=name))
    assert "bt" in refused(payload(bt=name))


def test_numbers_of_thousands_of_digits_are_refused_at_once() -> None:
    refused(payload().replace(b"18422", b"9" * 60_000))
    refused(payload().replace(b"29.12", b"9" * 60_000))


def test_a_number_too_large_for_a_float_is_left_to_the_judge() -> None:
    assert decode(payload().replace(b"29.12", b"1e999")).rows[0][1] == float("inf")


@pytest.mark.parametrize("token", [b"NaN", b"Infinity", b"-Infinity"])
def test_tokens_that_are_no_json_are_refused(token: bytes) -> None:
    refused(payload().replace(b"29.12", token))


@pytest.mark.parametrize("key", ["bt", "r", "later"])
def test_a_key_that_is_there_twice_is_refused(key: str) -> None:
    value = json.dumps(PLAIN.get(key, 1)).encode()
    twice = b'{"%s":%s,"%s":%s,' % (key.encode(), value, key.encode(), value)
    assert "twice" in refused(twice + payload()[1:])
    assert "twice" in refused(payload(later={}).replace(b'"later": {}', b'"later":{"a":1,"a":1}'))


def test_deep_nesting_is_refused() -> None:
    refused(payload().replace(b"29.12", b"[" * 30_000 + b"]" * 30_000))
    refused(b'{"a":' * 10_000 + b"1" + b"}" * 10_000)


def test_lone_surrogates_do_not_break_the_answer() -> None:
    assert decode(payload().replace(b"temp_c", b"\\ud800")).metrics[0] == "\ud800"
    assert refused(payload().replace(b"env-1", b"\\ud800")).isprintable()


@pytest.mark.parametrize("rows", [None, {}, [], [[]], [5], ["0"], [[0.0, 1]], [[True, 1]], [["0", 1]], [[None, 1]]])
def test_rows_begin_with_whole_ms(rows: Any) -> None:
    refused(payload(r=rows))


@pytest.mark.parametrize("names", [None, [], "temp_c", [1], ["a", "a"], [["a"]], {"a": 1}])
def test_metrics_are_different_names(names: Any) -> None:
    refused(payload(k=names))


@pytest.mark.parametrize("entries", [5, {}, [[]], [["r", "s", 1, 2]], [["r", "s", 1, 2, True]], [["r", "S", 1, 2, 3]],
                                     [["r", "s", 1, 2, -1]], [[1, "s", 1, 2, 3]], [["r", "s", 1.0, 2, 3]],
                                     [["r", "s", 1, 2, 3]] * 51])  # fmt: skip
def test_tallies_follow_their_grammar(entries: Any) -> None:
    assert "tl" in refused(payload(tl=entries))


def test_limits_of_rows_and_metrics() -> None:
    assert len(decode(payload(r=[[i, 1, 2] for i in range(MAX_ROWS)])).rows) == MAX_ROWS
    assert "1001 rows" in refused(payload(r=[[i, 1, 2] for i in range(MAX_ROWS + 1)]))
    names = [f"m{i}" for i in range(MAX_METRICS + 1)]
    assert len(decode(payload(k=names[:-1])).metrics) == MAX_METRICS
    assert "65 metrics" in refused(payload(k=names))
    longest = ["a" * (MAX_NAMES - 1), "b"]
    assert decode(payload(k=longest)).metrics == longest
    assert "4096 characters" in refused(payload(k=[*longest, "c"]))


def test_limits_of_dates() -> None:
    assert decode(payload(t0=MIN_DATE_MS)).t0_ms == MIN_DATE_MS
    assert decode(payload(t0=MAX_DATE_MS, r=[[0, 1]])).t0_ms == MAX_DATE_MS
    assert decode(payload(t0=0, r=[[MIN_DATE_MS, 1]])).t0_ms == 0, "a date is t0 + dt"
    year_1999, year_2201 = 946_684_799_999, 7_289_654_400_000
    assert "2000" in refused(payload(t0=year_1999))
    assert "2000" in refused(payload(r=[[0, 1], [year_1999 - T0_MS, 1]]))
    assert "2200" in refused(payload(r=[[0, 1], [year_2201 - T0_MS, 1]]))
    refused(payload(t0=year_2201))


def test_limit_of_a_message() -> None:
    room = MAX_MESSAGE_BYTES - len(payload(later=""))
    assert decode(payload(later="x" * room)).number == 18422
    assert "limit is 65536" in refused(payload(later="x" * (room + 1)))


def test_limit_of_the_inflated_message() -> None:
    room = MAX_INFLATED_BYTES - len(payload(later=""))
    assert decode(zlib.compress(payload(later="x" * room))).number == 18422
    assert "1048576" in refused(zlib.compress(payload(later="x" * (room + 1))))


def test_a_bomb_is_not_inflated_further() -> None:
    bomb = zlib.compress(b"x" * 60_000_000)
    assert len(bomb) <= MAX_MESSAGE_BYTES
    tracemalloc.start()
    refused(bomb)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 4 * MAX_INFLATED_BYTES


def test_zlib_must_be_whole_and_alone() -> None:
    whole = zlib.compress(payload())
    decode(whole)
    assert "zlib" in refused(whole[:-1])
    assert "zlib" in refused(whole + b"x")
    assert "zlib" in refused(whole[:-1] + bytes([whole[-1] ^ 1]))
