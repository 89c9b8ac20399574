"""A simulated SHT3x, by its datasheet (version 5): commands of two bytes, no clock stretching, checksums."""

import time

from firmware_sim.sensor import Sensor

METRICS = ("temp_c", "rh_pct")
_MEASURE = 0x2400
_STATUS = 0xF32D
_DURATION_S = 0.0125
"""Typical; until then it does not acknowledge a read (4.3)."""


class Sht3x:
    """See I2cDevice."""

    def __init__(self, sensor: Sensor) -> None:
        self.sensor = sensor
        self._command = b""
        self._ready_s = 0.0
        self._answer = b""

    def start(self, *, reading: bool) -> bool:
        """See I2cDevice."""
        if not reading:
            self._command = b""
            return True
        if int.from_bytes(self._command, "big") == _STATUS:
            self._answer = _with_sum(0x8010)
            return True
        return bool(self._answer) and time.monotonic() >= self._ready_s

    def take(self, byte: int) -> bool:
        """See I2cDevice."""
        self._command += bytes([byte])
        if int.from_bytes(self._command, "big") == _MEASURE and len(self._command) == 2:
            self._measure()
        return len(self._command) <= 2

    def give(self) -> int:
        """See I2cDevice."""
        byte, self._answer = (self._answer[0], self._answer[1:]) if self._answer else (0xFF, b"")
        return byte

    def _measure(self) -> None:
        values = self.sensor.measure()
        raw = [round((values["temp_c"] + 45) * 65535 / 175), round(values["rh_pct"] * 65535 / 100)]
        temperature, humidity = (min(65535, max(0, word)) for word in raw)
        self._answer = _with_sum(temperature) + _with_sum(humidity)
        self._ready_s = time.monotonic() + _DURATION_S
        self.sensor.gave({"temp_c": 175 * temperature / 65535 - 45, "rh_pct": humidity / 655.35})


def _with_sum(word: int) -> bytes:
    """A word and its checksum: the remainder of a division by x^8 + x^5 + x^4 + 1, begun with 0xFF."""
    left = (word ^ 0xFF00) << 8
    for place in range(23, 7, -1):
        if left >> place & 1:
            left ^= 0x131 << (place - 8)
    return word.to_bytes(2, "big") + bytes([left])
