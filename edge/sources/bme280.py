"""Bosch BME280 (and BMP280, without humidity): by datasheet BST-BME280-DS002-15, revision 1.6 (2018)."""

import struct
import time
from dataclasses import dataclass
from typing import Final, Self

from pydantic import Field

from edge.ports import SourceError, Values
from edge.sources.i2c import Adapter, I2cSensor, I2cSettings

_BME280: Final = 0x60
_BMP280: Final = 0x58
_CHIPS: Final = (_BME280, _BMP280)
_CHIP_ID: Final = 0xD0
_CTRL_HUM: Final = 0xF2
_STATUS: Final = 0xF3
_CTRL_MEAS: Final = 0xF4
_DATA: Final = 0xF7
"""Registers (5.3, table 18)."""
_MEASURING: Final = 0x08
_FORCED_ONCE: Final = 0b001_001_01
"""Temperature and pressure once each, then sleep again (5.4.5): it warms itself least so."""
_DURATION_S: Final = 0.0093
_TRIES: Final = 5
"""9.3 ms at most for one of each (9.1)."""
_SKIPPED: Final = (0x80000, 0x80000, 0x8000)
"""What stands there if a quantity was not measured (5.4.7 to 5.4.9)."""


class Bme280Settings(I2cSettings):
    """A BME280 or BMP280."""

    address: int = Field(default=0x76, ge=0x76, le=0x77, description="0x76; 0x77 with its SDO pin on 3.3 V.")


class Bme280(I2cSensor):
    """One sensor. Its calibration is read along with every reading, for it may have been changed for another."""

    Settings = Bme280Settings
    metrics = ("temp_c", "rh_pct", "pressure_hpa")

    def measure(self, bus: Adapter, address: int) -> Values:
        """See I2cSensor."""
        chip = bus.transfer(address, bytes([_CHIP_ID]), 1)[0]
        if chip not in _CHIPS:
            raise SourceError(f"chip id 0x{chip:02x} is of no BME280: look what hangs there, or whether two sensors do")
        low = bus.transfer(address, b"\x88", 26)
        high = bus.transfer(address, b"\xe1", 7) if chip == _BME280 else bytes(7)
        calibration = Calibration.read(low, high)
        bus.transfer(address, bytes([_CTRL_HUM, 1]))
        bus.transfer(address, bytes([_CTRL_MEAS, _FORCED_ONCE]))
        self._wait(bus, address)
        temperature, humidity, pressure = calibration.values(bus.transfer(address, bytes([_DATA]), 8))
        return temperature, humidity if chip == _BME280 else None, pressure

    def _wait(self, bus: Adapter, address: int) -> None:
        for _ in range(_TRIES):
            time.sleep(_DURATION_S)
            if not bus.transfer(address, bytes([_STATUS]), 1)[0] & _MEASURING:
                return
        raise SourceError("it never ends measuring: switch it off and on, or change it")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Trimming parameters (4.2.2, table 16, page 24), each under its number: `t[1]` is dig_T1."""

    t: tuple[int, ...]
    p: tuple[int, ...]
    h: tuple[int, ...]

    @classmethod
    def read(cls, low: bytes, high: bytes) -> Self:
        """From registers 0x88 to 0xA1 and 0xE1 to 0xE7. Raises SourceError if there is nothing in them."""
        words = struct.unpack("<HhhHhhhhhhhh", low[:24])
        if not words[0] or not words[3]:
            raise SourceError("its calibration is empty: switch it off and on, or change it")
        h2, h3 = struct.unpack("<hB", high[:3])
        # H4 and H5 are signed, of 12 bits, and share the byte between them.
        h4 = (struct.unpack("b", high[3:4])[0] << 4) | (high[4] & 0x0F)
        h5 = (struct.unpack("b", high[5:6])[0] << 4) | (high[4] >> 4)
        (h6,) = struct.unpack("b", high[6:7])
        return cls((0, *words[:3]), (0, *words[3:]), (0, low[25], h2, h3, h4, h5, h6))

    def values(self, data: bytes) -> Values:
        """Temperature (°C), humidity (%), pressure (hPa) of registers 0xF7 to 0xFE; None = not measured."""
        pressure = int.from_bytes(data[0:3], "big") >> 4
        temperature = int.from_bytes(data[3:6], "big") >> 4
        humidity = int.from_bytes(data[6:8], "big")
        if temperature == _SKIPPED[1]:
            return None, None, None
        fine = self._fine(temperature)
        return (
            round(fine / 5120, 3),
            None if humidity == _SKIPPED[2] else round(self._humidity(humidity, fine), 3),
            None if pressure == _SKIPPED[0] else round(self._pressure(pressure, fine) / 100, 3),
        )

    def _fine(self, raw: int) -> float:
        """Temperature in 1/5120 °C; appendix 8.1 (page 49), BME280_compensate_T_double."""
        one = (raw / 16384 - self.t[1] / 1024) * self.t[2]
        two = (raw / 131072 - self.t[1] / 8192) ** 2 * self.t[3]
        return one + two

    def _pressure(self, raw: int, fine: float) -> float:
        """Pa; appendix 8.1 (page 49), BME280_compensate_P_double."""
        p = self.p
        one = fine / 2 - 64000
        two = one * one * p[6] / 32768
        two = two + one * p[5] * 2
        two = two / 4 + p[4] * 65536
        one = (p[3] * one * one / 524288 + p[2] * one) / 524288
        one = (1 + one / 32768) * p[1]
        if one == 0:
            raise SourceError("its calibration is spoilt: change the sensor")
        pressure = (1048576 - raw - two / 4096) * 6250 / one
        return pressure + (p[9] * pressure * pressure / 2147483648 + pressure * p[8] / 32768 + p[7]) / 16

    def _humidity(self, raw: int, fine: float) -> float:
        """%; appendix 8.1 (page 49), bme280_compensate_H_double."""
        h = self.h
        base = fine - 76800
        slope = h[2] / 65536 * (1 + h[6] / 67108864 * base * (1 + h[3] / 67108864 * base))
        humidity = (raw - (h[4] * 64 + h[5] / 16384 * base)) * slope
        return min(100.0, max(0.0, humidity * (1 - h[1] * humidity / 524288)))


def chip_of(bus: Adapter, address: int) -> int | None:
    """The chip at `address`, if it is one of ours; only reads. None = nobody answers, or another."""
    try:
        (chip,) = bus.transfer(address, bytes([_CHIP_ID]), 1)
    except OSError:
        return None
    return chip if chip in _CHIPS else None
