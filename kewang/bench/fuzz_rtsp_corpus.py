"""What a sound camera says, and the ways to break it, for `kewang.bench.fuzz_rtsp`."""

import random
import struct
from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from kewang.bench.mutate import Mutation, cut, flip

_CODECS: Final = ("H264", "H265", "JPEG")
_SETS: Final = {
    "H264": (b"\x67\x42\x00\x15\xf4", b"\x68\xce\x3c\x80"),
    "H265": (b"\x40\x01\x0c", b"\x42\x01\x01", b"\x44\x01\xc1"),
    "JPEG": (),
}
_TOKENS: Final = (
    b"\r\n", b"\r\n\r\n", b"\n\n", b"$", b"$\x00\xff\xff", b":", b"=", b"\0", b"\xff" * 40, b"A" * 3000,
    b"RTSP/1.0 200 OK\r\n", b"HTTP/1.1 200 OK\r\n", b"Session: \r\n", b"Location: rtsp://[::1\r\n",
    b"Content-Length: 4294967296\r\n", b"Content-Length: -1\r\n", b'WWW-Authenticate: Digest qop="auth", nonce=\r\n',
    b"m=video 0 RTP/AVP 96\r\n", b"a=rtpmap:96 ", b"a=control:rtsp://\r\n", b"a=fmtp:96 sprop-parameter-sets=====,,",
    b"\x7c\x85\x88", b"\x78\xff\xff", b"\x62\x01\x93",
)  # fmt: skip
_STATUS: Final = (100, 200, 301, 302, 400, 401, 403, 404, 453, 454, 461, 500, 503, 505, 999)
_CHALLENGE: Final = (
    'WWW-Authenticate: Basic realm="cam"\r\nWWW-Authenticate: Digest realm="cam", nonce="n1", algorithm=MD5\r\n'
    'WWW-Authenticate: Digest realm="cam", nonce="n2", algorithm=SHA-256, qop="auth", opaque="x"\r\n'
)


@dataclass(slots=True)
class Conversation:
    """The camera's answers in their order, and the interleaved stream that follows."""

    answers: list[bytes]
    stream: bytes


def conversation(rng: random.Random) -> Conversation:
    """A conversation, as sound as `rng` leaves it."""
    codec = rng.choice(_CODECS)
    answers = [_answer(200, "Public: DESCRIBE\r\n"), *_described(rng, codec)]
    answers.append(_answer(200, "Session: 1234;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"))
    answers.append(_answer(200, "Session: 1234\r\nRange: npt=0-\r\n"))
    packets = _packets(rng, codec)
    level = rng.random()
    if level < 0.45:
        packets = _broken_packets(rng, packets)
    stream = b"".join(struct.pack("!BBH", 0x24, rng.choices((0, 1, 7), (30, 1, 1))[0], len(p)) + p for p in packets)
    if 0.4 < level < 0.7:
        stream = _broken(rng, stream)
    if level > 0.6:
        chosen = rng.randrange(len(answers))
        answers[chosen] = _broken(rng, answers[chosen])
    if level > 0.97:
        rng.shuffle(answers)
    return Conversation(answers, stream)


def _answer(status: int, headers: str = "", body: str = "") -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"RTSP/1.0 {status} OK\r\nCSeq: 1\r\n{headers}{length}\r\n{body}".encode()


def _described(rng: random.Random, codec: str) -> list[bytes]:
    number = 26 if codec == "JPEG" else 96
    sets = [b64encode(each).decode() for each in _SETS[codec]]
    told = ""
    if codec == "H264":
        told = f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={','.join(sets)}\r\n"
    elif codec == "H265":
        told = f"a=fmtp:96 sprop-vps={sets[0]};sprop-sps={sets[1]};sprop-pps={sets[2]}\r\n"
    body = (
        f"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=cam\r\na=control:*\r\nm=audio 0 RTP/AVP 0\r\na=control:track2\r\n"
        f"m=video 0 RTP/AVP {number}\r\na=rtpmap:{number} {codec}/90000\r\n{told}"
        "a=framerate:25.0\r\na=control:track1\r\n"
    )
    answer = _answer(200, "Content-Base: rtsp://192.0.2.1/cam/\r\nContent-Type: application/sdp\r\n", body)
    return [_answer(401, _CHALLENGE), answer] if rng.random() < 0.3 else [answer]


