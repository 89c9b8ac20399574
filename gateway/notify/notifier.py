"""From changes to messages on their way: budget, routes, texts and outbox, with one commit for each step.

Who watches gives its own state along, so that what it knows and what people were told never part.
"""

import logging
import math
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Final

from gateway.incidents.facts import facts_of, incident_of
from gateway.incidents.model import Change, Incident
from gateway.notify.budget import Budget, Notice
from gateway.notify.escalation import Escalation
from gateway.notify.message import Message
from gateway.notify.outbox import Outbox
from gateway.notify.routes import NotifySettings, Routes
from gateway.notify.texts import Surroundings

log = logging.getLogger(__name__)

KEPT: Final = "notifier"
"""The name of its state in the outbox."""
_NOTHING: Final[Mapping[str, Any]] = {}


class Notifier:
    """Goes on where the last one with this `outbox` ended."""

    def __init__(self, settings: NotifySettings, outbox: Outbox, now_s: float) -> None:
        kept = outbox.kept(KEPT)
        self._outbox, self._routes = outbox, Routes(settings, kept.get("contacts", ()) if kept else ())
        self._incidents: dict[int, Incident] = {}
        self._reports: dict[int, Incident] = {}
        """What is to be told of maintenance, by the window's number."""
        self._unput: list[Message] = []
        if kept is not None:
            self._budget = Budget.restored(kept["budget"], settings.budget, now_s)
            self._incidents = {one["number"]: incident_of(one) for one in kept["incidents"]}
            self._reports = {one["number"]: incident_of(one) for one in kept.get("reports", ())}
        else:
            self._budget = Budget(settings.budget, f"{secrets.token_hex(3)}-")
        self._escalation: Escalation | None = None
        if settings.escalates:
            self._escalation = Escalation(settings.escalation, self._budget.name)
            if kept is not None and (before := kept.get("escalation")) is not None:
                self._escalation.restore(before, now_s)

    def take(
        self,
        changes: Iterable[Change],
        around: Surroundings,
        now_s: float,
        kept: Mapping[str, Any] = _NOTHING,
        over: Iterable[Incident] = (),
    ) -> list[Notice]:
        """What people are told of `changes` and of maintenance that is `over`, put into the outbox with the state
        `kept` of who watches.

        Raises sqlite3.Error when the disk does not let us: call `due` again, nothing is forgotten meanwhile.
        """
        changes = list(changes)
        self._incidents |= {change.incident.number: change.incident for change in changes}
        reports = {one.number: one for one in over}
        self._reports |= reports
        self._budget.report({number: one.severity for number, one in reports.items()})
        return self._put(self._budget.take(changes, now_s), around, now_s, kept)

    def due(self, around: Surroundings, now_s: float, kept: Mapping[str, Any] = _NOTHING) -> list[Notice]:
        """What people are told now though nothing changed: call it when `next_s` is over. Raises sqlite3.Error."""
        return self._put(self._budget.due(now_s), around, now_s, kept)

    def knows(self, incidents: Iterable[Incident]) -> None:
        """People were told of these open incidents before this notifier's time."""
        known = list(incidents)
        self._incidents |= {one.number: one for one in known}
        self._budget.knows(known)

    @property
    def next_s(self) -> float:
        """When `due` has something next; inf: only after another change."""
        return min(self._budget.next_s, self._escalation.next_s if self._escalation else math.inf)

    @property
    def trouble(self) -> str | None:
        """Why a template failed, if one did."""
        return self._routes.failed

    def _put(self, notices: list[Notice], around: Surroundings, now_s: float, kept: Mapping[str, Any]) -> list[Notice]:
        notices += self._escalated(notices, now_s)
        for notice in notices:
            about = self._reports if notice.kind == "maintenance" else self._incidents
            if notice.kind != "escalated" and (nobody := self._routes.nobody(notice, about, around)):
                what = "the end of maintenance" if about is self._reports else "incidents"
                log.warning("no route sends %s %s to anybody", what, ", ".join(map(str, nobody)))
            self._unput += self._routes.messages(notice, about, around, now_s)
        spoken_of = self._budget.speaks_of
        self._incidents = {number: one for number, one in self._incidents.items() if number in spoken_of}
        self._reports = {number: one for number, one in self._reports.items() if number in self._budget.reports}
        self._routes.contacts.forget(spoken_of)
        own = {"budget": self._budget.kept(), "incidents": [facts_of(one) for one in self._incidents.values()]}
        own["reports"] = [facts_of(one) for one in self._reports.values()]
        if self._escalation:
            own["escalation"] = self._escalation.kept()
        own["contacts"] = self._routes.contacts.kept()
        self._outbox.put(self._unput, {**kept, KEPT: own})
        self._unput = []
        return notices

    def _escalated(self, notices: Iterable[Notice], now_s: float) -> list[Notice]:
        """What nobody has taken on for too long, where somebody is named for that."""
        if self._escalation is None:
            return []
        for notice in notices:
            self._escalation.told(notice, self._incidents)
        return self._escalation.due(self._incidents, now_s)
