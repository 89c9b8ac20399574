"""MQTT 3.1.1 as far as the gateway speaks it: packets as bytes, and the bytes of a connection cut into packets. Pure.

Numbers in brackets are sections of the OASIS standard "MQTT Version 3.1.1".
"""

from collections.abc import Iterator, Sequence
from typing import Final

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
PINGREQ: Final = b"\xc0\x00"
DISCONNECT: Final = b"\xe0\x00"
MAX_PACKET_BYTES: Final = 1024 * 1024
"""Of a larger packet the rest is skipped, not kept: what it carries is no message of ours."""
_KEPT_OF_LONG: Final = 2 + 65_535 + 2
"""The longest topic and the number of a packet: what answering it takes."""
REFUSED: Final = {
    1: "it does not speak MQTT 3.1.1",
    2: "it does not like the client id",
    3: "it is not available",
    4: "user name or password are wrong",
    5: "not authorised",
}
"""Return codes of CONNACK [3.2.2.3]."""


class BadPacket(Exception):
    """Not MQTT 3.1.1; the connection can't go on."""


def connect(
    client_id: str,
    keepalive_s: int,
    *,
    username: str | None = None,
    password: str | None = None,
    will: tuple[str, bytes] | None = None,
) -> bytes:
    """CONNECT with a clean session [3.1]; `will`: topic and payload, at QoS 1, retained."""
    flags, payload = 0x02, _text(client_id)
    if will is not None:
        flags |= 0x04 | 0x08 | 0x20
        payload += _text(will[0]) + _sized(will[1])
    if username is not None:
        flags |= 0x80
        payload += _text(username)
        if password is not None:
            flags |= 0x40
            payload += _text(password)
    return _packet(CONNECT << 4, b"\x00\x04MQTT\x04" + bytes([flags]) + keepalive_s.to_bytes(2, "big") + payload)


def subscribe(number: int, filters: Sequence[tuple[str, int]]) -> bytes:
    """SUBSCRIBE to filters, each with the highest QoS [3.8]."""
    wanted = b"".join(_text(topic_filter) + bytes([qos]) for topic_filter, qos in filters)
    return _packet(SUBSCRIBE << 4 | 0x02, number.to_bytes(2, "big") + wanted)


def publish(topic: str, payload: bytes, number: int, *, retain: bool = False) -> bytes:
    """PUBLISH at QoS 1 [3.3]."""
    return _packet(PUBLISH << 4 | 0x02 | retain, _text(topic) + number.to_bytes(2, "big") + payload)


def puback(number: bytes) -> bytes:
    """PUBACK of a packet by the two bytes of its number [3.4]."""
    return b"\x40\x02" + number


def _packet(first: int, rest: bytes) -> bytes:
    length, sized = len(rest), bytearray([first])
    while length > 0x7F:
        sized.append(length & 0x7F | 0x80)
        length >>= 7
    sized.append(length)
    return bytes(sized) + rest


def _text(text: str) -> bytes:
    return _sized(text.encode())


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


class Cutter:
    """Bytes as they come from one connection, cut into packets."""

    def __init__(self) -> None:
        self._rest = b""
        self._skip = 0

    def packets(self, data: bytes) -> Iterator[tuple[int, bytes, bool]]:
        """First byte, what follows the length, and whether it is whole, of each packet that `data` ends.

        A packet above MAX_PACKET_BYTES comes cut off, as soon as what answering it takes is there. Raises BadPacket.
        """
        if self._skip:
            self._skip, data = max(0, self._skip - len(data)), data[self._skip :]
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        while end - at >= 2:
            length, start = data[at + 1], at + 2
            if length > 0x7F:
                length, start = _long(data, at)
                if not start:
                    break
            stop = start + length
            if stop > end:
                if length <= MAX_PACKET_BYTES or end - start < _KEPT_OF_LONG:
                    break
                self._skip = stop - end
                yield data[at], data[start : start + _KEPT_OF_LONG], False
                at = end
                break
            yield data[at], data[start:stop], length <= MAX_PACKET_BYTES
            at = stop
        self._rest = data[at:]


def _long(data: bytes, at: int) -> tuple[int, int]:
    """A length of 2 to 4 bytes and where it ends [2.2.3]; (0, 0) while it is not all there. Raises BadPacket."""
    length = 0
    for index in range(4):
        if at + 1 + index >= len(data):
            return 0, 0
        byte = data[at + 1 + index]
        length |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return length, at + 2 + index
    raise BadPacket("a length of more than four bytes")


def published(first: int, rest: bytes) -> tuple[str, bytes, bytes]:
    """Topic, the two bytes of the number (empty at QoS 0) and payload of a PUBLISH. Raises BadPacket."""
    qos = first >> 1 & 3
    start = 2 + (rest[0] << 8 | rest[1]) if len(rest) > 1 else 2
    begin = start + 2 if qos else start
    if qos > 1 or begin > len(rest):
        raise BadPacket("a PUBLISH at QoS 2, or cut off")
    try:
        return rest[2:start].decode(), rest[start:begin], rest[begin:]
    except UnicodeDecodeError:
        raise BadPacket("a topic that is not UTF-8") from None
