"""Placements: where each device is, from a file, published retained for the gateway and whoever draws maps.

The file names each device and its history, oldest first; a device that never moved may have one table::

    [mardika-1]
    site = "mardika"
    lat = -3.695
    lon = 128.181
    sources = ["env-1"]

    [[passo-1]]
    site = "workshop"
    [[passo-1]]
    from = 2026-03-01T09:00:00+09:00
    site = "passo"

`from` is a date with time zone or Unix ms; only a history's first entry may leave it out. JSON has the same shape.
"""

import asyncio
import difflib
import json
import logging
import tomllib
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import aiomqtt
from pydantic import ValidationError

from kewang.runtime.backoff import Backoff
from kewang.runtime.broker import BrokerSettings
from kewang.runtime.settings import SettingsError
from kewang.wire import topics
from kewang.wire.names import is_device
from kewang.wire.placement import Place, Placement
from provisioning.broker import connected

log = logging.getLogger(__name__)

Placements = Mapping[str, Placement]
"""Placement by device id."""

_KEYS: Final = frozenset(field.alias or name for name, field in Place.model_fields.items())
REFRESH_S: Final = 5.0
"""How often a keeper looks for changed placements."""


def read_placements(file: Path) -> Placements:
    """The placements in a TOML or JSON file. Raises SettingsError: one problem a line, with device and key."""
    found: dict[str, Placement] = {}
    problems: list[str] = []
    for device, history in _read(file).items():
        try:
            found[device] = _placement(device, history)
        except ValueError as error:
            problems.append(f"{file}: {device}: {error}")
    if problems:
        raise SettingsError("\n".join(problems))
    return found


async def keep_published(
    broker: BrokerSettings,
    read: Callable[[], Placements],
    stopping: asyncio.Event,
    *,
    client_id: str = "provisioning",
    refresh_s: float = REFRESH_S,
) -> None:
    """Publish what `read` gives: all of it at every connect, and what changed soon after; until `stopping`.

    The broker may come and go. While `read` raises SettingsError, what was read last holds. A device that is left out
    keeps the placement that was published: say `life = "retired"` instead.
    """
    keeper = _Keeper(read)
    backoff = Backoff(f"publishing placements to {broker.host}:{broker.port}", log, longest_s=30)
    while not stopping.is_set():
        try:
            async with connected(broker, client_id) as client:
                published: Placements = {}
                while not stopping.is_set():
                    published = await _publish(client, await asyncio.to_thread(keeper.placements), published)
                    backoff.succeeded()
                    await _until(stopping, _lost(client), refresh_s)
        except OSError as error:
            await _until(stopping, backoff.failed(error))


async def publish_once(broker: BrokerSettings, placements: Placements, *, client_id: str = "provisioning") -> None:
    """Publish and leave; the broker keeps them. Raises OSError when it can't be reached."""
    async with connected(broker, client_id) as client:
        await _publish(client, placements, {})


class _Keeper:
    """Reads placements; what was read last holds while reading fails."""

    def __init__(self, read: Callable[[], Placements]) -> None:
        self._read = read
        self._last: Placements = {}
        self._problem = ""

    def placements(self) -> Placements:
        """The placements as of now."""
        try:
            self._last, self._problem = self._read(), ""
        except SettingsError as error:
            if str(error) != self._problem:
                log.warning("placements can't be read, the last ones hold: %s", error)
            self._problem = str(error)
        return self._last


async def _publish(client: aiomqtt.Client, placements: Placements, published: Placements) -> Placements:
    """Publish those that are not `published` already; what is published now."""
    for device, placement in placements.items():
        if published.get(device) != placement:
            await client.publish(topics.build(device, topics.PLACEMENT), placement.encode(), qos=1, retain=True)
    return {**published, **placements}


async def _until(stopping: asyncio.Event, doing: Coroutine[Any, Any, object], limit_s: float | None = None) -> None:
    """Let `doing` go on until it ends, `limit_s` are over or `stopping`; raises what it raises."""
    halt = asyncio.create_task(stopping.wait(), name="placements-stop")
    task = asyncio.create_task(doing, name="placements-wait")
    done, pending = await asyncio.wait((halt, task), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    for each in pending:
        each.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    if task in done:
        task.result()


async def _lost(client: aiomqtt.Client) -> None:
    """Raises MqttError when the connection is lost; nothing is ever received."""
    async for _ in client.messages:
        pass


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text()
        loaded = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}: give the path of a placements file") from None
    except ValueError as error:
        kind = "JSON" if file.suffix == ".json" else "TOML"
        raise SettingsError(f"{file}: not {kind}: {error}") from None
    if not isinstance(loaded, dict):
        raise SettingsError(f"{file}: not a table of devices: write [device-id] and its place below")
    return loaded


def _placement(device: str, history: Any) -> Placement:
    """Raises ValueError that says what is wrong with the history of `device`."""
    if not is_device(device):
        raise ValueError("not a device id: 3 to 32 characters of a-z, 0-9 and '-'")
    entries = history if isinstance(history, list) else [history]
    places = [_place(entry, first=entry is entries[0]) for entry in entries]
    for one, other in pairwise(places):
        if one.from_ms >= other.from_ms:
            raise ValueError("from does not increase: write the history oldest first")
    if not places:
        raise ValueError("an empty history: write at least one place")
    return Placement(h=tuple(places))


def _place(entry: Any, first: bool) -> Place:
    if not isinstance(entry, dict):
        raise ValueError("not a place: write site = ... below [device-id]")
    for key in entry:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, sorted(_KEYS), n=1)
            raise ValueError(f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    if "from" not in entry and not first:
        raise ValueError("from is missing: say since when the device is there")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    try:
        return Place.model_validate(values | {"from": _unix_ms(entry.get("from", 0))})
    except ValidationError as error:
        told = (f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        raise ValueError("; ".join(told)) from None


def _unix_ms(value: Any) -> Any:
    """A date as Unix ms; anything else as it is, for the model to judge. Raises ValueError without a time zone."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError("from has no time zone: write e.g. 2026-03-01T09:00:00+09:00")
    return int(value.timestamp() * 1000)
