"""What goes out: one message to one recipient on one channel, and what sending it can come to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.incidents.model import Severity
from gateway.ports import RetryLater


class Unclear(RetryLater):
    """Like RetryLater, but it may have arrived: the request went out and no answer told."""


@dataclass(frozen=True, slots=True)
class Message:
    """A text on its way. Sent again it has the same (key, channel, recipient).

    `recipient`: the address on that channel (chat, mail address, telephone number). `about`: of two with the same, the
    later waits for the earlier ("" waits for nobody). `facts`: the same in parts, for channels that take no free text.
    `then`: what is sent instead, one after the other, when this one is not through `patience_s` after it was due.
    """

    key: str
    channel: str
    recipient: str
    subject: str
    text: str
    severity: Severity
    created_s: float
    expires_s: float
    due_s: float = 0.0
    about: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    patience_s: float = 120.0
    then: tuple["Message", ...] = ()


class Channel(Protocol):
    """A way to people. One `send` of a channel runs at a time."""

    async def send(self, message: Message) -> str:
        """Send it; the receipt (what the other side calls it, or ""). Returns only when the other side has taken it.

        Raises RetryLater (busy, away, unclear), Poison (this message or recipient is refused for good) or
        Misconfigured (nothing gets through before a person mends it), and nothing else. None of their texts holds a
        secret.
        """

    async def close(self) -> None: ...
