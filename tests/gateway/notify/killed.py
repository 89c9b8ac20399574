"""A process that delivers, or makes notices, until it kills itself at a named step. `python killed.py` forks them.

A line of JSON in: what to do; out: the process's id; a line in: it may begin; out: how it ended. Forking a process
that has imported everything takes moments, so hundreds of kills do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from gateway.incidents.model import Change, Incident, Scope
from gateway.notify.budget import Budget, BudgetRules
from gateway.notify.delivery import Delivery, DeliveryRules
from gateway.notify.guard import Guard
from gateway.notify.message import Channel, Message
from gateway.notify.outbox import Outbox
from gateway.notify.telegram import Telegram
from gateway.notify.webhook import Webhook

BOT_TOKEN = "123:AA-token-of-the-bot"
RULES = DeliveryRules(try_s=5, first_wait_s=0.005, longest_wait_s=0.02)


class Steps:
    """Kills this process when it comes to `step` for the `nth` time."""

    def __init__(self, step: str, nth: int) -> None:
        self._step, self._nth, self._seen = step, nth, Counter[str]()

    def at(self, step: str) -> None:
        self._seen[step] += 1
        if step == self._step and self._seen[step] == self._nth:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, outbox: Outbox) -> None:
        """The statements BEGIN and COMMIT are steps, each before it is carried out."""
        outbox._db.set_trace_callback(lambda statement: self.at(statement.split()[0]))


class Stepping:
    """A channel with a step before and after each message."""

    def __init__(self, inner: Channel, steps: Steps) -> None:
        self._inner, self._steps = inner, steps

    async def send(self, message: Message) -> str:
        self._steps.at("send")
        receipt = await self._inner.send(message)
        self._steps.at("sent")
        return receipt

    async def close(self) -> None:
        await self._inner.close()


async def deliver(task: dict[str, Any]) -> None:
    """Until nothing is open, or we are killed."""
    steps = Steps(task["step"], task["nth"])
    outbox = Outbox(Path(task["path"]))
    steps.watch(outbox)
    chat = Telegram(task["chat"], BOT_TOKEN, limit_s=5)
    hook = Webhook(task["hook"] + "/hook", "key", Guard(["127.0.0.1"], plain_http=True), limit_s=5)
    channels: dict[str, Channel] = {"chat": Stepping(chat, steps), "hook": Stepping(hook, steps)}
    running = asyncio.create_task(Delivery(outbox, channels, RULES, time.time).run())
    while not running.done() and any(state in ("waiting", "claimed") for _, state in outbox.counts()):
        await asyncio.sleep(0.005)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    outbox.close()


def make(task: dict[str, Any]) -> None:
    """Turn `changes` numbered ones into notices, from where the last process came to: the state says where."""
    steps = Steps(task["step"], task["nth"])
    outbox = Outbox(Path(task["path"]))
    steps.watch(outbox)
    rules, kept = BudgetRules(notices=1000, single=1000, update_every_s=0), outbox.kept("budget")
    budget = Budget.restored(kept, rules, 0.0) if kept else Budget(rules)
    for n in range(outbox.kept("next") or 0, task["changes"]):
        incident = Incident(n // 3, "outage", Scope("device", f"m{n // 3}"), "warning", 0.0, 0.0)
        what = ("opened", "worsened", "resolved")[n % 3]
        notices = budget.take([Change(what, incident, float(n))], float(n))  # type: ignore[arg-type]
        steps.at("made")
        messages = [Message(one.key, "chat", "-1", one.kind, one.key, "warning", time.time(), 9e9) for one in notices]
        outbox.put(messages, {"budget": budget.kept(), "next": n + 1})
        steps.at("put")
    outbox.close()


def main() -> None:
    while line := sys.stdin.readline():
        heard, go = os.pipe()
        if (child := os.fork()) == 0:
            os.read(heard, 1)
            run(json.loads(line))
        print(child, flush=True)
        sys.stdin.readline()
        os.write(go, b"!")
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        os.close(heard)
        os.close(go)


def run(task: dict[str, Any]) -> NoReturn:
    """Do it and end, with 1 if it fails."""
    status = 1
    try:
        asyncio.run(deliver(task)) if task["do"] == "deliver" else make(task)
        status = 0
    except BaseException:  # noqa: BLE001 - this process ends here, and says why
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
