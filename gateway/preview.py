"""What would have been sent: production's notifier goes through the turns of the chronicle once more.

Its outbox is a file in a folder of its own, from which nobody sends. It is asked at the gateway's own turns, and in
between when it has something due that the gateway's settings had not.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.chronicle import Chronicle
from gateway.incidents.model import Incident
from gateway.notify.budget import Notice
from gateway.notify.notifier import KEPT, Notifier
from gateway.notify.outbox import Outbox
from gateway.notify.routes import NotifySettings, Routes
from gateway.notify.sent import Sent, sent
from gateway.turns import Turn
from gateway.watched import around
from gateway.watching import TURN_S
from kewang.ui.words import Language
from kewang.wire.placement import Place
from kewang.wire.roster import Roster

WARM_S: Final = 7 * 86_400.0
"""Turns so long before are gone through too: what is open from then on is known as people knew it."""
LATE_S: Final = 5.0
"""A turn of the gateway is so late at most after something was due."""
_MANY: Final = 10_000_000
Kinds = Mapping[str, Mapping[Language, str]]


@dataclass(slots=True)
class Preview:
    """`messages` in order. `since_s`: before that no turn is known, or the gateway had lost its memory; None: never.

    `unheard`: incidents that nobody is told of. `roster`: the office's list as it was at the end. `trouble`: why a
    template failed.
    """

    messages: list[Sent] = field(default_factory=list)
    since_s: float | None = None
    unheard: dict[int, Incident] = field(default_factory=dict)
    roster: Roster | None = None
    trouble: str | None = None


def preview(
    chronicle: Chronicle, settings: NotifySettings, kinds: Kinds, folder: Path, span: tuple[float, float]
) -> Preview:
    """What these settings would have sent in `span` (from, until; Unix s). `folder`: an empty one, for the outbox.

    Raises sqlite3.Error, OutboxRefused.
    """
    from_s, until_s = span
    path = folder / "preview.db"
    with closing(Outbox(path, _MANY, _MANY, durable=False)) as outbox:
        again = _Again(settings, kinds, outbox, from_s)
        for turn in _turns(chronicle, from_s - WARM_S):
            if turn.now_s > until_s:
                break
            again.go(turn)
        again.end(until_s)
        found = again.found
    with closing(sqlite3.connect(path)) as db:
        found.messages = list(sent(db, from_s, until_s))
    return found


def _turns(chronicle: Chronicle, from_s: float) -> Iterator[Turn]:
    number = max(0, chronicle.turn_before(from_s) - 1)
    return (turn for _, turn in chronicle.turns(after=number))


class _Again:
    """One run through the turns. Notices before `from_s` only warm it."""

    def __init__(self, settings: NotifySettings, kinds: Kinds, outbox: Outbox, from_s: float) -> None:
        self._settings, self._kinds, self._outbox, self._from_s = settings, kinds, outbox, from_s
        self._routes = Routes(settings)
        self._places: dict[str, Place] = {}
        self._roster: Roster | None = None
        self._around = around({}, kinds)
        self._incidents: dict[int, Incident] = {}
        self._notifier: Notifier | None = None
        self._now_s = 0.0
        self.found = Preview()

    def go(self, turn: Turn) -> None:
        """What happened up to this turn, and the turn."""
        if self._notifier is None or turn.begins:
            self._begin(turn)
        else:
            self._until(turn.now_s - LATE_S)
        self._move(turn)
        assert self._notifier is not None
        self._incidents |= {change.incident.number: change.incident for change in turn.changes}
        self._now_s = turn.now_s
        self._note(self._notifier.take(turn.changes, self._around, turn.now_s, over=turn.over))

    def end(self, until_s: float) -> None:
        """After the last turn: what is still due."""
        self._until(until_s)
        if self._notifier is not None:
            self.found.trouble, self.found.roster = self._notifier.trouble, self._roster

    def _begin(self, turn: Turn) -> None:
        """A gateway is started: it goes on where the one before ended, if it could remember."""
        if turn.last_s is not None:
            self._until(turn.last_s)
        anew = self._notifier is None or turn.last_s is None
        if anew:
            self._outbox.put([], {KEPT: None})
            self.found.since_s = turn.now_s
        self._notifier = Notifier(self._settings, self._outbox, turn.now_s)
        if anew:
            self._incidents |= {one.number: one for one in turn.open}
            self._notifier.knows(turn.open)

    def _move(self, turn: Turn) -> None:
        """The places of devices and the office's list as they were known then."""
        if turn.whole:
            self._places = {}
        for device, place in turn.places.items():
            if place is not None:
                self._places[device] = place
            else:
                self._places.pop(device, None)
        if turn.whole or turn.roster:
            self._roster = turn.roster
        if turn.whole or turn.places or turn.roster:
            self._around = around(dict(self._places), self._kinds, self._roster)

    def _until(self, until_s: float) -> None:
        """What is due before a turn that the gateway had: it looks once a second."""
        while self._notifier is not None and (due_s := max(self._notifier.next_s, self._now_s + TURN_S)) <= until_s:
            self._now_s = due_s
            self._note(self._notifier.due(self._around, due_s))

    def _note(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            if notice.created_s >= self._from_s and notice.kind not in ("maintenance", "escalated"):
                unheard = self._routes.nobody(notice, self._incidents, self._around)
                self.found.unheard |= {number: self._incidents[number] for number in unheard}
