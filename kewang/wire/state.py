"""State of a device (`s`): birth, deliberate end, will; and what a gateway says of itself."""

from typing import Annotated, Literal

from pydantic import Field

from kewang.wire.models import Message

_Run = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,32}$")]
_Count = Annotated[int, Field(ge=0, le=2**53)]
Why = Literal["power", "watchdog", "link", "update", "config"]


class OutboxSize(Message):
    """What a device holds that is not yet acknowledged."""

    batches: _Count
    """Batches not yet acknowledged."""
    bytes: _Count
    """What these take on the disk."""


class State(Message):
    """`on` (birth, after CONNACK), `bye` (deliberate end) or `off` (the will); `n` counts connects of the run.

    `bye` and `off` count only with the `bt` and `n` of the last birth.
    """

    st: Literal["on", "bye", "off"]
    """`on`: birth; `bye`: a deliberate end; `off`: the will."""
    bt: _Run
    """Run: new and random at every start of the program."""
    n: _Count
    """How many times this run has connected, this time included."""
    up: _Count | None = None
    """Birth: monotonic ms of this run."""
    rw: _Count | None = None
    """Birth: rewind obeyed last; 0 = none."""
    why: Why | None = None
    """Birth: what made the program start, or `link` for a connect that is not its first."""
    fw: Annotated[str, Field(max_length=64)] | None = None
    """Birth: name and version of the program, for people."""
    cfg: _Count | None = None
    """Birth: version of the configuration in use. Reserved."""
    outbox: OutboxSize | None = None
    """Birth: what waits on the device."""
    flush_s: Annotated[float, Field(gt=0, le=3600)] | None = None
    """Birth: rows wait so long (s) on the device before they are sent, longer than two heartbeats are apart."""
    stretch: Annotated[float, Field(ge=1, le=100)] | None = None
    """Birth: sources are read at so many times their usual periods, to save the battery."""


class GatewayState(Message):
    """Retained by a gateway, with an `off` will: which shards it serves. No edge waits for it."""

    st: Literal["on", "off"]
    """`off`: the will."""
    shards: Annotated[str, Field(pattern=r"^[0-9a-f]{0,16}$")] = ""
    """Hex digits of the shards it serves."""
