"""The agent as in the field, `kewang edge run`, but its I2C bus is a simulated one, behind a Unix socket.

    python -m kewang.bench.agent_on_buses edge.toml

No kernel lets a program pretend to be an I2C bus. The library for a real one is loaded all the same: its memory counts.
"""

import json
import os
import socket
import sys
from pathlib import Path

import smbus2  # noqa: F401

from edge.service import run
from edge.sources.i2c import adapters
from kewang.runtime.program import run_until_signalled, set_up_logging


class SocketAdapter:
    """edge.sources.i2c.Adapter on firmware_sim.buses.served."""

    def __init__(self, bus: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(bus))
        self._lines = self._socket.makefile("rwb")

    def transfer(self, address: int, write: bytes, read: int = 0) -> bytes:
        """See Adapter."""
        self._lines.write(json.dumps({"address": address, "write": write.hex(), "read": read}).encode() + b"\n")
        self._lines.flush()
        answer = json.loads(self._lines.readline())
        if "errno" in answer:
            raise OSError(int(answer["errno"]), os.strerror(int(answer["errno"])))
        return bytes.fromhex(answer["read"])

    def close(self) -> None:
        """See Adapter."""
        self._lines.close()
        self._socket.close()


def main() -> int:
    """Run the agent with the settings file that is the first word."""
    set_up_logging(False)
    adapters.set(SocketAdapter)
    return run_until_signalled(lambda stopping: run(Path(sys.argv[1]), stopping))


if __name__ == "__main__":
    sys.exit(main())
