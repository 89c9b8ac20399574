"""Where versions lie, what root asks for, and what the guarding version has found."""

import logging
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import kewang
from edge.files import replace_json, replace_link

log = logging.getLogger(__name__)

TRIES: Final = 3
"""Starts that a new version is given."""
WITHIN_S: Final = 600.0
SETTLE_S: Final = 120.0
COMPLETE: Final = ".complete"
"""A version's folder is whole when it has this file."""
VERSION_PATTERN: Final = r"^[0-9][0-9A-Za-z.+]{0,63}$"
_Version = Annotated[str, Field(pattern=VERSION_PATTERN)]
MOST_CHARACTERS: Final = 1000
_Text = Annotated[str, Field(max_length=MOST_CHARACTERS)]
_MOST_BYTES: Final = 65_536


class _Record(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


_R = TypeVar("_R", bound=_Record)


class Request(_Record):
    """What root asks for: a trial of `version`. Only root writes it."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] = Field(default_factory=lambda: secrets.token_hex(8))
    version: _Version
    before: _Version
    """The version that was current then."""
    within_s: Annotated[float, Field(gt=0, le=86_400)] = WITHIN_S
    """Every source must have a reading acknowledged as stored within so long."""
    settle_s: Annotated[float, Field(ge=0, le=86_400)] = SETTLE_S
    """And the version must live so long after that."""
    state: Literal["trying", "proven", "failed", "back"] = "trying"
    why: _Text = ""


class Verdict(_Record):
    """What the guard found about the request `id`. The agent's user writes it; it can say yes or no, no more."""

    id: str
    tries: Annotated[int, Field(ge=0)] = 0
    state: Literal["trying", "proven", "failed"] = "trying"
    why: _Text = ""


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of all versions. Root owns it; the agent reads it."""

    folder: Path

    @property
    def link(self) -> Path:
        """What systemd starts."""
        return self.folder / "current"

    @property
    def previous(self) -> Path:
        """What was current before: the way back."""
        return self.folder / "previous"

    @property
    def file(self) -> Path:
        """Root's request."""
        return self.folder / "upgrade.json"

    def version(self, name: str) -> Path:
        """The folder of a version."""
        return self.folder / "versions" / name

    def program(self, name: str) -> Path:
        """The `kewang` of a version."""
        return self.version(name) / "bin" / "kewang"

    def current(self) -> str | None:
        """The version that the link points to; None without a link."""
        return _target(self.link)

    def before(self) -> str | None:
        """The version that was current before; None if there was none."""
        return _target(self.previous)

    def complete(self) -> list[str]:
        """Versions whose folders are whole."""
        return sorted(each.parent.name for each in self.folder.glob(f"versions/*/{COMPLETE}"))

    def switch(self, name: str) -> None:
        """Let the link point to a version, and keep the way back. Raises OSError."""
        current = self.current()
        if current not in (None, name):
            replace_link(self.previous, Path("versions") / str(current))
        replace_link(self.link, Path("versions") / name)

    def request(self) -> Request | None:
        """What root asked for last."""
        return _read(self.file, Request)

    def ask(self, request: Request) -> None:
        """Write the request. Raises OSError."""
        replace_json(self.file, request.model_dump())


def _target(link: Path) -> str | None:
    return link.readlink().name if link.is_symlink() else None


def running_home() -> tuple[Home, str] | None:
    """The home of the program that runs here, and its version's folder name; None if it was not installed that way."""
    for folder in Path(kewang.__file__).parents:
        if folder.parent.name == "versions":
            return Home(folder.parent.parent), folder.name
    return None


def verdict_file(outbox: Path) -> Path:
    """Where the guard of this outbox writes its verdict."""
    return outbox.with_suffix(".upgrade.json")


def read_verdict(outbox: Path, request: Request) -> Verdict:
    """What was found about `request` so far."""
    found = _read(verdict_file(outbox), Verdict)
    return found if found and found.id == request.id else Verdict(id=request.id)


def keep_verdict(outbox: Path, verdict: Verdict) -> None:
    """Write it. Raises OSError."""
    replace_json(verdict_file(outbox), verdict.model_dump())


def _content(file: Path) -> bytes:
    """The beginning of a plain file. Root reads what the agent's user wrote: no link to another's secrets, no pipe
    that never ends. Raises OSError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as opened:
        return opened.read(_MOST_BYTES)


def _read(file: Path, model: type[_R]) -> _R | None:
    """The record in `file`; None if there is none or it can't be read."""
    try:
        return model.model_validate_json(_content(file))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.error("%s can't be read, no upgrade is tried by it: %s", file, error)
        return None
