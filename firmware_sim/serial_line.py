"""A serial line in software: a pty, under a path that stays the same when the adapter is unplugged and plugged again.

What hangs on it hears the bytes that come and gives bytes back, as at the end of a real cable.
"""

import asyncio
import os
import termios
import tty
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

Damage = Callable[[bytes], bytes]
"""What the cable makes of bytes on their way to the computer."""
_SPEEDS: Final = {getattr(termios, f"B{baud}"): baud for baud in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)}
_WRONG_BAUD_MASK: Final = 0b1011_0110


class SerialDevice(Protocol):
    """What hangs on a line."""

    baud: int
    pace_s: float
    """Seconds between two `speak`; 0 = it speaks only when it is asked."""

    def hear(self, data: bytes) -> bytes:
        """Bytes came; what it answers at once."""

    def speak(self) -> bytes:
        """What it says by itself."""


def clean(data: bytes) -> bytes:
    """A good cable."""
    return data


class SerialLine:
    """`path`: where the line appears, a link to its pty, as udev would make one."""

    def __init__(self, path: Path, devices: Sequence[SerialDevice]) -> None:
        self.path, self.devices = path, tuple(devices)
        self.damage: Damage = clean
        self._ends: tuple[int, int] | None = None
        self._speaking: list[asyncio.TimerHandle] = []

    def plug(self) -> None:
        """Plug the adapter in; its devices are under power from now on."""
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        self._ends = (ours, theirs)
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.symlink_to(os.ttyname(theirs))
        fresh.replace(self.path)
        loop = asyncio.get_running_loop()
        loop.add_reader(ours, self._hear)
        self._speaking = [
            loop.call_later(each.pace_s, self._speak, n) for n, each in enumerate(self.devices) if each.pace_s
        ]

    def unplug(self) -> None:
        """Unplug it: whoever has it open reads an end or an error."""
        if self._ends is None:
            return
        for timer in self._speaking:
            timer.cancel()
        ours, theirs = self._ends
        self._ends = None
        asyncio.get_running_loop().remove_reader(ours)
        self.path.unlink(missing_ok=True)
        os.close(ours)
        os.close(theirs)

    def _hear(self) -> None:
        assert self._ends is not None
        data = os.read(self._ends[0], 4096)
        answers = [self._at_speed(each.hear(self._at_speed(data, each)), each) for each in self.devices]
        self._say(_at_once([answer for answer in answers if answer]))

    def _speak(self, number: int) -> None:
        device = self.devices[number]
        self._say(self._at_speed(device.speak(), device))
        if self._ends is not None:
            self._speaking[number] = asyncio.get_running_loop().call_later(device.pace_s, self._speak, number)

    def _at_speed(self, data: bytes, device: SerialDevice) -> bytes:
        """The bytes as they are heard when the port's speed is not the device's: nothing that makes sense."""
        assert self._ends is not None
        if _SPEEDS.get(termios.tcgetattr(self._ends[0])[5]) == device.baud:
            return data
        return bytes(byte ^ _WRONG_BAUD_MASK for byte in data[::2])

    def _say(self, data: bytes) -> None:
        data = self.damage(data)
        if data and self._ends is not None:
            # Nobody reads: the buffer of a real port would run over as well.
            with suppress(BlockingIOError):
                os.write(self._ends[0], data)


def _at_once(answers: list[bytes]) -> bytes:
    """Several devices that answer at the same time pull the wires against each other: a 0 of one of them wins."""
    longest = max(answers, key=len, default=b"")
    for other in answers:
        longest = bytes(a & b for a, b in zip(longest, other, strict=False)) + longest[len(other) :]
    return longest


@asynccontextmanager
async def plugged(path: Path, *devices: SerialDevice) -> AsyncIterator[SerialLine]:
    """A line with `devices` at `path`; unplugged at the end."""
    line = SerialLine(path, devices)
    line.plug()
    try:
        yield line
    finally:
        line.unplug()
