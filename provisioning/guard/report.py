"""What came of a change, and what is wrong with the broker until somebody or something mends it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["proven", "written", "refused", "healed", "restored", "stopped"]
"""proven: in force on the real broker. written: in place, but no broker runs that could prove it. refused: the change
was bad, nothing was touched. healed: somebody else's change was undone. restored: the change did not hold, the files
before it are in force again. stopped: not even those held, so the broker was stopped."""

AlarmCode = Literal[
    "refused", "restored", "stopped", "silent", "altered", "lists-end", "certificate-ends", "signer", "leftovers"
]


@dataclass(frozen=True, slots=True)
class Report:
    """What one `Guard.apply` did. `steps_ms`: how long each step took; `problems`: sentences, English."""

    outcome: Outcome
    kicked: tuple[str, ...] = ()
    """Device ids whose connections were cut."""
    problems: tuple[str, ...] = ()
    steps_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the wanted state is in force."""
        return self.outcome == "proven"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that stands until it is mended. `since_ms`: Unix ms; `text`: msgid; `detail`: for who mends it."""

    code: AlarmCode
    since_ms: int
    text: str
    detail: str = ""
