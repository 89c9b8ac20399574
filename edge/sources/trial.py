"""One reading of one source, for people: what it says, and what of that can't be right."""

import asyncio
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.ports import Source, SourceError, Values
from edge.sources import driver
from kewang.runtime.settings import SettingsError, load
from kewang.wire.catalogue import BY_NAME


@dataclass(frozen=True, slots=True)
class Trial:
    """A reading."""

    metrics: tuple[str, ...]
    values: Values
    took_s: float

    def doubtful(self) -> list[str]:
        """What the gateway would put into quarantine."""
        pairs = zip(self.metrics, self.values, strict=True)
        wrong = ((BY_NAME[name], value) for name, value in pairs if value is not None)
        return [
            f"{each.name} {value:g} is not from {each.low:g} to {each.high:g}: compare map and scale with the manual"
            for each, value in wrong
            if not each.low <= value <= each.high
        ]


def source_of(name: str, words: Sequence[str]) -> Source:
    """A source of driver `name` with settings `KEY=VALUE`. Raises SettingsError."""
    made = driver(name)
    given = {"driver": name, "name": "try"} | dict(map(_setting, words))
    return made(load(made.Settings, "edge_try", None, given))


def _setting(word: str) -> tuple[str, Any]:
    """A value as TOML has it; what is no TOML is a text, so that paths and names need no quotes."""
    key, equals, text = word.partition("=")
    if not equals:
        raise SettingsError(f"{word!r}: write KEY=VALUE, as in port=/dev/ttyUSB0")
    try:
        return key, tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return key, text


async def try_once(source: Source) -> Trial:
    """Read `source` and close it. Raises SourceError."""
    began_s = time.monotonic()
    try:
        async with asyncio.timeout(source.timeout_s):
            values = await source.read()
    except TimeoutError:
        raise SourceError(f"no answer in {source.timeout_s:g} s") from None
    finally:
        await source.close()
    return Trial(source.metrics, values, round(time.monotonic() - began_s, 2))


def from_file(file: Path, name: str) -> Source:
    """The source called `name` in the settings file. Raises SettingsError."""
    from edge.settings import build_sources, read_settings

    sources = {source.name: source for source in build_sources(read_settings(file))}
    if name not in sources:
        raise SettingsError(f"{file}: no source {name!r} (there are {', '.join(sources)})")
    return sources[name]
