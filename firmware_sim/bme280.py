"""A simulated BME280, by its datasheet (revision 1.6): registers, forced mode, and the compensation in whole numbers of
4.2.3 (page 25), which the edge does not use."""

import struct
from collections.abc import Callable

from firmware_sim.sensor import Sensor

METRICS = ("temp_c", "rh_pct", "pressure_hpa")
T1, T2, T3 = 28485, 26735, 50
P1, P2, P3, P4, P5, P6, P7, P8, P9 = 36738, -10635, 3024, 6980, -4, -7, 9900, -10230, 4285
H1, H2, H3, H4, H5, H6 = 75, 353, 0, 340, 25, 30
"""Trimming parameters of a sold sensor."""


class Bme280:
    """See I2cDevice. `busy`: how often its status says that it still measures."""

    def __init__(self, sensor: Sensor, chip: int = 0x60, busy: int = 0) -> None:
        self.sensor = sensor
        self.busy = busy
        self.registers = bytearray(256)
        self.registers[0xD0] = chip
        self.registers[0x88:0xA0] = struct.pack("<HhhHhhhhhhhh", T1, T2, T3, P1, P2, P3, P4, P5, P6, P7, P8, P9)
        self.registers[0xA1] = H1
        self.registers[0xE1:0xE4] = struct.pack("<hB", H2, H3)
        self.registers[0xE4:0xE7] = bytes([H4 >> 4 & 0xFF, H5 << 4 & 0xF0 | H4 & 0x0F, H5 >> 4 & 0xFF])
        self.registers[0xE7] = H6
        self.registers[0xF7:0xFF] = bytes.fromhex("800000 800000 8000")
        self._written = 0
        self._pointer = 0
        self._left = 0

    def start(self, *, reading: bool) -> bool:
        """See I2cDevice."""
        self._written = 0
        return True

    def take(self, byte: int) -> bool:
        """See I2cDevice: pairs of register and value (6.2.1)."""
        if self._written % 2:
            self.registers[self._pointer] = byte
            if self._pointer == 0xF4 and byte & 0b11 in (1, 2):
                self._measure()
        else:
            self._pointer = byte
        self._written += 1
        return True

    def give(self) -> int:
        """See I2cDevice: the pointer goes on by itself (6.2.2)."""
        byte = self.registers[self._pointer]
        if self._pointer == 0xF3:
            byte = 0x08 if self._left > 0 else 0
            self._left -= 1
        self._pointer = (self._pointer + 1) % 256
        return byte

    def _measure(self) -> None:
        values = self.sensor.measure()
        self._left = self.busy
        temperature = _raw(lambda raw: celsius(raw)[0], values["temp_c"], 2**20)
        centi_c, fine = celsius(temperature)
        pressure = _raw(lambda raw: -pascal(raw, fine), -100 * values["pressure_hpa"], 2**20)
        humidity = _raw(lambda raw: percent(raw, fine), values["rh_pct"], 2**16)
        self.registers[0xF7:0xFA] = (pressure << 4).to_bytes(3, "big")
        self.registers[0xFA:0xFD] = (temperature << 4).to_bytes(3, "big")
        self.registers[0xFD:0xFF] = humidity.to_bytes(2, "big")
        self.registers[0xF4] &= 0b1111_1100
        said = {"temp_c": centi_c, "rh_pct": percent(humidity, fine), "pressure_hpa": pascal(pressure, fine) / 100}
        self.sensor.gave(said)


def _raw(value_of: Callable[[int], float], wanted: float, end: int) -> int:
    """The lowest raw number whose value is not below `wanted`; `value_of` rises."""
    low, high = 0, end - 1
    while low < high:
        middle = (low + high) // 2
        if value_of(middle) < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def celsius(raw: int) -> tuple[float, int]:
    """°C, and t_fine for the others: BME280_compensate_T_int32 (4.2.3)."""
    one = (((raw >> 3) - (T1 << 1)) * T2) >> 11
    two = (((((raw >> 4) - T1) * ((raw >> 4) - T1)) >> 12) * T3) >> 14
    fine = one + two
    return ((fine * 5 + 128) >> 8) / 100, fine


def pascal(raw: int, fine: int) -> float:
    """Pa: BME280_compensate_P_int64 (4.2.3)."""
    one = fine - 128000
    two = one * one * P6
    two += (one * P5) << 17
    two += P4 << 35
    one = ((one * one * P3) >> 8) + ((one * P2) << 12)
    one = (((1 << 47) + one) * P1) >> 33
    pressure = (((1048576 - raw) << 31) - two) * 3125 // one
    one = (P9 * (pressure >> 13) * (pressure >> 13)) >> 25
    two = (P8 * pressure) >> 19
    return (((pressure + one + two) >> 8) + (P7 << 4)) / 256


def percent(raw: int, fine: int) -> float:
    """%: bme280_compensate_H_int32 (4.2.3)."""
    value = fine - 76800
    slope = ((((value * H6) >> 10) * (((value * H3) >> 11) + 32768)) >> 10) + 2097152
    value = ((((raw << 14) - (H4 << 20) - H5 * value) + 16384) >> 15) * ((slope * H2 + 8192) >> 14)
    value -= ((((value >> 15) * (value >> 15)) >> 7) * H1) >> 4
    return (min(419430400, max(0, value)) >> 12) / 1024
