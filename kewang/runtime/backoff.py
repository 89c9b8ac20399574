"""Loops that fail are quiet: waits are doubled, jittered and capped; the first failure is logged, then rarely."""

import asyncio
import logging
import random
from dataclasses import dataclass, field


@dataclass
class Backoff:
    """Waits of one loop. `failed` after a failure, `succeeded` after a success."""

    what: str
    """The operation in words, for the log."""
    log: logging.Logger
    first_s: float = 1.0
    longest_s: float = 60.0
    failures: int = field(default=0, init=False)

    def wait_s(self) -> float:
        """How long to wait after the latest failure: doubled each time, +- 20 %, capped."""
        return min(self.first_s * 2.0 ** min(self.failures - 1, 30), self.longest_s) * random.uniform(0.8, 1.2)

    async def failed(self, error: BaseException | str, at_least_s: float = 0.0) -> None:
        """Log the 1st, 2nd, 4th, 8th ... failure and wait before the next try. A text is told as it is."""
        self.failures += 1
        if self.failures & (self.failures - 1) == 0:
            told = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
            self.log.warning("%s failed (%d in a row): %s", self.what, self.failures, told)
        await asyncio.sleep(max(at_least_s, self.wait_s()))

    def succeeded(self) -> None:
        """Log one "recovered" if there were failures before."""
        if self.failures:
            self.log.info("%s recovered after %d failures", self.what, self.failures)
            self.failures = 0
