"""Whether the store takes readings, as seen by everybody who writes or reads it."""

import logging

from gateway.metrics import GatewayMetrics
from gateway.ports import Clock, Misconfigured, RetryLater

log = logging.getLogger(__name__)

MISCONFIGURED_PAUSE_S = 5.0
"""How long nothing is tried after the store said that a person must mend something."""


class StoreHealth:
    """The store's health. `failing` says why it does not take readings; None while it does."""

    def __init__(self, clock: Clock, metrics: GatewayMetrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._retry_ms = 0
        self.failing: str | None = "the store has not answered yet"

    @property
    def resting(self) -> bool:
        """Whether the store asked to be left alone for now."""
        return self.failing is not None and self._clock.mono_ms() < self._retry_ms

    def failed(self, error: RetryLater | Misconfigured) -> None:
        """A write or read failed. Logged once for a series of failures."""
        after_s = error.after_s if isinstance(error, RetryLater) else MISCONFIGURED_PAUSE_S
        self._retry_ms = self._clock.mono_ms() + int(after_s * 1000)
        self._metrics.store_error(type(error).__name__)
        if self.failing is None:
            log.error("the store does not take readings, the edges keep them: %s", error)
        self.failing = str(error)

    def succeeded(self) -> None:
        """A write was stored."""
        if self.failing is not None:
            log.info("the store takes readings")
        self.failing = None
