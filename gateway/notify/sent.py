"""What an outbox was given to send, read from its file: for a preview, and for comparing it with what was sent."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from gateway.notify.outbox import State

SAME_TIME_S: Final = 10.0
"""What is due so little apart is due at the same time: a gateway looks once a second, and may be busy."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message as it was put, to the first address of its way. `key`: without the name of the database's life.

    `about`: the number of its incident, "" if it is about several. `state`: what became of it.
    """

    key: str
    channel: str
    recipient: str
    created_s: float
    due_s: float
    kind: str
    about: str
    severity: str
    subject: str
    text: str
    state: State

    @property
    def address(self) -> tuple[str, str, str]:
        """What makes it this message."""
        return self.key, self.channel, self.recipient

    def same_as(self, other: "Sent") -> bool:
        """Whether it says the same at the same time."""
        told = self.subject == other.subject and self.text == other.text
        return told and abs(self.due_s - other.due_s) <= SAME_TIME_S


def sent(db: sqlite3.Connection, from_s: float, until_s: float) -> Iterator[Sent]:
    """What was put in from then until then, in order. Raises sqlite3.Error."""
    for state, content in db.execute("SELECT state, content FROM message WHERE root = id ORDER BY id"):
        one = json.loads(content)
        if from_s <= one["created_s"] <= until_s:
            yield _sent(one, state)


def known_since_s(db: sqlite3.Connection) -> float:
    """From when on everything that was put in is still there (Unix s). Raises sqlite3.Error."""
    first, created_s = db.execute("SELECT id, created_s FROM message ORDER BY id LIMIT 1").fetchone() or (1, 0.0)
    return float(created_s) if first > 1 else 0.0


def _sent(one: dict[str, Any], state: State) -> Sent:
    return Sent(
        one["key"].partition("-")[2],
        one["channel"],
        one["recipient"],
        one["created_s"],
        max(one["due_s"], one["created_s"]),
        one["facts"]["kind"],
        one["about"],
        one["severity"],
        one["subject"],
        one["text"],
        state,
    )


Sign = Literal[" ", "+", "-", "~"]
"""As it was; would be sent too; was sent and would not be; would be sent at another time or with another text."""


def compared(would: Iterable[Sent], was: Iterable[Sent]) -> list[tuple[Sign, Sent]]:
    """What would be sent beside what was, by time. A message that only differs is the one that would be sent."""
    known = {one.address: one for one in was}
    found: list[tuple[Sign, Sent]] = []
    for one in would:
        other = known.pop(one.address, None)
        found.append((("+" if other is None else " " if one.same_as(other) else "~"), one))
    found += [("-", one) for one in known.values()]
    return sorted(found, key=lambda each: each[1].created_s)
