"""What the console needs of the running gateway itself; everything else on its pages comes from the store."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from kewang.ui.words import DEFAULT, Language
from kewang.wire.placement import Placement
from kewang.wire.state import State

WIT: Final = ZoneInfo("Asia/Jayapura")
"""Ambon's time."""


class Facts(Protocol):
    """The gateway of this process. Called often, answers at once, from memory."""

    @property
    def gateway(self) -> str:
        """Its id."""

    def placements(self) -> Mapping[str, Placement]:
        """Device -> its placement, of every device that has one."""

    def broker_connected(self) -> bool: ...

    def rewinds_read(self) -> bool:
        """Whether the rewinds were read, so that it may write."""

    def rewind(self) -> int:
        """The highest rewind of the database, 0 while unknown."""

    def clock_synchronised(self) -> bool:
        """Whether this server's clock can be believed; else boxes without a clock of their own wait."""

    def devices_ahead(self) -> int:
        """Devices that obeyed a rewind the database does not know: it was restored and nobody told the devices."""

    def two_boxes(self) -> Collection[str]:
        """Devices whose identity two boxes used at a time."""

    def heard_ms(self) -> Mapping[str, int]:
        """Device -> Unix ms at which a message of its own came last, since the start."""

    def birth(self, device: str) -> State | None:
        """What the device said when it connected last."""

    def floods(self) -> list[dict[str, int | str]]:
        """Devices whose messages are dropped because there are far too many: `device since_ms dropped`."""

    def store_trouble(self) -> str | None:
        """Why the store takes no writes now; None while it does."""

    def open_incidents(self) -> int | None:
        """Incidents that are not over; None where another gateway watches for them."""

    def worst_incident(self, language: Language) -> str:
        """What is looked at first of these, in words; empty if there is none."""

    def doubt(self) -> str | None:
        """Why it is not proven that all of us is well just now, told channels too; None: it is."""

    def worked_on(self) -> Collection[str]:
        """Devices below a window of maintenance that is open."""

    def queue(self) -> int:
        """Messages that wait for a write."""

    def readings_per_s(self) -> float:
        """Rows it stored a second, mean of the last ten."""

    def stuck(self) -> list[str]:
        """Loops that should have gone round by now and did not."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who is let in. Nobody asks as a service without `service_token`; everybody may look without `session_key`."""

    service_token: str | None = None
    session_key: bytes | None = None
    login_url: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """How the console behaves. Times in seconds, of the gateway's wall clock where they judge dates."""

    language: Language = DEFAULT
    """Until the reader chooses another."""
    zone: tzinfo = WIT
    tick_s: float = 2.0
    """One set of reads, and one update of every open page, in this time."""
    device_s: float = 10.0
    """An open page of one device asks again after this."""
    ledger_s: float = 10.0
    """The ledger's running hour and the quarantine are read again after this."""
    closed_s: float = 600.0
    """Every hour of the ledger is read again after this: what a device sends days later is counted by then."""
    ledger_budget_s: float = 2.0
    """A turn of the ledger's reads goes on for so long, then the next one goes on from there."""
    lost_after_s: float = 60.0
    """Readings are called lost when two looks so far apart have not found them: two heartbeats."""
    pause_per_read: float = 60.0
    """Reads of the store take at most one part in so many of the time, each of the page and of the ledger."""
    read_limit_s: float = 10.0
    """The store is away for a reader that waits longer than this."""
    silent_s: float = 90.0
    """A device is silent when its newest point is older: three heartbeats."""
    source_silent_s: float = 300.0
    stale_s: float = 60.0
    """The page calls itself stale when its newest reading or its own update is older."""
    clients: int = 64
    """Open live pages, at most; the next one gets 503 and tries again."""
    full_cards: int = 40
    """Up to so many devices are shown with their readings; of more, the troubled by name and the others as a number."""
    spark_reads: int = 40
    """Trend lines read anew in one tick, at most."""
