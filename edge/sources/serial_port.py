"""A serial port for asyncio: opened and closed in its lane, read and written by the loop without blocking."""

import asyncio
import errno
import grp
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from pydantic import Field

from edge.ports import SourceError
from edge.sources.lane import Lane
from edge.sources.settings import SettingsPath, SourceSettings

if TYPE_CHECKING:
    import serial

Listening = TypeVar("Listening", bound=asyncio.BaseProtocol)
Parity = Literal["none", "even", "odd"]
_MOST_BYTES: Final = 4096


class SerialSettings(SourceSettings):
    """A sensor on a serial port."""

    port: SettingsPath = Field(
        description="Serial port; best its name in /dev/serial/by-id, which stays the same when others are plugged in."
    )


@dataclass(frozen=True, slots=True)
class Manner:
    """How a serial port is to talk."""

    baud: int = 9600
    parity: Parity = "none"
    stop_bits: int = 1

    def __str__(self) -> str:
        return f"{self.baud} baud 8{self.parity[0].upper()}{self.stop_bits}"


class SerialTransport(asyncio.Transport):
    """An open port. Bytes go to `protocol.data_received`; when the adapter is gone, `protocol.connection_lost`."""

    def __init__(self, port: "serial.Serial", lane: Lane, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self._port, self._lane, self._protocol = port, lane, protocol
        self._fd = port.fileno()
        self._loop = asyncio.get_running_loop()
        self._unsent = bytearray()
        self._closed = False
        self._loop.add_reader(self._fd, self._on_readable)
        protocol.connection_made(self)

    def write(self, data: Any) -> None:
        """Send `data` as the port takes it."""
        if self._closed:
            return
        if not self._unsent:
            self._loop.add_writer(self._fd, self._on_writable)
        self._unsent += data

    def is_closing(self) -> bool:
        """Whether it is closed."""
        return self._closed

    def abort(self) -> None:
        """The same as `close`."""
        self.close()

    def close(self) -> None:
        """Leave the port; the lane closes it, because a driver may wait there for bytes that nobody takes."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._lane.leave(_shut, self._port)

    def _on_readable(self) -> None:
        try:
            data = os.read(self._fd, _MOST_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(error)
            return
        if data:
            self._protocol.data_received(data)  # type: ignore[attr-defined]
        else:
            self._lost(None)

    def _on_writable(self) -> None:
        try:
            del self._unsent[: os.write(self._fd, self._unsent)]
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(error)
            return
        if not self._unsent:
            self._loop.remove_writer(self._fd)

    def _lost(self, error: OSError | None) -> None:
        self.close()
        self._protocol.connection_lost(error)


async def open_port(
    lane: Lane, path: Path, manner: Manner, protocol: Callable[[], Listening]
) -> tuple[SerialTransport, Listening]:
    """Open `path` for this program alone, with nothing of before in its buffers. Raises SourceError.

    `lane`: that of the path; the caller keeps it, so that closing and opening stay in order.
    """
    made = protocol()
    try:
        port = await lane.run(_open, path, manner)
    except OSError as error:
        raise SourceError(trouble(path, error, "dialout")) from None
    return SerialTransport(port, lane, made), made


def _open(path: Path, manner: Manner) -> "serial.Serial":
    import termios

    import serial

    try:
        return serial.Serial(
            str(path),
            manner.baud,
            parity=manner.parity[0].upper(),
            stopbits=manner.stop_bits,
            timeout=0,
            write_timeout=0,
            exclusive=True,
        )
    except termios.error as error:
        raise OSError(error.args[0], f"the port refuses {manner}") from None
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error)) from None


def _shut(port: "serial.Serial") -> None:
    import termios

    with suppress(OSError, termios.error):
        port.reset_output_buffer()
    with suppress(OSError):
        port.close()


def trouble(path: Path, error: OSError, group: str) -> str:
    """What is wrong with device file `path`, and the next step; `group`: whose members usually may use such a file."""
    if error.errno in (errno.EACCES, errno.EPERM):
        if group == "dialout" and not _group_may(path):
            return (
                "permission denied, to its group too: switch the login shell on this port off (raspi-config), then "
                "start the box again"
            )
        return (
            f"permission denied: run 'sudo usermod -aG {_group_of(path) or group} kewang' (the agent's user), then "
            "start the agent again"
        )
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return "is not there: is it plugged in and switched on? `kewang edge discover` lists what there is"
    if error.errno in (errno.EBUSY, errno.EWOULDBLOCK):
        return f"another program uses it: 'sudo fuser -v {path}' names it"
    if error.errno == errno.EIO:
        return "the adapter fails: unplug it and plug it in again"
    return f"can't be opened: {error.strerror or error}: compare port and baud with the sensor's manual"


def _group_may(path: Path) -> bool:
    """Whether the group of `path` may use it: of a port with a login shell only root may."""
    try:
        return bool(path.stat().st_mode & stat.S_IRWXG)
    except OSError:
        return True


def _group_of(path: Path) -> str | None:
    """The group that may use `path`, unless that is root's, who should not run the agent."""
    try:
        status = path.stat()
        return grp.getgrgid(status.st_gid).gr_name if status.st_gid else None
    except (OSError, KeyError):
        return None
