"""`kill -9` at every step of the delivery, with 429, 500 and cut connections in between: nothing lost, and with a key
that is honoured everything once."""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.notify.outbox import Outbox
from tests.gateway.notify.killed import BOT_TOKEN
from tests.gateway.notify.messengers import Messenger, Request, message, messenger, until

CHECKOUT = Path(__file__).resolve().parents[3]
STEPS = ("BEGIN", "COMMIT", "send", "sent", "taken")
ANSWERS = ("429 0", "429", "500", "503", "reset", "mute", "200", "200", "200", "200")


@dataclass
class Forker:
    """The process that forks those who are killed."""

    process: asyncio.subprocess.Process
    pid: int = 0
    told: list[str] = field(default_factory=list)

    async def run(self, **task: object) -> int:
        """How it ended: -9 when it was killed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(task).encode() + b"\n")
        self.pid = int(await self.process.stdout.readline())
        self.process.stdin.write(b"go\n")
        return int(await self.process.stdout.readline())


@asynccontextmanager
async def forker() -> AsyncIterator[Forker]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.gateway.notify.killed"),
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    one = Forker(process)
    try:
        yield one
    finally:
        _, errors = await process.communicate(b"")
        one.told.append(errors.decode())


async def delivered_over_kills(folder: Path, kills: int, seed: int) -> Counter[str]:
    """Put notices and kill who delivers them until `kills` were done; then let it end. Checks; counts, for a report."""
    dice, outbox, counts, done = random.Random(seed), Outbox(folder / "notices.db"), Counter[str](), 0
    keys: list[str] = []
    async with messenger() as chat, messenger() as hook, forker() as forks:
        while done < kills:
            new = [f"n{len(keys) + n}" for n in range(dice.randint(1, 2))]
            keys += new
            outbox.put(
                [message(key, to, created_s=time.time(), expires_s=9e9) for key in new for to in ("chat", "hook")]
            )
            step, nth = dice.choice(STEPS), dice.randint(1, 3)
            for server in (chat, hook):
                server.will(*dice.choices(ANSWERS, k=dice.randint(0, 4)))
                server.taking = killing(forks, nth) if step == "taken" else lambda request: None
            ended = await forks.run(
                do="deliver", path=str(outbox.path), chat=chat.url, hook=hook.url, step=step, nth=nth
            )
            done += ended == -signal.SIGKILL
            counts[f"killed at {step}"] += ended == -signal.SIGKILL
            for server in (chat, hook):
                server.plan.clear()
                server.taking = lambda request: None
        await forks.run(do="deliver", path=str(outbox.path), chat=chat.url, hook=hook.url, step="", nth=0)
        assert {row.state for row in outbox.rows(limit=10_000)} == {"delivered"}
        check(chat, [f"{key}" for key in keys])
        check(hook, [f"{key}.-100" for key in keys])
        counts |= {"notices": len(keys), "again by chat": again(chat), "again by hook": again(hook)}
    outbox.close()
    assert BOT_TOKEN not in "".join(forks.told)
    return counts


def killing(forks: Forker, nth: int) -> "Killing":
    return Killing(forks, nth)


@dataclass
class Killing:
    """Kills who sends when its `nth` message was taken and before it is told so."""

    forks: Forker
    nth: int

    def __call__(self, request: Request) -> None:
        self.nth -= 1
        if self.nth == 0:
            os.kill(self.forks.pid, signal.SIGKILL)


def check(server: Messenger, keys: list[str]) -> None:
    """Every notice was taken, under one key and with one text, however often it came."""
    assert sorted(server.taken) == sorted(keys)
    texts: dict[str, set[bytes]] = {}
    for request in server.requests:
        texts.setdefault(request.headers["idempotency-key"], set()).add(request.raw)
    assert all(len(found) == 1 for found in texts.values())


def again(server: Messenger) -> int:
    """How many came more than once (and were one thanks to the key, where it is honoured)."""
    return sum(count > 1 for count in server.arrivals.values())


async def test_twenty_kills(tmp_path: Path) -> None:
    await delivered_over_kills(tmp_path, 20, seed=1)


@pytest.mark.slow
async def test_two_hundred_and_fifty_kills_at_every_step(tmp_path: Path) -> None:
    counts = await delivered_over_kills(tmp_path, 250, seed=2)
    print(dict(counts))
    assert all(counts[f"killed at {step}"] >= 10 for step in STEPS)


async def test_who_makes_notices_may_be_killed_too(tmp_path: Path) -> None:
    """Budget and outbox change together: each incident is opened, worsened and closed once, whenever it ended."""
    dice, killed, path, changes = random.Random(3), 0, tmp_path / "notices.db", 120
    async with forker() as forks:
        for _ in range(1000):
            step = dice.choice(("BEGIN", "COMMIT", "made", "put"))
            ended = await forks.run(do="make", path=str(path), changes=changes, step=step, nth=dice.randint(2, 8))
            if ended == 0:
                break
            killed += 1
    assert killed > 10
    outbox = Outbox(path)
    assert outbox.kept("next") == changes
    found = Counter(row.key for row in outbox.rows())
    wanted = [f"{n}-{what}" for n in range(changes // 3) for what in ("opened", "worsened-2", "resolved")]
    assert found == dict.fromkeys(wanted, 1)
    outbox.close()


async def test_no_secret_is_on_the_command_line_or_in_the_environment(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "notices.db")
    outbox.put([message("a", "chat", created_s=time.time(), expires_s=9e9)])
    async with messenger(["hang"]) as chat, forker() as forks:
        running = asyncio.create_task(
            forks.run(do="deliver", path=str(outbox.path), chat=chat.url, hook=chat.url, step="", nth=0)
        )
        await until(lambda: chat.requests)
        assert BOT_TOKEN in chat.requests[0].path
        told = seen_of(forks.pid)
        os.kill(forks.pid, signal.SIGKILL)
        assert await running == -signal.SIGKILL
    outbox.close()
    assert "tests.gateway.notify.killed" in told
    assert BOT_TOKEN not in told


def seen_of(pid: int) -> str:
    """What everybody on the machine may see of a process."""
    return "".join(Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace") for name in ("cmdline", "environ"))
