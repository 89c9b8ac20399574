"""What the commands share: how errors leave the program, options that mean the same everywhere."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from kewang.runtime.settings import SettingsError

FOUND: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3

Config = Annotated[Path | None, typer.Option("--config", "-c", readable=False, help="Settings file (TOML).")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on the last line of standard output.")]
Check = Annotated[bool, typer.Option("--check", help="Only validate the settings, without a network.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")]


def fail(message: str, code: int) -> NoReturn:
    """Leave with `message` on standard error."""
    typer.echo(f"kewang: {message}", err=True)
    raise typer.Exit(code)


def check_language(language: str) -> None:
    """A language that we don't speak ends the program."""
    if language not in ("id", "en"):
        fail(f"--lang {language!r}: write id or en", USAGE)


@contextmanager
def settings_errors(in_words: Callable[[str], str] = str) -> Iterator[None]:
    """Wrong settings end the program with what is wrong, not with a traceback. `in_words`: for another language."""
    try:
        yield
    except SettingsError as error:
        fail(in_words(str(error)), USAGE)


def print_json(value: Any) -> None:
    """One object on one line, last on standard output."""
    sys.stdout.flush()
    typer.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))
