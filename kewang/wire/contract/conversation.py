"""A recorded conversation: JSON lines, first its head, then what was said, as a broker carried it, and what happened.

    {"conversation": "first-contact", "about": "...", "began_ms": 1785000000000}
    {"ms": 12, "topic": "kewang/1/4/kali-1/s", "qos": 1, "retain": true, "payload": {...}, "base64": "eyJzd..."}
    {"ms": 950, "event": "the gateway is killed"}

`ms` counts from `began_ms` (Unix ms); -1: the broker had it before, retained. `base64` is the payload byte for byte,
`payload` the same for people, inflated; it is left out of what is no JSON object.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from kewang.wire.batch import inflate, load_object
from kewang.wire.errors import WireError


@dataclass(frozen=True, slots=True)
class Said:
    """One message. `retain` is the flag that its sender set."""

    ms: int
    topic: str
    payload: bytes
    retain: bool
    qos: int = 1

    def line(self) -> dict[str, Any]:
        """As the file holds it."""
        head = {"ms": self.ms, "topic": self.topic, "qos": self.qos, "retain": self.retain}
        try:
            shown: dict[str, Any] = {"payload": load_object(inflate(self.payload))}
        except WireError:
            shown = {}
        return head | shown | {"base64": base64.b64encode(self.payload).decode()}

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Self:
        """The inverse of `line`. Raises WireError."""
        types = {"ms": int, "topic": str, "qos": int, "retain": bool, "base64": str}
        wrong = [key for key, kind in types.items() if type(line.get(key)) is not kind]
        if wrong:
            raise WireError(f"{wrong[0]} must be there, {types[wrong[0]].__name__}")
        try:
            payload = base64.b64decode(line["base64"], validate=True)
        except binascii.Error as error:
            raise WireError(f"base64: {error}") from None
        said = cls(line["ms"], line["topic"], payload, line["retain"], line["qos"])
        if "payload" in line and said.line().get("payload") != line["payload"]:
            raise WireError("payload and base64 are not the same message: the bytes count, write the payload anew")
        return said


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened beside what was said."""

    ms: int
    event: str
    more: Mapping[str, Any] = field(default_factory=dict)

    def line(self) -> dict[str, Any]:
        """As the file holds it."""
        return {"ms": self.ms, "event": self.event, **self.more}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A whole recording."""

    head: Mapping[str, Any]
    entries: Sequence[Said | Event]

    @property
    def messages(self) -> list[Said]:
        """What was said, in the order in which the broker passed it on."""
        return [entry for entry in self.entries if isinstance(entry, Said)]

    def text(self) -> str:
        """The file."""
        lines = [self.head, *(entry.line() for entry in self.entries)]
        return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that can't be read."""

    line: int
    why: str


def read_lines(text: str) -> Iterator[tuple[int, Said | Event | Mapping[str, Any] | Broken]]:
    """Each line with its number: the head as a mapping, the others as what they are."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield number, _entry(load_object(line.encode()))
        except WireError as error:
            yield number, Broken(number, str(error))


def read(text: str) -> Conversation:
    """The conversation in `text`. Raises WireError for the first line that can't be read."""
    head: Mapping[str, Any] = {}
    entries: list[Said | Event] = []
    for number, entry in read_lines(text):
        if isinstance(entry, Broken):
            raise WireError(f"line {number}: {entry.why}")
        if isinstance(entry, Said | Event):
            entries.append(entry)
        else:
            head = entry
    return Conversation(head, entries)


def _entry(line: dict[str, Any]) -> Said | Event | Mapping[str, Any]:
    if "topic" in line:
        return Said.of(line)
    if "event" in line:
        more = {key: value for key, value in line.items() if key not in ("ms", "event")}
        return Event(int(line.get("ms", 0)), str(line["event"]), more)
    if "conversation" in line:
        return line
    raise WireError("neither a message (topic), nor an event, nor the head of a conversation")
