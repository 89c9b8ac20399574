"""Sensirion SHT30, SHT31 and SHT35: temperature and humidity, by datasheet SHT3x-DIS version 5 (May 2018)."""

import time
from typing import Final

from pydantic import Field

from edge.ports import SourceError, Values
from edge.sources.i2c import Adapter, I2cSensor, I2cSettings

_SINGLE_SHOT: Final = b"\x24\x00"
"""One measurement, high repeatability, no clock stretching (4.3, table 9): a stretched clock would hold the bus."""
_DURATION_S: Final = 0.016
"""At most 15.5 ms (2.2, table 4); until then it does not acknowledge a read."""


class Sht3xSettings(I2cSettings):
    """An SHT3x."""

    address: int = Field(default=0x44, ge=0x44, le=0x45, description="0x44; 0x45 with its ADDR pin on 3.3 V.")


class Sht3x(I2cSensor):
    """One sensor. Its numbers come with checksums, so that a second sensor at its address is found out."""

    Settings = Sht3xSettings
    metrics = ("temp_c", "rh_pct")

    def measure(self, bus: Adapter, address: int) -> Values:
        """See I2cSensor."""
        bus.transfer(address, _SINGLE_SHOT)
        time.sleep(_DURATION_S)
        answer = bus.transfer(address, b"", 6)
        if crc8(answer[:2]) != answer[2] or crc8(answer[3:5]) != answer[5]:
            raise SourceError(
                f"wrong checksum ({answer.hex()}): shorten the wires, or look whether two sensors have this address"
            )
        temperature, humidity = int.from_bytes(answer[:2], "big"), int.from_bytes(answer[3:5], "big")
        # 4.13, page 14: conversion of signal output.
        return round(-45 + 175 * temperature / 65535, 3), round(100 * humidity / 65535, 3)


def crc8(data: bytes) -> int:
    """Checksum of a word (4.12, page 14): polynomial 0x31, begun with 0xFF; of BE EF it is 0x92."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ 0x131 if crc & 0x80 else crc << 1
    return crc


def answers(bus: Adapter, address: int) -> bool:
    """Whether an SHT3x is at `address`: its status register (4.11) comes with a right checksum."""
    try:
        bus.transfer(address, b"\xf3\x2d")
        status = bus.transfer(address, b"", 3)
    except OSError:
        return False
    return crc8(status[:2]) == status[2]
