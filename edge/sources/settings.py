"""What the settings of every source share."""

import difflib
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from kewang.runtime.clock import kernel_synchronised
from kewang.runtime.settings import Settings, SettingsError, secret
from kewang.wire.names import is_source

GRACE_S: Final = 0.5
"""A driver that keeps its own time limit, and knows better what to say then, asks the agent for so much more."""
RESERVED: Final = frozenset({"box", "agent", "enrolment"})
"""Names of the agent's own sources."""

settings_folder: ContextVar[Path] = ContextVar("settings_folder", default=Path())
"""Folder of the settings file that is being read: relative paths in it start there."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a driver may know of the agent it works in. `state_folder`: where it may keep files; None = nowhere."""

    state_folder: Path | None = None
    clock_synced: Callable[[], bool] = kernel_synchronised


_ALONE: Final = Surroundings()
surroundings: ContextVar[Surroundings] = ContextVar("surroundings", default=_ALONE)
"""Of the agent whose sources are being built."""

SettingsPath = Annotated[Path, AfterValidator(lambda path: settings_folder.get() / path)]
"""A path; if relative, then to the folder of the settings file."""


def _readable(path: Path) -> Path:
    try:
        path.open("rb").close()
    except OSError as error:
        raise problem(f"{path}: {error.strerror}: put the file there or correct the path") from None
    return path


File = Annotated[SettingsPath, AfterValidator(_readable)]
"""A file that must be there and be readable now."""


def _private(path: Path) -> Path:
    try:
        secret(path)
    except SettingsError as error:
        raise problem(str(error)) from None
    return path


SecretFile = Annotated[File, AfterValidator(_private)]
"""A file with a secret, which others must not be able to read."""


class NamedKeys(Settings):
    """Settings of a driver: an unknown key is refused naming the nearest one of this very driver."""

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, values: Any) -> Any:
        unknown = sorted(set(values) - set(cls.model_fields)) if isinstance(values, dict) else []
        if unknown:
            raise problem("; ".join(f"unknown key {key!r}{nearest(key, cls.model_fields)}" for key in unknown))
        return values


class SourceSettings(NamedKeys):
    """What every source has; a driver's settings model is a subclass with its own keys."""

    driver: str = Field(description="Driver that reads this source; `kewang edge check` lists the installed ones.")
    name: str = Field(description="Name of the source on this device: 1 to 32 characters of a-z, 0-9 and '-'.")
    interval_s: float = Field(default=10.0, gt=0, le=86_400, description="Seconds between two readings.")
    timeout_s: float = Field(default=5.0, gt=0, le=600, description="A reading that takes longer than this has failed.")

    def claims(self) -> dict[str, str]:
        """What of the box it uses (a port, an address on a bus), and how: who shares a thing must agree on how."""
        return {}

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if name in RESERVED:
            raise problem(f"{name!r} is a source of the agent itself: choose another name")
        if not is_source(name):
            raise problem(f"{name!r} is not 1 to 32 characters of a-z, 0-9 and '-'")
        return name


def clash(sources: Iterable[SourceSettings]) -> str | None:
    """What two of `sources` use differently, for people; None = all can be read beside each other."""
    claimed: dict[str, tuple[str, str]] = {}
    for source in sources:
        for thing, how in source.claims().items():
            first, other = claimed.setdefault(thing, (source.name, how))
            if other != how:
                return f"{first!r} uses {thing} for {other}, {source.name!r} for {how}: only one can be right"
    return None


def problem(text: str) -> PydanticCustomError:
    """A validation error that says `text` and nothing else."""
    return PydanticCustomError("settings", "{text}", {"text": text})


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` with the known word nearest to `word`; empty if none is near."""
    near = difflib.get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
