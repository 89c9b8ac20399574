"""A simulated DS18B20 as Linux shows it: whoever opens its `w1_slave` makes it measure, and waits."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from firmware_sim.faults import Fault
from firmware_sim.sensor import Sensor

METRICS = ("temp_c",)
_POLL_S = 0.01


class Thermometer:
    """`folder`/`device`/w1_slave is a pipe: each reader gets a measurement of its own.

    Faults: `garbled` a wrong checksum, `stuck` the power-on value, `nan` only zeros, `short` half of it, `exception` it
    is not there, `no_answer` the reader waits.
    """

    def __init__(self, folder: Path, device: str, sensor: Sensor) -> None:
        self.file = folder / device / "w1_slave"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._sensor = sensor
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="ds18b20")

    def start(self) -> None:
        """Be on the bus."""
        self._new_pipe()
        self._thread.start()

    def stop(self) -> None:
        """Be gone; whoever waits reads nothing."""
        self._ending.set()
        self._thread.join()
        self.file.unlink(missing_ok=True)

    def _new_pipe(self) -> None:
        fresh = self.file.with_name("fresh")
        os.mkfifo(fresh)
        fresh.replace(self.file)

    def _work(self) -> None:
        while not self._ending.wait(_POLL_S):
            fault = self._sensor.fault
            if fault is Fault.EXCEPTION:
                self.file.unlink(missing_ok=True)
            elif not self.file.exists():
                self._new_pipe()
            elif fault is not Fault.NO_ANSWER:
                self._serve(fault)
        with suppress(OSError):
            os.close(os.open(self.file, os.O_WRONLY | os.O_NONBLOCK))

    def _serve(self, fault: Fault) -> None:
        """Give a measurement to who has the pipe open; nobody = nothing."""
        with suppress(OSError):
            pipe = os.open(self.file, os.O_WRONLY | os.O_NONBLOCK)
            # The next reader gets a pipe of its own, or this one would read twice.
            self._new_pipe()
            with suppress(BrokenPipeError):
                os.write(pipe, self._text(fault).encode())
            os.close(pipe)

    def _text(self, fault: Fault) -> str:
        sixteenths = 85 * 16 if fault is Fault.STUCK else round(16 * self._sensor.measure()["temp_c"])
        body = (sixteenths & 0xFFFF).to_bytes(2, "little") + bytes.fromhex("4b467fff0c10")
        scratchpad = bytes(9) if fault is Fault.NAN else body + bytes([crc8(body)])
        shown = scratchpad.hex(" ")
        verdict = "NO" if fault is Fault.GARBLED else "YES"
        milli_c = 0 if fault is Fault.NAN else sixteenths * 1000 // 16
        text = f"{shown} : crc={scratchpad[8]:02x} {verdict}\n{shown} t={milli_c}\n"
        if fault is Fault.NONE:
            self._sensor.gave({"temp_c": milli_c / 1000})
        return text[: len(text) // 2] if fault is Fault.SHORT else text


def crc8(data: bytes) -> int:
    """The 1-Wire checksum: x^8 + x^5 + x^4 + 1, lowest bit first (DS18B20, page 9)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8C if crc & 1 else crc >> 1
    return crc


@contextmanager
def on_the_bus(folder: Path, device: str, sensor: Sensor) -> Iterator[Thermometer]:
    """A thermometer in `folder`; gone at the end."""
    made = Thermometer(folder, device, sensor)
    made.start()
    try:
        yield made
    finally:
        made.stop()
