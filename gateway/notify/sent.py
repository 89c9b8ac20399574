"""What an outbox was given to send, read from its file: for a preview, and for comparing it with what was sent."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.notify.outbox import State


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


def sent(db: sqlite3.Connection, from_s: float, until_s: float) -> Iterator[Sent]:
    """What was put in from then until then, in order. Raises sqlite3.Error."""
    for state, content in db.execute("SELECT state, content FROM message WHERE root = id ORDER BY id"):
        one = json.loads(content)
        if from_s <= one["created_s"] <= until_s:
            yield _sent(one, state)


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
