"""Points for the boards: `device_event` when a device or source changed, `incident` when an incident did, and how the
open incidents stand (`incident_open`). Pure."""

from collections.abc import Iterable
from typing import Any, Final

from gateway.incidents.hearing import Transition
from gateway.incidents.model import Change, Incident
from gateway.notify import phrases
from gateway.notify.budget import SEVERITIES
from gateway.notify.phrases import Kinds
from gateway.ports import Table, Tags

OPEN_POINTS: Final = 200
"""So many open incidents a board can show."""


def points_of(moved: Iterable[Transition], changes: Iterable[Change]) -> list[Table]:
    """A point each, at its own time."""
    return [*(_event(one) for one in moved if one.word != one.before), *map(_incident, changes)]


def open_points(incidents: Iterable[Incident], kinds: Kinds, now_ms: int) -> list[Table]:
    """How the worst of the open incidents stand. `kinds`: what people call those of rules."""
    worst = sorted(incidents, key=lambda one: (-SEVERITIES.index(one.severity), one.number))
    return [_open(one, kinds, now_ms) for one in worst[:OPEN_POINTS]]


def _open(one: Incident, kinds: Kinds, now_ms: int) -> Table:
    facts: dict[str, float | str | None] = {
        "severity": one.severity,
        "since_ms": float(_ms(one.since_s)),
        "devices": float(len(one.devices)),
        "missing": float(len(one.devices) - len(one.back)),
        "by": one.acknowledged.by if one.acknowledged else None,
        "cause": one.cause,
        "title_id": phrases.headline(one, kinds, "id"),
        "title_en": phrases.headline(one, kinds, "en"),
    }
    given = {name: value for name, value in facts.items() if value is not None}
    return Table("incident_open", _tags(one), tuple(given), [(now_ms, *given.values())])


def _event(moved: Transition) -> Table:
    tags = (("device", moved.device), *((("source", moved.source),) if moved.source else ()))
    row = (_ms(moved.at_s), moved.word, moved.before, max(0.0, moved.at_s - moved.heard_s))
    return Table("device_event", tags, ("word", "before", "silent_s"), [row])


def _incident(change: Change) -> Table:
    incident = change.incident
    facts: dict[str, Any] = {
        "what": change.what,
        "severity": incident.severity,
        "devices": float(len(incident.devices)),
        "back": float(len(incident.back)),
        "cause": incident.cause,
        "since_ms": float(_ms(incident.since_s)),
        "lost_s": None if incident.ended_s is None else incident.ended_s - incident.since_s,
        "device_lost_s": None if incident.ended_s is None else _lost_s(incident),
        "by": incident.acknowledged.by if incident.acknowledged else None,
    }
    given = {name: value for name, value in facts.items() if value is not None}
    return Table("incident", _tags(incident), tuple(given), [(_ms(change.at_s), *given.values())])


def _tags(one: Incident) -> Tags:
    name = one.scope.name or "-"
    return (("kind", one.kind), ("level", one.scope.level), ("name", name), ("number", str(one.number)))


def _lost_s(incident: Incident) -> float:
    """What its devices were away, added up; of those that did not come back their own incidents tell."""
    return sum(
        back_s - heard_s for device, heard_s in incident.devices.items() if (back_s := incident.back.get(device))
    )


def _ms(time_s: float) -> int:
    return round(time_s * 1000)
