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
    bytes: _Count


class State(Message):
    """`on` (birth, after CONNACK), `bye` (deliberate end) or `off` (the will); `n` counts connects of the run.

    `bye` and `off` count only with the `bt` and `n` of the last birth.
    """

    st: Literal["on", "bye", "off"]
    bt: _Run
    n: _Count
    up: _Count | None = None
    rw: _Count | None = None
    why: Why | None = None
    fw: Annotated[str, Field(max_length=64)] | None = None
    cfg: _Count | None = None
    outbox: OutboxSize | None = None


class GatewayState(Message):
    """Retained by a gateway, with an `off` will: which shards it serves. No edge waits for it."""

    st: Literal["on", "off"]
    shards: Annotated[str, Field(pattern=r"^[0-9a-f]{0,16}$")] = ""
