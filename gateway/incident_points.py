"""Points for the boards: `device_event` when a device or source changed, `incident` when an incident did. Pure."""

from collections.abc import Iterable
from typing import Any

from gateway.incidents.hearing import Transition
from gateway.incidents.model import Change
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
        "name": incident.scope.name or "-",
        "devices": float(len(incident.devices)),
        "back": float(len(incident.back)),
        "cause": incident.cause,
        "since_ms": float(_ms(incident.since_s)),
    }
    given = {name: value for name, value in facts.items() if value is not None}
    tags = (("kind", incident.kind), ("level", incident.scope.level), ("number", str(incident.number)))
    return Table("incident", tags, tuple(given), [(_ms(change.at_s), *given.values())])


def _ms(time_s: float) -> int:
    return round(time_s * 1000)
