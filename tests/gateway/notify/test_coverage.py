"""Who is told of what, looked over before anything happens."""

from __future__ import annotations

from typing import Any

from gateway.incidents.rules import RESERVED, load_rules
from gateway.notify.coverage import _OWN, coverage
from gateway.notify.routes import NotifySettings

RULES = load_rules()


def settings(*routes: dict[str, Any]) -> NotifySettings:
    return NotifySettings.model_validate(
        {
            "channels": {
                "chat": {"kind": "webhook", "url": "https://chat.example/"},
                "sms": {"kind": "webhook", "url": "https://sms.example/"},
            },
            "recipients": {"shift": {"addresses": {"chat": "1"}}, "budi": {"addresses": {"chat": "2", "sms": "3"}}},
            "routes": [{"to": ["shift"], "by": ["chat"], **route} for route in routes],
        }
    )


def test_one_route_for_everything_leaves_nothing_out() -> None:
    found = coverage(settings({}, {"to": ["budi"], "by": ["sms"]}), RULES, [])
    assert found.well
    assert coverage(settings(), RULES, ["gong"]).by_sites().keys() == {()}


def test_what_no_route_covers_is_named_with_its_sites() -> None:
    routes = settings({"at_least": "warning", "sites": ["mar*"]}, {"kinds": ["outage"], "sites": ["gong"]})
    found = coverage(routes, RULES, ["mardika", "gong", "waai"])
    assert found.uncovered["bin-full", "info"] == []
    assert found.uncovered["outage", "critical"] == ["waai"]
    assert found.uncovered["water-level", "warning"] == ["gong", "waai"]
    assert ("self", "critical") not in found.uncovered
    assert (found.channels, found.recipients, found.well) == (["sms"], ["budi"], False)


def test_a_route_for_named_sites_alone_is_not_enough_while_no_site_is_known() -> None:
    found = coverage(settings({"sites": ["mardika"]}), RULES, [])
    assert found.uncovered["outage", "critical"] == []


def test_every_kind_of_incident_is_looked_for() -> None:
    """But the daily test, which only a route hears of that names it."""
    assert {kind for kind, *_ in _OWN} == RESERVED - {"canary"}


def test_a_mistyped_site_or_kind_of_a_route_is_named() -> None:
    """Its route would hear nothing, while others hide that."""
    routes = settings({}, {"to": ["budi"], "by": ["sms"], "sites": ["mardikaa", "gon*"], "kinds": ["outtage", "bin-*"]})
    found = coverage(routes, RULES, ["mardika", "gong"])
    assert (found.uncovered, found.sites, found.kinds, found.well) == ({}, ["mardikaa"], ["outtage"], False)
    assert coverage(routes, RULES, []).sites == []
