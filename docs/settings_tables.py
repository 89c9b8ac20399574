"""Tables of settings, made from their pydantic models."""

import json
import types
from collections.abc import Collection, Iterator
from datetime import time
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from docs.words import Words

_KINDS: Final = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "file",
    time: "time",
    tuple: "list",
    list: "list",
    dict: "table",
}


def settings_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Dotted keys of a settings model: `broker.tls.ca_file`."""
    for name, field in model.model_fields.items():
        inner = section(field.annotation)
        if inner:
            yield from settings_keys(inner, f"{prefix}{name}.")
        else:
            yield prefix + name


def keys(model: type[BaseModel]) -> set[str]:
    """The keys of a section that people write."""
    return {name for name, field in model.model_fields.items() if not field.exclude}


def sections(
    model: type[BaseModel], words: Words, name: str = "", skip: Collection[str] = (), given: BaseModel | None = None
) -> Iterator[str]:
    """The keys of a section, then its inner sections, each under its TOML heading. `given`: what it is by default."""
    yield from table(f"[{name}]" if name else "", model, words, skip, given)
    for key, field in model.model_fields.items():
        inner = section(field.annotation)
        if inner:
            default = _value(key, field, given)
            known = default if isinstance(default, inner) else None
            yield from sections(inner, words, f"{name}.{key}" if name else key, given=known)


def table(
    heading: str,
    model: type[BaseModel],
    words: Words,
    skip: Collection[str] = (),
    given: BaseModel | None = None,
    *,
    with_sections: bool = False,
) -> Iterator[str]:
    """A table of keys; `with_sections`: also those that are sections of their own."""
    if heading:
        yield f"### `{heading}`\n"
    yield f"| {words('Key')} | {words('Value')} | {words('Default')} | {words('Meaning')} |\n|---|---|---|---|"
    for name, field in model.model_fields.items():
        if (with_sections or section(field.annotation) is None) and name in keys(model) and name not in skip:
            meaning = words(str(field.description)).replace("|", r"\|")
            default = _default(_value(name, field, given), words)
            yield f"| `{field.alias or name}` | {_kind(field, words)} | {default} | {meaning} |"
    yield ""


def _value(name: str, field: FieldInfo, given: BaseModel | None) -> Any:
    """The default of a key; PydanticUndefined if there is none."""
    return getattr(given, name) if given is not None else field.get_default(call_default_factory=True)


def section(annotation: Any) -> type[BaseModel] | None:
    """The model of a field that is a section of its own."""
    found = [each for each in alternatives(annotation) if isinstance(each, type) and issubclass(each, BaseModel)]
    return found[0] if found else None


def alternatives(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        return [each for part in get_args(annotation) for each in alternatives(part)]
    return [] if annotation is type(None) else [bare(annotation)]


def bare(annotation: Any) -> Any:
    """The type below Annotated."""
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    return annotation


def _kind(field: FieldInfo, words: Words) -> str:
    (kind,) = alternatives(field.annotation)
    if section(kind):
        return words("table")
    if get_origin(kind) is Literal:
        return words("one of") + " " + ", ".join(f"`{choice}`" for choice in get_args(kind))
    return words(_KINDS[get_origin(kind) or kind]) + _range(field)


def _range(field: FieldInfo) -> str:
    limits = {
        name: getattr(each, name) for each in field.metadata for name in ("ge", "gt", "le") if hasattr(each, name)
    }
    low = f"≥ {limits['ge']}" if "ge" in limits else f"> {limits['gt']}" if "gt" in limits else ""
    high = f"≤ {limits['le']}" if "le" in limits else ""
    return "".join(f", {limit}" for limit in (low, high) if limit)


def _default(default: Any, words: Words) -> str:
    if default is PydanticUndefined:
        return f"**{words('needed')}**"
    if default is None or default in ("", (), []):
        return "–"
    if isinstance(default, (tuple, list)):
        default = json.dumps(default)
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
