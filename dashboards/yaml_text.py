"""YAML for files that people read: block style, every string quoted as JSON quotes it, so nothing is guessed."""

import json
from typing import Any


def yaml_text(value: Any, head: str = "") -> str:
    """`value` (dicts, lists, strings, numbers, booleans, None) as a YAML document under comment lines of `head`."""
    return "".join(f"# {line}\n" for line in head.splitlines()) + "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        return [line for key, each in value.items() for line in _named(key, each)]
    if isinstance(value, list) and value:
        return [line for each in value for line in _item(_lines(each))]
    return [json.dumps(value, ensure_ascii=False)]


def _named(key: str, value: Any) -> list[str]:
    inner = _lines(value)
    if isinstance(value, (dict, list)) and value:
        return [f"{key}:", *(f"  {line}" for line in inner)]
    return [f"{key}: {inner[0]}"]


def _item(lines: list[str]) -> list[str]:
    return [f"- {lines[0]}", *(f"  {line}" for line in lines[1:])]
