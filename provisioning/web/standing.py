"""What may go wrong outside of the inventory, as the office's pages are told by whoever serves them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from provisioning.authority.expiry import Expiring
from provisioning.guard.report import Alarm


@dataclass(frozen=True, slots=True)
class Standing:
    """Asked in threads. `alarms`: what stands with the broker's guard, None without a guard.

    `expiring(now_ms)`: certificates and lists of ours with their ends, None without an authority.
    """

    alarms: Callable[[], Sequence[Alarm]] | None = None
    expiring: Callable[[int], Sequence[Expiring]] | None = None
