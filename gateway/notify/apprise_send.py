"""`python -m gateway.notify.apprise_send`: one message by the library apprise, then the end.

On stdin JSON: `url`, `allowed`, `title`, `body`, `severity`. The exit code says what came of it; for FORBIDDEN stdout
says what was refused. The interpreter asks the guard at every connection, whoever makes it and wherever an answer sent
it; an answer without end meets the limits of memory and processor time.
"""

import json
import resource
import sys
from typing import Any, Final

from gateway.notify.guard import Forbidden, Guard

SENT: Final = 0
FAILED: Final = 1
UNKNOWN: Final = 2
FORBIDDEN: Final = 3
MEMORY_BYTES: Final = 200 * 1024 * 1024
CPU_S: Final = 30
_KINDS: Final = {"critical": "failure", "warning": "warning", "info": "info"}
_CONNECTS: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})


def main() -> int:
    """The exit code."""
    told, refused = json.load(sys.stdin), list[str]()
    _limit()
    _guard(Guard(told["allowed"]), refused)
    import apprise

    client = apprise.Apprise()
    if not client.add(told["url"]):
        return UNKNOWN
    kind = apprise.NotifyType(_KINDS[told["severity"]])
    if client.notify(body=told["body"], title=told["title"], notify_type=kind):
        return SENT
    print(*refused[:1])
    return FORBIDDEN if refused else FAILED


def _limit() -> None:
    """No more than a message needs, and no dump: it would hold the address."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _guard(guard: Guard, refused: list[str]) -> None:
    """Judge every address from now on. There is no way back: this is a process of its own."""

    def judge(event: str, args: tuple[Any, ...]) -> None:
        if event in _CONNECTS and args[1] is not None:
            try:
                guard.check_target(args[1])
            except Forbidden as error:
                refused.append(str(error))
                raise

    sys.addaudithook(judge)


if __name__ == "__main__":
    sys.exit(main())