def _packets(rng: random.Random, codec: str) -> list[bytes]:
    """Some frames, the first of them a key frame."""
    sequence, timestamp, packets = rng.randrange(65_536), rng.getrandbits(32), []
    for frame in range(rng.randint(1, 6)):
        payloads = _payloads(rng, codec, key=frame % 3 == 0)
        for index, payload in enumerate(payloads):
            second = 96 | (0x80 if index == len(payloads) - 1 else 0)
            packets.append(struct.pack("!BBHII", 0x80, second, sequence % 65_536, timestamp % 2**32, 7) + payload)
            sequence += 1
        timestamp += 3600
    packets.append(struct.pack("!BBHIIIIII", 0x80, 200, 6, 7, 4_008_988_800, 0, timestamp % 2**32, 1, 1))
    return packets


def _payloads(rng: random.Random, codec: str, *, key: bool) -> list[bytes]:
    body = rng.randbytes(rng.choice((20, 200, 900)))
    if codec == "JPEG":
        pieces = [body[at : at + 300] for at in range(0, len(body), 300)]
        return [struct.pack("!IBBBB", at * 300, 1, 60, 40, 22) + piece for at, piece in enumerate(pieces)]
    if codec == "H264":
        sets, head, kind = _SETS[codec], b"\x78", 5 if key else 1
        single, fragment = bytes((0x60 | kind,)), b"\x7c"
    else:
        sets, head, kind = _SETS[codec], b"\x60\x01", 19 if key else 1
        single, fragment = bytes((kind << 1, 1)), b"\x62\x01"
    before = []
    if key and rng.random() < 0.7:
        together = head + b"".join(struct.pack("!H", len(each)) + each for each in sets)
        before = [together] if rng.random() < 0.5 else list(sets)
    if rng.random() < 0.4:
        return [*before, single + b"\x88" + body]
    third = len(body) // 3 + 1
    pieces = [b"\x88" + body[:third], body[third : 2 * third], body[2 * third :]]
    flags = (0x80, 0, 0x40)
    return [*before, *(fragment + bytes((f | kind,)) + piece for f, piece in zip(flags, pieces, strict=True))]


def _broken_packets(rng: random.Random, packets: list[bytes]) -> list[bytes]:
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(packets))
        match rng.randrange(5):
            case 0 if len(packets) > 1:
                packets = packets[:at] + packets[at + 1 :]
            case 1:
                packets = packets[:at] + packets[at:] + packets[at : at + 3]
            case 2:
                other = rng.randrange(len(packets))
                packets[at], packets[other] = packets[other], packets[at]
            case 3:
                packets[at] = packets[at][: rng.randint(0, len(packets[at]))]
            case _:
                packets[at] = flip(rng, packets[at][:16]) + packets[at][16:]
    return packets


def _broken(rng: random.Random, data: bytes) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = rng.choice(_MUTATIONS)(rng, data)
    return data


def _leave_out(rng: random.Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + data[at + rng.randint(1, 40) :]


def _repeat(rng: random.Random, data: bytes) -> bytes:
    at, size = rng.randint(0, len(data)), rng.randint(1, 80)
    return data[:at] + data[at : at + size] * rng.choice((2, 3, 40)) + data[at + size :]


def _token(rng: random.Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice(_TOKENS) + data[at:]


def _number(rng: random.Random, data: bytes) -> bytes:
    """One of its decimal numbers becomes another."""
    places = [at for at in range(len(data)) if 0x30 <= data[at] <= 0x39]
    if not places:
        return data
    at = rng.choice(places)
    return data[:at] + str(rng.choice((0, -1, 255, 65_536, 2**32, 10**30))).encode() + data[at + 1 :]


def _status(rng: random.Random, data: bytes) -> bytes:
    return data.replace(b" 200 ", f" {rng.choice(_STATUS)} ".encode(), 1)


_MUTATIONS: Final[tuple[Mutation, ...]] = (flip, cut, _leave_out, _repeat, _token, _token, _number, _status)
