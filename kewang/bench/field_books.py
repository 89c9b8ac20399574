"""The database's own account of what boards gave out, of now and of the beginning of 2000."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from gateway.ledger import SourceLedger, ledger
from gateway.ports import Misconfigured, RetryLater
from gateway.stores import open_store
from kewang.bench.truth import Series, Truth
from kewang.wire.batch import MIN_DATE_MS

_DAY_MS: Final = 86_400_000
_REACH_MS: Final = 90 * _DAY_MS


class Books:
    """The ledger, by the gateway's own code. `now_ms`: Unix ms by the clock of the boards' journals."""

    def __init__(self, store_url: str, now_ms: int) -> None:
        self._url = store_url
        self._spans = ((MIN_DATE_MS, MIN_DATE_MS + _DAY_MS), (now_ms - _REACH_MS, now_ms + _DAY_MS))

    def balance(self, boards: Iterable[Series]) -> bool:
        """Whether all that these boards gave out is tallied now, and found."""
        try:
            stated = self._stated()
        except (RetryLater, Misconfigured):
            return False
        return all(made == found for made, found, *_ in (stated.get(board, (-1, 0)) for board in boards))

    def disagreements(self, truths: Mapping[Series, Truth]) -> list[str]:
        """Where the account of a board differs from the truth. Raises what the store raises."""
        stated, found = self._stated(), []
        for series, truth in truths.items():
            true = truth.produced, truth.stored + truth.quarantined, 0, 0
            if (mine := stated.get(series)) != true:
                found.append(f"{series[0]}: made, found, missing, dropped {mine} in the ledger, in truth {true}")
        return found

    def _stated(self) -> dict[Series, tuple[int, ...]]:
        """(made, found, missing, dropped) of each source."""
        stated: dict[Series, tuple[int, ...]] = {}
        for each in asyncio.run(self._read()):
            before = stated.get((each.device, each.source), (0, 0, 0, 0))
            mine = each.made, each.found, each.missing, each.dropped
            stated[each.device, each.source] = tuple(map(sum, zip(before, mine, strict=True)))
        return stated

    async def _read(self) -> list[SourceLedger]:
        store = open_store(self._url)
        try:
            return [each for from_ms, to_ms in self._spans for each in await ledger(store, from_ms, to_ms)]
        finally:
            await store.close()
