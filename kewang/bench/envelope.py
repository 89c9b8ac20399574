"""What every measuring command prints: one JSON object on the last line, or a table, and the exit code.

Keys of all: `schema command version commit seed cores parts seconds ok failed`; a command adds its own figures.
"""

import importlib.metadata
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

import kewang
from kewang.bench.process import MissingPart, find_program

SCHEMA: Final = 1
_MEANING: Final = {
    "unflushed": "in an agent's memory when it was ended",
    "excused": "on a disk that the bench destroyed",
    "dropped_declared": "by a device whose queue was full",
    "in_outbox": "still on a device's disk",
}
"""Of names that many commands share, for people."""
_ENDLESS: Final = 10_000
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?[^\s,]*")
_ASK: Final = {
    "mosquitto": "-h",
    "influxd": "version",
    "nats-server": "--version",
    "telegraf": "version",
    "haproxy": "-v",
}


def envelope(
    command: str,
    *,
    seed: int,
    parts: Iterable[str],
    started_s: float,
    failed: Sequence[str] = (),
    figures: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The keys of all, then the `figures` of `command`.

    `parts`: names of programs; `started_s`: `time.monotonic()` at the start; `failed`: a sentence for each thing
    that is not as it must be.
    """
    return {
        "schema": SCHEMA,
        "command": command,
        "version": kewang.__version__,
        "commit": commit(),
        "seed": seed,
        "cores": len(os.sched_getaffinity(0)),
        "parts": {name: part_version(name) for name in parts},
        "seconds": round(time.monotonic() - started_s, 1),
        "ok": not failed,
        "failed": list(failed),
        **(figures or {}),
    }


def emit(result: Mapping[str, Any], as_json: bool, show: Callable[[Mapping[str, Any]], None] | None = None) -> NoReturn:
    """Print `result` on standard output (for people by `show`, if given) and leave with 0 if it is ok, else 1."""
    if as_json:
        sys.stdout.flush()
        typer.echo(json.dumps(result, ensure_ascii=False, separators=(",", ":"), default=str))
    else:
        (show or _show)(result)
    raise typer.Exit(0 if result["ok"] else 1)


def commit() -> str:
    """The commit of the checkout this runs from; empty for an installed package."""
    checkout = Path(__file__).resolve().parents[2]
    if not (checkout / ".git").exists():
        return ""
    try:
        asked = ["git", "-C", str(checkout), "rev-parse", "--short=12", "HEAD"]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def part_version(name: str) -> str:
    """The version of a real part or Python package; empty if it does not tell."""
    if name == "sqlite":
        return sqlite3.sqlite_version
    if name not in _ASK:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return ""
    try:
        asked = [str(find_program(name)), _ASK[name]]
        told = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=10)
    except (MissingPart, OSError, subprocess.TimeoutExpired):
        return ""
    found = _VERSION.search(told.stdout + told.stderr)
    return found.group().lstrip("v") if found else ""


def _show(result: Mapping[str, Any]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for key, value in result.items():
        if key not in ("ok", "failed", "schema") and not _is_long(value):
            table.add_row(
                key, f"{_in_words(value)}  ({_MEANING[key]})" if value and key in _MEANING else _in_words(value)
            )
    console = Console(highlight=False)
    console.print(table)
    for key, value in result.items():
        if key != "failed" and _is_long(value):
            _show_rows(console, key, value)
    for reason in result["failed"]:
        console.print(f"FAILED: {reason}", style="bold red", markup=False)
    console.print("ok" if result["ok"] else "not ok", style="bold green" if result["ok"] else "bold red")


def _is_long(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)


def _show_rows(console: Console, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """A table; where its columns do not fit, a paragraph for each row."""
    table = _rows_table(title, rows)
    if console.measure(table, options=console.options.update(max_width=_ENDLESS)).minimum <= console.width:
        console.print(table)
        return
    console.print(title, style="italic")
    for row in rows:
        console.print(Padding(_in_words(row), (0, 0, 0, 2)))


def _rows_table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    keys = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*keys, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(_in_words(row.get(key, "")) for key in keys))
    return table


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_in_words(each)}" for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_in_words(each) for each in value)
    return escape(str(value))
