"""Settings of a program: one TOML file, typed; flag > environment > file > default; unknown keys are errors.

Environment: `KEWANG_<PROGRAM>_<KEY>`, nested keys joined by two underscores (`KEWANG_EDGE_BROKER__HOST=10.0.0.2`).
Secrets are paths of files that others can't read.
"""

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

_LINE: Final = re.compile(r"at line (\d+)")
_BARE: Final = re.compile(r"""\s*([\w.-]+)\s*=\s*[^\s"'\[{#]""")


class SettingsError(Exception):
    """Settings that can't be used; the text names file, key and next step, one problem a line."""


class Settings(BaseModel):
    """Base of every settings section: unknown keys are refused, values can't change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        # One name of WIT, of WITA and of WIB.
        raise ValueError(f"{name!r} is no time zone: take Asia/Jayapura, Asia/Makassar, Asia/Jakarta or UTC") from None
    return name


TimeZone = Annotated[str, AfterValidator(_zone)]
"""The name of a time zone."""
S = TypeVar("S", bound=Settings)


def load(model: type[S], program: str, file: Path | None, flags: Mapping[str, Any] | None = None) -> S:
    """Settings of `program` from `file`, environment and `flags` (dotted key -> value). Raises SettingsError."""
    values = _read(file) if file else {}
    for key, value in {**_environment(program), **(flags or {})}.items():
        _put(values, key.split("."), value)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        name = str(file) if file else "settings"
        problems = [f"{name}: {_problem(model, values, problem)}" for problem in error.errors()]
        raise SettingsError("\n".join(problems)) from None


def secret(path: Path) -> str:
    """The secret in the file at `path`. Raises SettingsError if it is missing, empty or readable by others."""
    try:
        mode, text = path.stat().st_mode, path.read_text().strip()
    except OSError as error:
        raise SettingsError(f"secret file {path}: {error.strerror}: correct the path or the file's owner") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"secret file {path} can be read by others: run 'chmod 600 {path}'")
    if not text:
        raise SettingsError(f"secret file {path} is empty: write the password into it")
    return text


def _read(file: Path) -> dict[str, Any]:
    text = ""
    try:
        text = file.read_text()
        return tomllib.loads(text)
    except PermissionError as error:
        raise SettingsError(f"{file}: {error.strerror}: run it as the file's user: sudo -u kewang ...") from None
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}: give the path of a settings file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        if key := _unquoted(text, str(error)):
            raise SettingsError(f'{file}: not TOML: {error}; text stands in quotes: {key} = "..."') from None
        raise SettingsError(f"{file}: not TOML: {error}") from None


def _unquoted(text: str, error: str) -> str | None:
    """The key in the line that `error` names, if its value begins as no TOML value does. The value is not told: it may
    be a secret."""
    at = _LINE.search(error)
    line = text.splitlines()[int(at[1]) - 1 :][:1] if at else []
    found = _BARE.match(line[0]) if line else None
    return found[1] if found else None


def _environment(program: str) -> dict[str, str]:
    prefix = f"KEWANG_{program.upper()}_"
    return {
        name[len(prefix) :].lower().replace("__", "."): value
        for name, value in os.environ.items()
        if name.startswith(prefix)
    }


def _put(values: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        inner = values.setdefault(key, {})
        if not isinstance(inner, dict):
            raise SettingsError(f"{key} is a value, not a section")
        values = inner
    values[keys[-1]] = value


def _problem(model: type[BaseModel], values: Any, problem: Any) -> str:
    path = _written(values, problem["loc"])
    where = _place(values, path)
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], _known(model, path[:-1]), n=1)
        return f"unknown key {where!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    if problem["type"] == "tuple_type" and isinstance(problem["input"], dict):
        section = ".".join(part for part in path if not part.isdecimal())
        return f"{where}: write [[{section}]], with two brackets"
    told = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {told}" if where else told


def _written(values: Any, path: Sequence[str | int]) -> list[str]:
    """The `path` of a problem as it stands in the file: pydantic names the kind of a channel on the way as well."""
    kept = []
    for number, part in enumerate(path, 1):
        known = part in values if isinstance(values, dict) else isinstance(values, list) and isinstance(part, int)
        if known or number == len(path):
            kept.append(str(part))
        if known:
            values = values[part]
    return kept


def _place(values: Any, path: Sequence[str]) -> str:
    """`path` as people count: `sources (no. 3, env-1).host`."""
    place = ""
    for part in path:
        if part.isdecimal() and isinstance(values, list) and int(part) < len(values):
            values = values[int(part)]
            name = values.get("name") if isinstance(values, dict) else None
            place += f" (no. {int(part) + 1}{f', {name}' if name else ''})"
        else:
            values = values.get(part) if isinstance(values, dict) else None
            place += f".{part}"
    return place.removeprefix(".")


def _known(model: type[BaseModel], path: list[str]) -> list[str]:
    """Keys of the section at `path` below `model` (list indexes in the path are passed over)."""
    sections = [model]
    for part in path:
        below = [inner for section in sections for inner in _sections(section, part)]
        sections = below or sections
    return sorted({name for section in sections for name in section.model_fields})


def _sections(model: type[BaseModel], field: str) -> list[type[BaseModel]]:
    info = model.model_fields.get(field)
    return [] if info is None else _models_in(info.annotation)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in _models_in(argument)]
