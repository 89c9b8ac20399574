"""An incident as JSON-able facts and back, for whoever keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.incidents.model import Acknowledged, Assigned, Incident, Scope


@dataclass(frozen=True, slots=True)
class Step:
    """A line of an incident's timeline. `devices`, `back`: how many had been part of it and were back by then."""

    at_s: float
    what: str
    why: dict[str, str]
    devices: int
    back: int


def flat(one: Any) -> dict[str, Any]:
    """The fields of a dataclass with slots. Unlike `asdict` it copies nothing below them, which for the devices of a
    city takes a second."""
    return {name: getattr(one, name) for name in one.__slots__}


def facts_of(incident: Incident) -> dict[str, Any]:
    """All there is to it, JSON-able; nothing that comes later changes it."""
    return flat(incident) | {
        "scope": flat(incident.scope),
        "devices": dict(incident.devices),
        "back": dict(incident.back),
        "sites": sorted(incident.sites),
        "whys": dict(incident.whys),
        "acknowledged": incident.acknowledged and flat(incident.acknowledged),
        "assigned": incident.assigned and flat(incident.assigned),
    }


def incident_of(facts: Mapping[str, Any]) -> Incident:
    """The inverse of `facts_of`. Raises KeyError, TypeError for what it did not make."""
    told = dict(facts)
    told["scope"] = Scope(told["scope"]["level"], told["scope"]["name"])
    told["sites"], told["stragglers"] = set(told["sites"]), tuple(told["stragglers"])
    if told["acknowledged"] is not None:
        told["acknowledged"] = Acknowledged(**told["acknowledged"])
    if told.get("assigned") is not None:
        told["assigned"] = Assigned(**told["assigned"])
    return Incident(**told)
