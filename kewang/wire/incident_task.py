"""An incident given to a technician as a task: what the gateway wishes of provisioning, and what became of it.

`POST /api/v1/incident-tasks` with a Wish gives a Given, the same for the same incident again; `GET` gives Tasks. Both
with the token of the roster.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from kewang.wire.batch import MAX_DATE_MS
from kewang.wire.models import Message, Version

PATH: Final = "/api/v1/incident-tasks"
TASKS_LIMIT: Final = 200
WISH_BYTES: Final = 8192
"""A longer wish is not read."""

TaskState = Literal["open", "taken", "done"]
_Number = Annotated[int, Field(ge=1, lt=2**63)]
_Date = Annotated[int, Field(ge=0, le=MAX_DATE_MS)]
_Login = Annotated[str, Field(pattern=r"^[a-z0-9._-]{2,32}$")]


class Wish(Message):
    """A task for incident `incident`, which opened at `opened_ms`: numbers alone begin anew with a lost database.

    `to`, `by`: logins; None: whoever takes it, a program of the gateway. `source`: of `device`.
    """

    v: Version = 1
    incident: _Number
    opened_ms: _Date
    text: Annotated[str, Field(min_length=1, max_length=500)]
    link: Annotated[str, Field(pattern=r"^(https?://[!-~]{1,290})?$")] = ""
    device: Annotated[str, Field(pattern=r"^[a-z0-9-]{3,32}$")] | None = None
    source: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")] | None = None
    to: _Login | None = None
    by: _Login | None = None


class Given(Message):
    """The task of an incident as it is now. `name`: of who has it, "" while nobody does. `note`: what they wrote."""

    incident: _Number
    opened_ms: _Date
    task: _Number
    state: TaskState
    name: Annotated[str, Field(max_length=64)] = ""
    note: Annotated[str, Field(max_length=500)] = ""


class Tasks(Message):
    """The newest tasks that incidents became."""

    v: Version = 1
    tasks: Annotated[tuple[Given, ...], Field(max_length=TASKS_LIMIT)] = ()
