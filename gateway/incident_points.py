"""Points for the boards: `device_event` when a device or source changed, `incident` when an incident did. Pure."""

from collections.abc import Iterable
from typing import Any

from gateway.incidents.hearing import Transition
from gateway.incidents.model import Change, Incident
from gateway.ports import Table


def points_of(moved: Iterable[Transition], changes: Iterable[Change]) -> list[Table]:
    """A point each, at its own time."""
    return [*(_event(one) for one in moved if one.word != one.before), *map(_incident, changes)]


def _event(moved: Transition) -> Table:
    tags = (("device", moved.device), *((("source", moved.source),) if moved.source else ()))
    row = (_ms(moved.at_s), moved.word, moved.before, moved.at_s - moved.heard_s)
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
    name = incident.scope.name or "-"
    tags = (("kind", incident.kind), ("level", incident.scope.level), ("name", name), ("number", str(incident.number)))
    return Table("incident", tags, tuple(given), [(_ms(change.at_s), *given.values())])


def _lost_s(incident: Incident) -> float:
    """What its devices were away, added up; of those that did not come back their own incidents tell."""
    return sum(
        back_s - heard_s for device, heard_s in incident.devices.items() if (back_s := incident.back.get(device))
    )


def _ms(time_s: float) -> int:
    return round(time_s * 1000)
