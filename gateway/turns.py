"""The turns at which people were told, or would have been: whole, so that they can be gone through once more.

A turn is a moment at which the watch handed changes to the notifier, or the notifier had something due. Beside each
stands what its texts need and nobody knows later: incidents as they were, and where the devices were.
"""

import json
import logging
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from gateway.incidents.facts import facts_of, incident_of
from gateway.incidents.model import Change, Incident, What
from kewang.wire.errors import WireError
from kewang.wire.placement import Place
from kewang.wire.roster import Roster

log = logging.getLogger(__name__)

KEPT_TURNS: Final = 100_000
"""So many of the newest are kept: years of a small city, months of 10,000 devices."""
KEPT_TURN_BYTES: Final = 200_000_000
"""And so many bytes of them, looked at with each whole turn."""
WHOLE_EVERY_S: Final = 7 * 86_400.0
"""So often a turn holds all places and open incidents: who goes through them begins there."""
TURN_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS turn (
    id INTEGER PRIMARY KEY, now_s REAL NOT NULL, whole INTEGER NOT NULL, content BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS turn_whole ON turn (id) WHERE whole = 1;
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """At `now_s` the notifier was told `changes`, and what is `over` of maintenance.

    `places`: where devices are, None nowhere: those that have moved since the turn before, or all of them (`whole`);
    then `open` are the incidents that were open already. `roster`: of the office, if it is new or the turn whole.
    `begins`: the gateway was started since the turn before, and
    until `last_s` it had run (None: nothing is known of that, and the notifier remembers nothing).
    """

    now_s: float
    changes: tuple[Change, ...] = ()
    places: Mapping[str, Place | None] = field(default_factory=dict)
    whole: bool = False
    open: tuple[Incident, ...] = ()
    roster: Roster | None = None
    begins: bool = False
    last_s: float | None = None
    over: tuple[Incident, ...] = ()


def row_of(turn: Turn) -> tuple[float, bool, bytes]:
    """`now_s`, `whole` and `content` of its row: some 300 bytes for a device, 15 kB for a city of 1,000 devices."""
    content = {
        "changes": [
            {"what": one.what, "incident": facts_of(one.incident), "at_s": one.at_s, "why": dict(one.why)}
            for one in turn.changes
            if one.what != "noted"  # nobody is told of it; a note stands in the timeline also if nobody was told since
        ],
        "places": {device: place and _told(place) for device, place in turn.places.items()},
        "open": [facts_of(one) for one in turn.open],
        "roster": turn.roster and turn.roster.encode().decode(),
        "begins": turn.begins,
        "last_s": turn.last_s,
        "over": [facts_of(one) for one in turn.over],
    }
    told = json.dumps(content, separators=(",", ":")).encode()
    return turn.now_s, turn.whole, zlib.compress(told)


def turn_of(now_s: float, whole: int, content: bytes) -> Turn:
    """The inverse of `row_of`. Raises ValueError, KeyError, TypeError, WireError or zlib.error for anything else."""
    told = json.loads(zlib.decompress(content))
    return Turn(
        now_s,
        tuple(map(_change, told["changes"])),
        {device: place and Place.model_validate(place, strict=False) for device, place in told["places"].items()},
        bool(whole),
        tuple(map(incident_of, told["open"])),
        told["roster"] and Roster.decode(told["roster"].encode()),
        told["begins"],
        told["last_s"],
        tuple(incident_of(one) for one in told.get("over", ())),
    )


def readable(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[int, Turn]]:
    """The turns of these rows (number, `now_s`, `whole`, `content`); what can't be read is logged, in one line."""
    failed, said = 0, ""
    for number, *row in rows:
        try:
            yield number, turn_of(*row)
        except (ValueError, KeyError, TypeError, WireError, zlib.error) as error:
            failed, said = failed + 1, said or f"{type(error).__name__}: {error}"
    if failed:
        log.error("%d turns of the chronicle can't be read and are passed over: %s", failed, said)


def _told(place: Place) -> dict[str, Any]:
    return place.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _change(told: Mapping[str, Any]) -> Change:
    return Change(cast(What, told["what"]), incident_of(told["incident"]), told["at_s"], told["why"])
