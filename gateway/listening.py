"""The pipeline of a gateway whose readings other processes store: it hears, for the watch and the page, and no more."""

from collections.abc import Coroutine
from typing import Any

from gateway.intake import Work
from gateway.pipeline import Pipeline
from gateway.registry import Registry
from gateway.report import Report


class Listening(Pipeline):
    """Takes messages as any pipeline does; it writes none of them and names nothing, as if it dropped all."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        watches = kwargs.get("onlooker") is not None
        # The ages of the devices are told by who stores what they send.
        self.report = Report(self.acks.gateway, self.store, Registry(), self.metrics, self.health, self.clock, watches)

    def loops(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What goes on all the time."""
        return {
            "take": self._take(),
            "rewinds": self.rewinds.follow(),
            "report": self.report.keep_writing(self.rewinds.known, self._refresh),
        }

    def offer(self, work: Work) -> bool:
        """Others write it."""
        return True

    async def _drain(self) -> None:
        """Nothing waits."""
