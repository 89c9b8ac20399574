"""The ledger of the last 24 hours as the pages show it: every reading made is in exactly one of the other figures."""

from dataclasses import dataclass

from gateway.ports import History

HOUR_MS = 3_600_000
HOURS = 24


@dataclass(frozen=True, slots=True)
class Balance:
    made: int = 0
    stored: int = 0
    quarantined: int = 0
    dropped: int = 0
    held: int = 0
    lost: int = 0


async def read_balance(history: History, now_ms: int) -> Balance:
    return Balance()
