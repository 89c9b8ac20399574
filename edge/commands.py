"""Commands to this device: each id is done once, in a task of its own, and answered again with what it was answered.

    hear ─> waiting ─> refuse? ─> remember ─> do ─> remember the result ─> say
                          └── known id, expired, no date, no room ──────────^

What was begun is on disk before it is done, so an agent that is killed on the way does not do it a second time.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from edge.files import replace_json
from edge.ports import Arguments, Commandable, CommandRefused, LinkDown, Named, OutboxFull
from kewang.wire.command import Command, Result, decode_command
from kewang.wire.errors import WireError

log = logging.getLogger(__name__)

LIMIT_S: Final = 20.0
"""A command that takes longer is cut off."""
MAX_WAITING: Final = 16
"""Commands that wait for their turn; more are ignored and counted, for their sender repeats them."""
MAX_REMEMBERED: Final = 256
MAX_AHEAD_MS: Final = 86_400_000
"""A command must not expire later than this: its id is remembered at least that long."""
_MAX_TEXT: Final = 1000
_INTERRUPTED: Final = "the agent was stopped while it was at it: look whether it was done, else send a new command"


class Memory:
    """Ids that were begun, with when they expire and their result, in a small JSON file that is replaced whole.

    Only an expired id makes room for a new one: it would be refused anyway. Blocking; one caller at a time.
    """

    def __init__(self, path: Path, limit: int = MAX_REMEMBERED) -> None:
        self._path, self._limit = path, limit
        self._known = _read(path)

    def __len__(self) -> int:
        return len(self._known)

    def result(self, command: str) -> Result | None:
        """What was answered to the id `command`; None if it was never begun."""
        known = self._known.get(command)
        return known[1] if known else None

    def keep(self, command: Command, result: Result, now_ms: int) -> None:
        """Remember `result` across a restart. Raises CommandRefused when there is no room, for now or on the disk."""
        known = {**self._known, command.id: (command.exp, result)}
        for expired in [each for each, (exp_ms, _) in known.items() if exp_ms <= now_ms]:
            if len(known) > self._limit and expired != command.id:
                del known[expired]
        if len(known) > self._limit:
            raise CommandRefused(f"{self._limit} commands are remembered that have not expired: let them, then repeat")
        try:
            replace_json(self._path, [[exp_ms, each.model_dump()] for exp_ms, each in known.values()])
        except OSError as error:
            raise CommandRefused(f"the disk does not remember it ({error.strerror}): make room on it first") from None
        self._known = known


class Commands:
    """All that this device can be told. `hear` what comes; `run` does it; `do` is for a person on the box itself."""

    def __init__(self, sources: Sequence[Named], memory: Memory, *, limit_s: float = LIMIT_S) -> None:
        self._sources, self._memory, self.limit_s = sources, memory, limit_s
        self._waiting: asyncio.Queue[Command] = asyncio.Queue(MAX_WAITING)
        self._turn = asyncio.Lock()
        self.done = 0
        """Commands done since the start of the agent, refused ones included."""
        self.ignored = 0
        """Messages that were no command for us: retained, too long, ill-typed, or one too many."""

    def hear(self, payload: bytes, retained: bool) -> None:
        """Take a message of channel `x`; never waits, never raises. Of those ignored ever fewer are logged."""
        try:
            if retained:
                raise WireError("it is retained: publish it without the retain flag")
            if self._waiting.full():
                raise WireError(f"{MAX_WAITING} others are waiting")
            self._waiting.put_nowait(decode_command(payload))
        except WireError as error:
            self.ignored += 1
            if self.ignored.bit_count() == 1:
                log.warning("a command was ignored, number %d: %s", self.ignored, error)

    async def run(self, now_ms: Callable[[], Awaitable[int | None]], say: Callable[[bytes], Awaitable[None]]) -> None:
        """Do one after the other, for ever. `now_ms`: Unix ms, None without a date; `say` publishes a result.

        A result that the link loses is told again when the command is repeated.
        """
        while True:
            command = await self._waiting.get()
            try:
                result = await self.answer(command, await now_ms())
                log.info("command %s %s: %s", command.name, "done" if result.ok else "refused", result.text)
                await say(result.encode())
            except (LinkDown, OutboxFull) as error:
                log.warning("command %s stays without an answer until it is repeated: %s", command.id, error)

    async def answer(self, command: Command, now_ms: int | None) -> Result:
        """The result of `command`, which is done now unless its id was begun before or it must be refused."""
        known = self._memory.result(command.id)
        if known is not None:
            return known
        try:
            dated_ms = _judge(command, now_ms)
            await asyncio.to_thread(self._memory.keep, command, _result(command, False, _INTERRUPTED), dated_ms)
        except CommandRefused as error:
            return _result(command, False, str(error))
        result = _result(command, *await self.do(command.name, command.args))
        try:
            await asyncio.to_thread(self._memory.keep, command, result, dated_ms)
        except CommandRefused as error:
            log.warning("result of command %s: %s", command.id, error)
        return result

    async def do(self, name: str, args: Arguments) -> tuple[bool, str]:
        """Do `name` now: whether it was done, and what to tell people. Never raises but when cancelled."""
        async with self._turn:
            self.done += 1
            try:
                async with asyncio.timeout(self.limit_s):
                    return True, await self._told(args).command(name, _without_source(args))
            except CommandRefused as error:
                return False, str(error)
            except TimeoutError:
                return (
                    False,
                    f"not done in {self.limit_s:g} s and cut off: see `kewang edge status`, then repeat it",
                )
            except Exception as error:
                log.exception("command %s: the driver has a fault", name)
                # The class alone: a driver that others wrote may have put a secret into the words of its error.
                return False, f"fault in the driver ({type(error).__name__}): the log of the agent tells more"

    def _told(self, args: Arguments) -> Commandable:
        """The source that `args` names. Raises CommandRefused."""
        found = {source.name: source for source in self._sources if isinstance(source, Commandable)}
        wanted = args.get("source")
        if not isinstance(wanted, str) or wanted not in found:
            known = ", ".join(found) or "none here"
            raise CommandRefused(f"no source {wanted!r} takes commands: name one of them ({known})")
        return found[wanted]


def _without_source(args: Arguments) -> Arguments:
    return {name: value for name, value in args.items() if name != "source"}


def _judge(command: Command, now_ms: int | None) -> int:
    """The date now, for a command that may be done. Raises CommandRefused."""
    if now_ms is None:
        raise CommandRefused("this box has no date yet and can't tell whether it expired: repeat it in a minute")
    if command.exp <= now_ms:
        raise CommandRefused(f"expired {(now_ms - command.exp) / 1000:.0f} s ago: send a new one, compare the clocks")
    if command.exp > now_ms + MAX_AHEAD_MS:
        raise CommandRefused("it expires in more than a day: send it with an earlier expiry, compare the clocks")
    return now_ms


def _result(command: Command, ok: bool, text: str) -> Result:
    """The result; what a driver says may hold what UTF-8 can't."""
    return Result(id=command.id, ok=ok, text=text[:_MAX_TEXT].encode(errors="replace").decode())


def _read(path: Path) -> dict[str, tuple[int, Result]]:
    """What the file remembers, oldest first; nothing if it is new or damaged."""
    try:
        kept: list[Any] = json.loads(path.read_bytes())
        entries = [(int(exp_ms), Result.model_validate(result)) for exp_ms, result in kept]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
        log.error("%s can't be read, commands begun earlier are forgotten: %s", path, error)
        return {}
    return {result.id: (exp_ms, result) for exp_ms, result in entries}
