"""The rules of the protocol that the model can do without, to show that each is needed.

The model keeps three more, but no world was found that misses them: the next date that is free in the outbox (digits
part boots), a rewind that the database does not know opens all again (three restores in one order), and a rewind is
written before gateways write.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Rule:
    """What it says, and the worlds in which its absence is looked for: the faults that happen there, and what of the
    habits and conditions is not left to chance."""

    what: str
    faults: str
    sure: Mapping[str, object] = field(default_factory=dict)


_LYING: Final[dict[str, object]] = {"lying": True, "synchronised": 1.0, "wrong_clocks": True}
_UNKEPT: Final[dict[str, object]] = {"lying": True, "synchronised": 0.0}
_SMALL: Final[dict[str, object]] = {"budget": 80}
_UNDATED: Final[dict[str, object]] = {"budget": 80, "synchronised": 0.0}

RULES: Final = {
    "acknowledge-after-write": Rule("a batch is named only after the database confirmed all of it", "gateway database"),
    "new-run": Rule("a start of the agent is a new run, so no name of a batch comes back", "power edge", _LYING),
    "anchor-first": Rule("the first row of a boot is sent one commit after its anchor was kept", "flicker", _UNKEPT),
    "digit": Rule("a dated boot has a last digit of its own (without: the first of a run + 1 s)", "flicker", _LYING),
    "ignore-lower-rewind": Rule("an ack with a lower rewind is ignored", "backup restore second"),
    "reopen-by-ack-time": Rule("a rewind opens again by the time of the ack, not of the row", "backup restore link"),
    "lowest-rf": Rule(
        "an ack carries the lowest rf of all rewinds above the device's", "backup restore restore outage"
    ),
    "write-counts-at-begin": Rule(
        "a write counts for the rewind that was known when it began",
        "backup restore restore",
        {"service_ms": 700, "poll_ms": 200},
    ),
    "live-lane": Rule("new batches are sent outside the credit", "outage", {"credit": 1, "budget": 10_000}),
    "state-again": Rule("what a dropped heartbeat stated counts as changed", "outage choke", {"budget": 25}),
    "thin-unsent": Rule("only a batch that was never sent is thinned", "outage link", _SMALL),
    "mark-first": Rule("a batch is marked on the disk before it is sent", "outage link edge", _SMALL),
    "mark-kept": Rule("one commit lies between the mark and the sending", "tease", _SMALL | _LYING),
    "thinned-is-dropped": Rule("rows that are thinned count as dropped", "outage", _SMALL),
    "undated-counts-both": Rule("undated rows that are thinned count as made and dropped", "outage power", _UNDATED),
    "own-boot": Rule("undated rows are thinned with those of their own boot only", "outage power", _UNDATED),
    "sum-of-thinned": Rule("a row thinned again stands for what its rows stood for", "outage", _SMALL),
    "first-date": Rule("a thinned row has the date of the first row it stands for", "outage", _SMALL),
    "heartbeats-whole": Rule("heartbeats are not thinned", "outage", _SMALL),
    "refused-whole": Rule("a row that a gateway refuses is not thinned", "outage", _SMALL | {"refused": 0.05}),
}
