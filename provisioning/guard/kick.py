"""Cutting boxes off: on the loopback listener somebody else takes their client ids, many in one go.

By hand instead of by the library: a hundred boxes are revoked at once, and each ms is one in which they speak.
"""

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from provisioning.guard.client import Door, Refused

AT_ONCE: Final = 50
"""Connections at one time; the listener has room for a few more."""
_PROTOCOL: Final = bytes.fromhex("0004 4d515454 04 c2 0005")
"""MQTT 3.1.1 with user name, password and a clean session: nothing waits for the box in the broker either."""
_DISCONNECT: Final = b"\xe0\x00"
_CONNACK: Final = 0x20
_CONNACK_BYTES: Final = 4


def kick(door: Door, devices: Sequence[str], limit_s: float) -> None:
    """Cut off `devices`; who is not connected stays so. Raises Refused, OSError."""
    for first in range(0, len(devices), AT_ONCE):
        with ExitStack() as links:
            some = devices[first : first + AT_ONCE]
            opened = [links.enter_context(_asking(door, device, limit_s)) for device in some]
            for link, device in zip(opened, some, strict=True):
                _taken(link, device)


def _asking(door: Door, device: str, limit_s: float) -> socket.socket:
    link = socket.create_connection((door.host, door.port), limit_s)
    try:
        link.sendall(_connect(device, door.username or "", door.password or ""))
    except BaseException:
        link.close()
        raise
    return link


def _taken(link: socket.socket, device: str) -> None:
    """Wait until the broker has given the client id to us, which is after it has cut off the box."""
    answer = b""
    while len(answer) < _CONNACK_BYTES:
        more = link.recv(_CONNACK_BYTES - len(answer))
        if not more:
            raise Refused(f"cutting off {device}: the broker closed the loopback connection")
        answer += more
    if answer[0] != _CONNACK or answer[3]:
        raise Refused(f"cutting off {device}: CONNACK {answer[3]:#04x}", answer[3])
    link.sendall(_DISCONNECT)


def _connect(device: str, username: str, password: str) -> bytes:
    words = b"".join(_word(each) for each in (device, username, password))
    length = len(_PROTOCOL) + len(words)  # below 128: ids have at most 32 characters, the password has 32
    return bytes([0x10, length]) + _PROTOCOL + words


def _word(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()
