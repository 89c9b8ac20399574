"""Command to a device (`x`) and its result (`x/r`). A device runs an id once and answers again what it answered."""

from typing import Annotated, Final

from pydantic import Field

from kewang.wire.batch import MAX_DATE_MS
from kewang.wire.errors import WireError
from kewang.wire.models import Message, Version

MAX_COMMAND_BYTES: Final = 4096

CommandId = Annotated[str, Field(pattern=r"^[0-9a-z-]{8,64}$")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
_Value = bool | int | float | Annotated[str, Field(max_length=256)]
Arguments = Annotated[dict[Name, _Value], Field(max_length=16, default_factory=dict)]

ACCEPT_VIEW = "accept_view"
"""A camera's present view becomes its reference. Args: `source`; `clean`, true = also the clean view of its zones."""


class Command(Message):
    """Do `name` with `args` unless it is after `exp` (Unix ms). A box without a date refuses."""

    v: Version = 1
    """Version of the protocol."""
    id: CommandId
    """Names the command; new for each. It is done once, and answered again when it comes again."""
    exp: Annotated[int, Field(ge=0, le=MAX_DATE_MS)]
    """Unix ms after which it must not be done."""
    name: Name
    """What to do."""
    args: Arguments
    """`source` names the source that does it; the rest is the source's."""


def decode_command(payload: bytes) -> Command:
    """The command in `payload`. Raises WireError for anything a device must ignore (a retained one: ask the caller)."""
    if len(payload) > MAX_COMMAND_BYTES:
        raise WireError(f"command of {len(payload)} bytes, the limit is {MAX_COMMAND_BYTES}")
    return Command.decode(payload)


class Result(Message):
    """What became of command `id`; `text` is for people and says the next step when `ok` is false."""

    v: Version = 1
    """Version of the protocol."""
    id: CommandId
    """Of the command."""
    ok: bool
    """Whether it was done."""
    text: Annotated[str, Field(max_length=1000)] = ""
    """For people; with the next step when it was not done."""
