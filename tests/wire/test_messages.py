"""The small messages: every one round-trips; whatever else comes gives WireError."""

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kewang.wire.ack import MAX_ACK_BYTES, Ack, decode_ack
from kewang.wire.batch import MAX_DATE_MS, MAX_REWIND
from kewang.wire.command import MAX_COMMAND_BYTES, Command, Result, decode_command
from kewang.wire.errors import WireError, printable
from kewang.wire.models import Message
from kewang.wire.placement import REFUSED_LIVES, Placement
from kewang.wire.state import GatewayState, State
from tests.wire.shapes import (
    acks,
    commands,
    crowded_acks,
    gateway_states,
    json_values,
    placements,
    read_or_refused,
    results,
    states,
)

KINDS: list[type[Message]] = [Ack, State, Placement, GatewayState, Command, Result]
messages = acks | states | placements | gateway_states | commands | results


@given(messages)
def test_decode_is_the_inverse_of_encode(message: Message) -> None:
    assert type(message).decode(message.encode()) == message


@given(messages, st.dictionaries(st.text(min_size=9, max_size=12), st.integers(), max_size=3))
def test_unknown_keys_are_ignored(message: Message, more: dict[str, int]) -> None:
    longer = json.loads(message.encode()) | more
    assert type(message).decode(json.dumps(longer).encode()) == message


@given(st.sampled_from(KINDS), st.binary(max_size=100) | json_values.map(lambda value: json.dumps(value).encode()))
def test_arbitrary_bytes_give_a_wire_error_or_a_message(kind: type[Message], payload: bytes) -> None:
    read_or_refused(kind.decode, payload)


@given(messages, st.data())
def test_any_value_under_any_key_gives_a_wire_error_or_a_message(message: Message, data: st.DataObject) -> None:
    body = json.loads(message.encode())
    body[data.draw(st.sampled_from(sorted(body)))] = data.draw(json_values)
    read_or_refused(type(message).decode, json.dumps(body).encode())


@given(messages, st.data())
def test_mutated_bytes_give_a_wire_error_or_a_message(message: Message, data: st.DataObject) -> None:
    payload = bytearray(message.encode())
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    read_or_refused(type(message).decode, bytes(payload))


