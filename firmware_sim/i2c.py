"""A simulated I2C bus, byte by byte: each transfer is a start, an address with its direction, bytes with their
acknowledgements, and a stop, as in the sensors' datasheets."""

import errno
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from firmware_sim.faults import Fault
from firmware_sim.sensor import Sensor


class I2cDevice(Protocol):
    """What hangs on a bus; called by the bus' thread."""

    sensor: Sensor

    def start(self, *, reading: bool) -> bool:
        """It was addressed; whether it acknowledges."""

    def take(self, byte: int) -> bool:
        """A byte was written to it; whether it acknowledges."""

    def give(self) -> int:
        """The next byte that it gives."""


class Bus:
    """Devices by address; several at one address pull the lines against each other.

    `open_error`: the kernel's number with which opening fails. Its devices' faults: `exception` no acknowledgement,
    `reset` the bus is held down, `garbled` a bit flips, `no_answer` a transfer that does not end until the fault does.
    """

    def __init__(self, devices: Mapping[int, Sequence[I2cDevice]], open_error: int = 0) -> None:
        self._devices = devices
        self.open_error = open_error
        self.transfers: list[tuple[int, bytes, bytes]] = []
        """Address, bytes written, bytes read; the last hundred."""
        self.opened = 0
        self._wait = threading.Event()

    def open(self, path: Path) -> "Bus":
        """The bus as an adapter of its own."""
        if self.open_error:
            raise OSError(self.open_error, os.strerror(self.open_error), str(path))
        self.opened += 1
        return self

    def close(self) -> None:
        """The adapter is closed."""
        self.opened -= 1

    def transfer(self, address: int, write: bytes, read: int = 0) -> bytes:
        """As the kernel does it; raises OSError with its numbers."""
        devices = self._devices.get(address, ())
        self._suffer(devices)
        if write:
            self._written(devices, write)
        answer = self._read(devices, read) if read else b""
        self.transfers = [*self.transfers[-99:], (address, write, answer)]
        return answer

    def _suffer(self, devices: Sequence[I2cDevice]) -> None:
        # A bus that is held down is held down for everybody on it.
        everybody = [device for there in self._devices.values() for device in there]
        if any(device.sensor.fault is Fault.RESET for device in everybody):
            raise OSError(errno.ETIMEDOUT, "Connection timed out")
        while any(device.sensor.fault is Fault.NO_ANSWER for device in everybody):
            self._wait.wait(0.01)
        if not devices or any(device.sensor.fault is Fault.EXCEPTION for device in devices):
            raise OSError(errno.EREMOTEIO, "Remote I/O error")

    def _written(self, devices: Sequence[I2cDevice], write: bytes) -> None:
        _acknowledged([device.start(reading=False) for device in devices])
        for byte in write:
            _acknowledged([device.take(byte) for device in devices])

    def _read(self, devices: Sequence[I2cDevice], count: int) -> bytes:
        _acknowledged([device.start(reading=True) for device in devices])
        answer = bytearray()
        for _ in range(count):
            byte = 0xFF
            for device in devices:
                byte &= device.give()
            answer.append(byte)
        if any(device.sensor.fault is Fault.GARBLED for device in devices):
            answer[0] ^= 0x20
        return bytes(answer)


def _acknowledged(answers: list[bool]) -> None:
    if not any(answers):
        raise OSError(errno.EREMOTEIO, "Remote I/O error")
