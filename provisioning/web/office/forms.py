"""Forms of the office as data: one template draws them all, and shows them again when something was refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["text", "area", "code", "choice", "number", "date", "time", "password", "tick", "days", "hidden", "file"]
"""`code`: a large text in a font of even width; `days`: seven ticks, of which the value says those set (`12345`)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a list. `text` is a name as it is kept, or with `say` a text of the catalogue."""

    value: str
    text: str
    say: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One question. `label` and `hint` are texts of the catalogue; `most`: characters."""

    name: str
    label: str
    kind: Kind = "text"
    value: str = ""
    hint: str = ""
    choices: tuple[Choice, ...] = ()
    most: int = 64
    required: bool = False
    suggest: tuple[str, ...] = ()
    """What may be typed, for the browser to offer."""

    def filled(self, fields: Mapping[str, str]) -> Field:
        """The same with what a person typed; a password has to be typed again."""
        if self.kind in ("password", "file"):
            return replace(self, value="")
        if self.kind == "days":
            return replace(self, value=days_in(fields, self.name))
        return replace(self, value=seen(fields.get(self.name, "")))


@dataclass(frozen=True, slots=True)
class Form:
    """A page with one form. `title`, `lead` and `button` are texts of the catalogue, `about` is what it is about."""

    title: str
    action: str
    back: str
    button: str
    fields: tuple[Field, ...] = ()
    lead: str = ""
    about: str = ""
    danger: bool = False

    def filled(self, fields: Mapping[str, str]) -> Form:
        """The same with what a person typed."""
        return replace(self, fields=tuple(field.filled(fields) for field in self.fields))

    @property
    def file(self) -> bool:
        """Whether a file is sent."""
        return any(field.kind == "file" for field in self.fields)


def days_in(fields: Mapping[str, str], name: str) -> str:
    """ISO weekdays that are ticked in a field of kind `days`."""
    return "".join(day for day in "1234567" if f"{name}_{day}" in fields)


def seen(text: str) -> str:
    """What can be seen of `text`: a form that is shown again holds nothing else."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\r\n\t")
