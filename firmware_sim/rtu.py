"""Simulated boards as units on a serial line, by Modbus over serial line 1.02; no library, so that edge and board do
not share a mistake."""

from collections.abc import Callable
from typing import Final

from firmware_sim.board import Board
from firmware_sim.faults import Fault

_REQUEST_BYTES: Final = 8
_MOST_BYTES: Final = 256


def crc16(data: bytes) -> bytes:
    """Checksum of a frame, low byte first (Modbus over serial line 1.02, 6.2.2)."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


class RtuUnit:
    """A board behind a serial line. `on_reset`: what its fault `reset` does to the line."""

    pace_s = 0.0

    def __init__(self, board: Board, baud: int = 9600, on_reset: Callable[[], None] = lambda: None) -> None:
        self.board, self.baud, self._on_reset = board, baud, on_reset
        self._heard = b""

    def hear(self, data: bytes) -> bytes:
        """See SerialDevice: the answers to the requests for this unit that are whole now."""
        self._heard = (self._heard + data)[-_MOST_BYTES:]
        answers = b""
        while len(self._heard) >= _REQUEST_BYTES:
            frame = self._heard[:_REQUEST_BYTES]
            if crc16(frame[:-2]) != frame[-2:]:
                self._heard = self._heard[1:]
                continue
            self._heard = self._heard[_REQUEST_BYTES:]
            if frame[0] == self.board.unit:
                answers += self._answer(frame)
        return answers

    def speak(self) -> bytes:
        """See SerialDevice: a unit that is not asked is silent."""
        return b""

    def _answer(self, frame: bytes) -> bytes:
        function, address, count = frame[1], int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:6], "big")
        given = self.board.answer(function, address, count)
        if isinstance(given, list):
            packed = _bits(given) if function in (1, 2) else b"".join(word.to_bytes(2, "big") for word in given)
            body = bytes([frame[0], function, len(packed)]) + packed
        else:
            body = bytes([frame[0], function | 0x80, given])
        return self._spoilt(body + crc16(body))

    def _spoilt(self, answer: bytes) -> bytes:
        fault = self.board.fault
        if fault is Fault.RESET:
            self._on_reset()
        if fault in (Fault.NO_ANSWER, Fault.RESET):
            return b""
        if fault is Fault.SHORT:
            return answer[: len(answer) // 2]
        return answer[:3] + bytes([answer[3] ^ 0x55]) + answer[4:] if fault is Fault.GARBLED else answer


def _bits(given: list[int]) -> bytes:
    """Inputs or coils, eight to a byte, the first one lowest (Modbus application protocol 1.1b3, 6.1)."""
    packed = sum(1 << place for place, bit in enumerate(given) if bit)
    return packed.to_bytes((len(given) + 7) // 8, "little")
