"""Keys of a terminal, one at a time and without Enter. However it ends, the terminal is as it was before.

with Keys(hold, go_on) as keys:
    key = keys.read(0.5)
"""

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final, Self

_SHOW_CURSOR: Final = "\x1b[?25h"


class Keys:
    """`available`: whether there is a terminal; without one nothing is changed, and no key ever comes.

    Ctrl-Z holds us as any program: `hold` is called before, `go_on` after. Only from the main thread.
    """

    def __init__(self, hold: Callable[[], None], go_on: Callable[[], None], fd: int | None = None) -> None:
        self._hold, self._go_on = hold, go_on
        self._fd = (0 if sys.stdin is not None else -1) if fd is None else fd
        self.available = self._fd >= 0 and os.isatty(self._fd)
        self._before: list[Any] | None = None

    def __enter__(self) -> Self:
        if self.available:
            signal.signal(signal.SIGTSTP, self._on_hold)
            signal.signal(signal.SIGCONT, lambda *_: self._take())
            self._take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.available:
            signal.signal(signal.SIGCONT, signal.SIG_DFL)
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            self.give_back()

    def read(self, limit_s: float) -> str:
        """The next key, in lower case; "" if none comes in time or we are in the background."""
        ours = self._is_ours() and self._before is not None
        ready, _, _ = select.select([self._fd] if ours else [], [], [], limit_s)
        return os.read(self._fd, 1).decode("ascii", "ignore").lower() if ready else ""

    def give_back(self) -> None:
        """The terminal as it was, at once; it may be called from a signal's handler and more than once."""
        if self._before is not None and self._is_ours():
            termios.tcsetattr(self._fd, termios.TCSANOW, self._before)
            if sys.stderr.isatty():
                os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())

    def _take(self) -> None:
        if self._is_ours():
            self._before = self._before or termios.tcgetattr(self._fd)
            tty.setcbreak(self._fd, termios.TCSANOW)

    def _is_ours(self) -> bool:
        """Whether the terminal listens to us: touching it from the background would stop us."""
        try:
            return self.available and os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            return False

    def _on_hold(self, _number: int, _frame: FrameType | None) -> None:
        self._hold()
        self.give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # here we stand until SIGCONT
        signal.signal(signal.SIGTSTP, self._on_hold)
        self._take()
        self._go_on()
