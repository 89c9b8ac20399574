"""Bytes cut into packets: however they come, the same packets; what is too long costs no memory."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt_packets import MAX_PACKET_BYTES, PUBLISH, BadPacket, Cutter, connect, publish, published, subscribe

TOPIC = "kewang/1/b/ambon-m1/d/env"


def cut(stream: bytes, sizes: list[int]) -> list[tuple[int, bytes, bool]]:
    """Its packets when it comes in pieces of these sizes."""
    cutter, found, at = Cutter(), [], 0
    for size in [*sizes, len(stream)]:
        found += list(cutter.packets(stream[at : at + size]))
        at += size
    return found


@given(st.lists(st.binary(max_size=300), max_size=6), st.lists(st.integers(1, 200), max_size=20))
def test_pieces_make_no_difference(payloads: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(publish(TOPIC, payload, number) for number, payload in enumerate(payloads, 1))
    packets = cut(stream, sizes)
    assert packets == cut(stream, [])
    assert [published(first, rest) for first, rest, _ in packets] == [
        (TOPIC, number.to_bytes(2, "big"), payload) for number, payload in enumerate(payloads, 1)
    ]
    assert all(whole for _, _, whole in packets)


@pytest.mark.parametrize("piece", [1000, 65_536, 3_000_000])
def test_a_giant_is_answered_and_skipped_and_what_follows_is_read(piece: int) -> None:
    giant = publish(TOPIC, bytes(2 * MAX_PACKET_BYTES), 7)
    stream = giant + publish(TOPIC, b"next", 8)
    cutter, found = Cutter(), []
    tracemalloc.start()
    for at in range(0, len(stream), piece):
        found += list(cutter.packets(stream[at : at + piece]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (first, rest, whole), following = found
    assert (first >> 4, published(first, rest)[:2], whole) == (PUBLISH, (TOPIC, b"\x00\x07"), False)
    assert published(following[0], following[1]) == (TOPIC, b"\x00\x08", b"next")
    assert piece > 65_536 or peak < 1_000_000


@given(st.binary(max_size=200))
def test_any_bytes_are_packets_or_none(stream: bytes) -> None:
    try:
        for first, rest, _ in Cutter().packets(stream):
            if first >> 4 == PUBLISH:
                published(first, rest)
    except BadPacket:
        pass


@pytest.mark.parametrize(
    "stream", [b"\x30\x80\x80\x80\x80\x01", b"\x34\x04\x00\x01ab", b"\x32\x03\x00\x01a", b"\x30\x01a"]
)
def test_no_mqtt(stream: bytes) -> None:
    with pytest.raises(BadPacket):
        for first, rest, _ in Cutter().packets(stream):
            published(first, rest)


def test_packets_as_the_standard_prints_them() -> None:
    """CONNECT: figure 3.6 and the bytes before it, with the fields in the order of section 3.1.3."""
    sent = connect("gw1", 30, username="u", password="p", will=("w/t", b"off"))
    head = b"\x00\x04MQTT\x04\xee\x00\x1e"
    assert sent == b"\x10\x1f" + head + b"\x00\x03gw1\x00\x03w/t\x00\x03off\x00\x01u\x00\x01p"
    assert connect("gw1", 30)[2:12] == b"\x00\x04MQTT\x04\x02\x00\x1e"
    assert subscribe(10, [("a/b", 1), ("c/d", 0)]) == b"\x82\x0e\x00\x0a\x00\x03a/b\x01\x00\x03c/d\x00"
    assert publish("a/b", b"", 10, retain=True) == b"\x33\x07\x00\x03a/b\x00\x0a"
