"""What is wrong with a recorded conversation: each finding a sentence. Rules that time decides are not judged here."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from kewang.wire import topics
from kewang.wire.ack import Ack, decode_ack
from kewang.wire.batch import Batch, decode, fixed
from kewang.wire.catalogue import BY_NAME
from kewang.wire.contract.conversation import Broken, Said, read_lines
from kewang.wire.contract.kinds import Kind, kind_of, read
from kewang.wire.errors import WireError
from kewang.wire.names import BOX_SOURCE
from kewang.wire.state import State

MAX_FINDINGS: Final = 200
_Name = tuple[str, str, int]
"""(device, run, number) of a batch."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about line `line`. A `fault` breaks the protocol; else the message is well and its rows are not."""

    line: int
    fault: bool
    text: str


def findings(text: str) -> list[Finding]:
    """All about the conversation in `text`, at most MAX_FINDINGS; empty if it is well."""
    judge, found = _Judge(), list[Finding]()
    said = 0
    for number, entry in read_lines(text):
        if isinstance(entry, Broken):
            found.append(Finding(number, True, entry.why))
        elif isinstance(entry, Said):
            said += 1
            found += [Finding(number, fault, why) for fault, why in judge.about(entry)]
        if len(found) >= MAX_FINDINGS:
            return found[:MAX_FINDINGS]
    return found or ([] if said else [Finding(0, True, "no message is in it: was anything recorded?")])


class _Judge:
    """Knows what was said before."""

    def __init__(self) -> None:
        self._contents: dict[_Name, bytes] = {}
        self._born: set[tuple[str, str]] = set()
        """(device, run) that were born during the recording: all that they sent is in it too."""

    def about(self, said: Said) -> Iterator[tuple[bool, str]]:
        """(whether it is a fault, sentence) for each finding."""
        try:
            kind = kind_of(said.topic)
            read(kind, said.payload)
        except WireError as error:
            yield True, f"{said.topic}: {error}"
            return
        yield from ((True, f"{kind.name}: {why}") for why in _carried(kind, said))
        if said.payload and kind.name in ("batch", "state", "ack"):
            device = topics.parse(said.topic).device
            yield from ((fault, f"{kind.name}: {why}") for fault, why in self._content(kind, device, said))

    def _content(self, kind: Kind, device: str, said: Said) -> Iterator[tuple[bool, str]]:
        if kind.name == "batch":
            batch = decode(said.payload)
            yield from self._batch(device, batch)
            yield from ((False, why) for why in _rows(batch, topics.parse(said.topic).stream or ""))
        elif kind.name == "ack":
            yield from self._ack(device, decode_ack(said.payload))
        else:
            state = State.decode(said.payload)
            if state.st == "on" and state.n == 1 and said.ms >= 0:
                self._born.add((device, state.bt))

    def _batch(self, device: str, batch: Batch) -> Iterator[tuple[bool, str]]:
        name = (device, batch.run, batch.number)
        content = fixed(replace(batch, rewind=0, up_ms=0))
        if self._contents.setdefault(name, content) != content:
            yield (
                True,
                f"({batch.run}, {batch.number}) was sent before with other rows: a name has one content",
            )
        if batch.source == BOX_SOURCE and batch.held is None:
            yield False, "a heartbeat without held: nobody can tell what waits on the device"

    def _ack(self, device: str, ack: Ack) -> Iterator[tuple[bool, str]]:
        for run, first, last in ack.ok:
            if last < first:
                yield True, f"ok names {first} to {last} of {run}: the first must not be above the last"
            elif (device, run) in self._born and (device, run, last) not in self._contents:
                yield True, f"ok names batch {last} of {run}, which the device has not sent"


def _carried(kind: Kind, said: Said) -> Iterator[str]:
    """How MQTT carried it."""
    if said.qos != 1:
        yield f"it was sent with QoS {said.qos}: publish it with QoS 1"
    if said.retain != kind.retain:
        yield f"it was sent {'with' if said.retain else 'without'} the retain flag: publish it the other way"
    if kind.reserved and said.payload:
        yield "nothing is sent on this channel in version 1: it is reserved"


def _rows(batch: Batch, stream: str) -> Iterator[str]:
    """Why the gateway will put rows into quarantine."""
    unknown = [name for name in batch.metrics if name not in BY_NAME or BY_NAME[name].stream != stream]
    if unknown:
        yield f"{unknown[0]!r} is no metric of {stream}: the gateway puts these rows into quarantine"
        return
    for index, row in enumerate(batch.rows):
        if len(row) != len(batch.metrics) + 1:
            yield f"row {index} has {len(row) - 1} values for {len(batch.metrics)} metrics: it goes to quarantine"
            continue
        for name, value in zip(batch.metrics, row[1:], strict=True):
            if value is not None and not _believed(name, value):
                yield f"row {index}: {name}={value!r:.40} is not in its range: the row goes to quarantine"


def _believed(name: str, value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and BY_NAME[name].low <= float(str(value)) <= BY_NAME[name].high