@pytest.mark.parametrize("kind", [Ack, Placement])
@pytest.mark.parametrize("version", [2, 0, "1", True, 1.0])
def test_an_unknown_version_is_refused(kind: type[Message], version: Any) -> None:
    good = {"v": version, "h": [{"from": 1, "site": "mardika"}]}
    with pytest.raises(WireError):
        kind.decode(json.dumps(good).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"rw": MAX_REWIND + 1}, {"rw": -1}, {"rw": 1.0}, {"rw": True}, {"cr": "20"}, {"cr": -1}, {"ok": [["a", 1]]},
        {"ok": [["a", 1, True]]}, {"ok": [["a-", 1, 2]]}, {"ok": {"a": 1}}, {"nk": [["a", 1, 2]]}, {"bad": [2**32]},
        {"bad": [-1]}, {"gt": 0}, {"gt": 10**13}, {"re": ["a"]}, {"re": ["a", 1, 2]}, {"rf": -1}, {"v": 2},
    ],
)  # fmt: skip
def test_an_ill_typed_ack_is_refused_whole(change: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        decode_ack(json.dumps({"v": 1, "rw": 1, "cr": 20} | change).encode())


def test_the_ack_of_the_page() -> None:
    ack = decode_ack(
        b'{"v":1,"g":"gw1","rw":1785000000,"rf":0,"ok":[["4f1e0c9a77d2",18405,18432]],'
        b'"nk":[["4f1e0c9a77d2",18409,"range: rh_pct=140"]],"bad":[],"cr":20,"gt":1785000301000,'
        b'"re":["4f1e0c9a77d2",86400123]}'
    )
    assert ack.ok == (("4f1e0c9a77d2", 18405, 18432),)
    assert ack.re == ("4f1e0c9a77d2", 86400123)


def test_an_ack_over_4_kib_is_refused() -> None:
    room = MAX_ACK_BYTES - len(b'{"later":""}')
    assert decode_ack(b'{"later":"%s"}' % (b"x" * room)) == Ack()
    with pytest.raises(WireError, match="4097 bytes"):
        decode_ack(b'{"later":"%s"}' % (b"x" * (room + 1)))


@pytest.mark.parametrize(
    "change",
    [
        {"id": "short"}, {"id": "UPPER-CASE"}, {"id": 12345678}, {"exp": -1}, {"exp": 1.5}, {"exp": MAX_DATE_MS + 1},
        {"name": "Accept"}, {"name": ""}, {"args": []}, {"args": {"source": None}}, {"args": {"source": ["cam-1"]}},
        {"args": {"Source": "cam-1"}}, {"args": {"source": "x" * 257}}, {"args": {f"a{n}": n for n in range(17)}},
    ],
)  # fmt: skip
def test_an_ill_typed_command_is_refused_whole(change: dict[str, Any]) -> None:
    good = {"v": 1, "id": "4f1e0c9a-77d2", "exp": 1_785_000_000_000, "name": "accept_view", "args": {"source": "cam-1"}}
    assert decode_command(json.dumps(good).encode()).args == {"source": "cam-1"}
    with pytest.raises(WireError):
        decode_command(json.dumps(good | change).encode())


def test_a_command_over_4_kib_is_refused() -> None:
    body = b'{"id":"4f1e0c9a","exp":1,"name":"a","later":"%s"}'
    room = MAX_COMMAND_BYTES - len(body % b"")
    assert decode_command(body % (b"x" * room)).args == {}
    with pytest.raises(WireError, match="4097 bytes"):
        decode_command(body % (b"x" * (room + 1)))


@given(acks | crowded_acks)
def test_a_fitted_ack_always_fits_and_says_less_at_most(ack: Ack) -> None:
    payload = ack.fitted()
    assert len(payload) <= MAX_ACK_BYTES
    sent = decode_ack(payload)
    for part in ("ok", "nk", "bad"):
        whole, kept = getattr(ack, part), getattr(sent, part)
        assert kept == whole[len(whole) - len(kept) :], "what changed last is kept"
    assert len(sent.ok) == len(ack.ok) or not sent.nk, "labels go first"
    assert sent.model_copy(update={"ok": ack.ok, "nk": ack.nk, "bad": ack.bad}) == ack


def test_keys_without_a_value_are_left_out() -> None:
    assert "gt" not in json.loads(Ack().encode())
    assert set(json.loads(State(st="off", bt="a", n=1).encode())) == {"st", "bt", "n"}


@given(placements, st.integers(0, 2**42))
def test_the_place_at_a_date(placement: Placement, date_ms: int) -> None:
    place = placement.at(date_ms)
    assert place in placement.h
    assume(any(each.from_ms <= date_ms for each in placement.h))
    assert place.from_ms <= date_ms
    assert placement.now == placement.h[-1]


@pytest.mark.parametrize(
    "change", [{"lat": 91}, {"lon": "128"}, {"life": "lost"}, {"from": None}, {"site": "Pasar"}, {"sources": ["A"]}]
)
def test_an_ill_typed_place_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        Placement.decode(json.dumps({"v": 1, "h": [{"from": 1, "site": "mardika"} | change]}).encode())


def test_a_whole_number_is_a_latitude() -> None:
    placement = Placement.decode(b'{"v":1,"h":[{"from":1,"site":"mardika","lat":-3,"lon":128}]}')
    assert placement.now.lat == -3.0
    assert placement.now.life not in REFUSED_LIVES


@pytest.mark.parametrize("history", [[], [{"from": 1, "site": "mardika"}] * 101])
def test_a_history_has_1_to_100_places(history: list[dict[str, Any]]) -> None:
    with pytest.raises(WireError):
        Placement.decode(json.dumps({"v": 1, "h": history}).encode())


@given(st.text(), st.integers(0, 300))
def test_error_texts_are_short_and_printable(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert all(" " <= c <= "~" for c in shown)
