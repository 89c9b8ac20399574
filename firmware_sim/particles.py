"""Simulated PMS5003 and SDS011 at the end of a serial line, by their makers' manuals; no code of the edge."""

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable

from firmware_sim.faults import Fault
from firmware_sim.sensor import Sensor

PMS_METRICS = ("pm1_ugm3", "pm25_ugm3", "pm10_ugm3")
SDS_METRICS = ("pm25_ugm3", "pm10_ugm3")


class ParticleSensor(ABC):
    """A fan and a laser. For `spin_up_s` after power-on or sleep it sees too little, and nothing it says counts."""

    baud = 9600

    def __init__(
        self,
        sensor: Sensor,
        *,
        pace_s: float = 1.0,
        spin_up_s: float = 30.0,
        on_reset: Callable[[], None] = lambda: None,
    ) -> None:
        self.sensor, self.pace_s = sensor, pace_s
        self.awake, self.naps, self.woken = True, 0, 0
        self._spin_up_s, self._on_reset = spin_up_s, on_reset
        self._awake_since_s = sensor.now_s()

    def power_on(self) -> None:
        """It was just switched on."""
        self.awake, self._awake_since_s = True, self.sensor.now_s()

    def speak(self) -> bytes:
        """See SerialDevice: a frame, if it is awake."""
        fault = self.sensor.fault
        if fault is Fault.RESET:
            self._on_reset()
        if not self.awake or fault in (Fault.NO_ANSWER, Fault.EXCEPTION, Fault.RESET):
            return b""
        frame, given = self.frame(self._seen())
        if fault is Fault.SHORT:
            return frame[: len(frame) // 2]
        if fault is Fault.GARBLED:
            return frame[:5] + bytes([frame[5] ^ 0x10]) + frame[6:]
        if self._is_warm():
            self.sensor.gave(given)
        return frame

    @abstractmethod
    def frame(self, values: dict[str, float]) -> tuple[bytes, dict[str, float]]:
        """A frame that says `values`, and what it says exactly."""

    @abstractmethod
    def hear(self, data: bytes) -> bytes:
        """See SerialDevice."""

    def switch(self, *, awake: bool) -> None:
        """It was told to sleep or to wake."""
        self.woken += awake
        if awake and not self.awake:
            self._awake_since_s = self.sensor.now_s()
        self.naps += self.awake and not awake
        self.awake = awake

    def _is_warm(self) -> bool:
        return self.sensor.now_s() - self._awake_since_s >= self._spin_up_s

    def _seen(self) -> dict[str, float]:
        share = 1.0 if self._is_warm() else 0.3
        return {name: share * value for name, value in self.sensor.measure().items()}


class Pms5003(ParticleSensor):
    """Data manual V2.3, appendix I (frame) and II (commands)."""

    def frame(self, values: dict[str, float]) -> tuple[bytes, dict[str, float]]:
        """See ParticleSensor."""
        said = {name: float(min(65535, round(values[name]))) for name in PMS_METRICS}
        air = [int(value) for value in said.values()]
        factory = [value * 3 // 2 for value in air]
        words = struct.pack(">14H", 28, *(min(65535, value) for value in factory), *air, *range(600, 0, -100), 0x9700)
        body = b"BM" + words
        return body + struct.pack(">H", sum(body)), said

    def hear(self, data: bytes) -> bytes:
        """See SerialDevice: sleep and wake, each with its sum."""
        for start in range(len(data) - 6):
            order = data[start : start + 7]
            if order[:3] == b"BM\xe4" and sum(order[:5]) == int.from_bytes(order[5:], "big"):
                self.switch(awake=order[4] == 1)
        return b""


class Sds011(ParticleSensor):
    """Control protocol V1.3."""

    def frame(self, values: dict[str, float]) -> tuple[bytes, dict[str, float]]:
        """See ParticleSensor."""
        tenths = [min(65535, round(10 * values[name])) for name in SDS_METRICS]
        body = struct.pack("<2H", *tenths) + b"\xa1\x60"
        said = {name: tenth / 10 for name, tenth in zip(SDS_METRICS, tenths, strict=True)}
        return b"\xaa\xc0" + body + bytes([sum(body) & 0xFF, 0xAB]), said

    def hear(self, data: bytes) -> bytes:
        """See SerialDevice: work and sleep; a query is answered with a frame."""
        answer = b""
        for start in range(len(data) - 18):
            order = data[start : start + 19]
            if order[:2] != b"\xaa\xb4" or order[18] != 0xAB or sum(order[2:17]) & 0xFF != order[17]:
                continue
            if order[2] == 6 and order[3] == 1:
                self.switch(awake=order[4] == 1)
            elif order[2] == 4:
                answer += self.speak()
        return answer
