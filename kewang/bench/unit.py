"""What systemd does with kewang-edge.service, for the bench: settle, start, and start again for ever.

    python unit.py HOME CONFIG

SIGTERM stops the service as systemd does. It is killed only with all that it started: by its whole session.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

PAUSE_S = 0.2


def main() -> None:
    """Until SIGTERM."""
    home, config = Path(sys.argv[1]), sys.argv[2]
    program = str(home / "current" / "bin" / "kewang")
    running: list[subprocess.Popen[bytes]] = []
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        for each in running:
            each.terminate()

    signal.signal(signal.SIGTERM, stop)
    while not stopping:
        if (home / "upgrade.json").exists():
            subprocess.run([program, "edge", "upgrade", "--settle", "--home", str(home), "-c", config], check=False)
        if not stopping:
            running[:] = [subprocess.Popen([program, "edge", "run", "--config", config])]
            running[0].wait()
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
