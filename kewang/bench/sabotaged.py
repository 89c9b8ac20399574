"""Spoilt gateways: a bench that can't tell them from the real one is worthless.

    python -m kewang.bench.sabotaged early-ack gateway.toml

`early-ack` names a batch as stored before it is written. `tag` puts a tag on each point that differs from sending to
sending: what is sent twice is stored twice.
"""

import asyncio
import os
import random
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.intake import Work
from gateway.pipeline import Pipeline
from gateway.ports import Misconfigured, RetryLater
from gateway.service import serve
from gateway.settings import read_settings
from gateway.writer import Outcome
from kewang.runtime.program import run_until_signalled, set_up_logging

_WRITES_LATER_S = 2.0
_FORGOTTEN = 0.2


class EarlyAck(Pipeline):
    """Says "stored" when a batch is queued, writes in its own time, and forgets what the database did not take."""

    def offer(self, work: Work) -> bool:
        queued = super().offer(work)
        if queued:
            self._name([work], [], self.acks.rewind)
            self.acks.want(work.device, self.clock.mono_ms())
        return queued

    async def _store(self, works: list[Work]) -> Outcome:
        await asyncio.sleep(_WRITES_LATER_S)
        try:
            return await super()._store(works)
        except (RetryLater, Misconfigured):
            return []


class Tagged(Pipeline):
    """Every sending of a batch is a series of its own. Now and then it forgets to name one, as a gateway may."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sendings: Counter[tuple[str, object]] = Counter()

    async def _store(self, works: list[Work]) -> Outcome:
        for work in works:
            self._sendings[work.device, work.name] += 1
            sending = f"{os.getpid()}-{self._sendings[work.device, work.name]}"
            work.tables = [replace(table, tags=(*table.tags, ("try", sending))) for table in work.tables]
        return await super()._store(works)

    def _name(self, works: list[Work], outcome: Outcome, rewind: int) -> None:
        kept = [work for work in works if self._sendings[work.device, work.name] > 1 or random.random() > _FORGOTTEN]
        super()._name(kept, outcome, rewind)


SABOTAGES = {"early-ack": EarlyAck, "tag": Tagged}


def main(sabotage: str, config: str) -> int:
    """Run a spoilt gateway until SIGTERM."""
    set_up_logging()
    settings = read_settings(Path(config))
    return run_until_signalled(lambda stopping: serve(settings, stopping, SABOTAGES[sabotage]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
