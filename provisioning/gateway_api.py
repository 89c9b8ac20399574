"""Asks the gateway what it has stored of a device: the truth behind a green installation.

The technician's page never believes a box that says "connected": a reading counts once the database holds it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kewang.runtime.settings import SettingsError, secret

LIMIT_BYTES: Final = 1 << 20
"""A longer answer is not read to its end."""


class GatewayAway(Exception):
    """The gateway gave no usable answer; the text says why. Ask again later."""


class _Answer(BaseModel):
    """Fields that are not known here are passed over: a newer gateway may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


A = TypeVar("A", bound=_Answer)


class StoredSource(_Answer):
    """What the database holds of one source since the time that was asked for."""

    stream: str = Field(max_length=16)
    source: str = Field(max_length=32)
    first_ms: int
    newest_ms: int
    rows: int = Field(ge=0)
    values: dict[str, float] = Field(default_factory=dict, max_length=256)
    """Of the newest row: metric name -> value in the catalogue's unit."""


class Birth(_Answer):
    """How the device said hello when it connected last; what else it says is not needed here."""

    fw: str | None = None


class Acceptance(_Answer):
    """What the gateway knows of a device. Times are Unix ms of the gateway's clock.

    `trouble` is set while the database does not answer: then `sources` says nothing.
    """

    device: str
    heard_ms: int | None = None
    birth: Birth | None = None
    sources: tuple[StoredSource, ...] = ()
    now_ms: int
    trouble: str | None = None

    def of(self, source: str) -> StoredSource | None:
        """What is stored of `source`, or None."""
        return next((stored for stored in self.sources if stored.source == source and stored.rows), None)


class SourceNow(_Answer):
    """The newest of one source. `camera`: its state's name if it is a camera."""

    stream: str = Field(max_length=16)
    source: str = Field(max_length=32)
    camera: str | None = None


class DeviceNow(_Answer):
    """How a device is now: `condition` is `ok`, `silent` or `never`; `last_ms` when it was heard last."""

    device: str
    condition: str
    last_ms: int | None = None
    sources: tuple[SourceNow, ...] = ()


class _Devices(_Answer):
    devices: tuple[DeviceNow, ...]


class IncidentNow(_Answer):
    """An incident, by its number and when it opened; `ended_ms` None: it is not over."""

    number: int
    opened_ms: int
    ended_ms: int | None = None


class _Incidents(_Answer):
    incidents: tuple[IncidentNow, ...] = Field(max_length=1000)


class Flood(_Answer):
    """A device whose messages the gateway drops because there are far too many."""

    device: str = Field(pattern=r"^[a-z0-9-]{3,32}$")
    since_ms: int
    dropped: int


class _Floods(_Answer):
    floods: tuple[Flood, ...] = Field(max_length=10_000)


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """Where the gateway's JSON API is, and what shows that we may ask."""

    url: str
    token_file: Path | None = None
    ca_file: Path | None = None
    """Trust anchor for `https`; None: the system's."""


@cache
def _system_anchors() -> ssl.SSLContext:
    """Read once: there are more than a hundred."""
    return ssl.create_default_context()


class GatewayApi:
    """One client with its pool of connections. Use as `async with`, or call `close`."""

    def __init__(self, address: GatewayAddress, timeout_s: float = 5.0) -> None:
        self._token_file = address.token_file
        verify = ssl.create_default_context(cafile=str(address.ca_file)) if address.ca_file else _system_anchors()
        self._client = httpx.AsyncClient(
            base_url=address.url.rstrip("/"), timeout=timeout_s, verify=verify, follow_redirects=False, trust_env=False
        )

    async def __aenter__(self) -> GatewayApi:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def acceptance(self, device: str, since_ms: int) -> Acceptance:
        """What is stored of `device` since Unix ms `since_ms`. Raises GatewayAway."""
        query = {"since_ms": str(since_ms)}
        answer = await self._asked(Acceptance, f"/api/v1/acceptance/{quote(device, safe='')}", query)
        if answer.device != device:
            raise GatewayAway("the gateway answered about another device")
        return answer

    async def floods(self) -> tuple[Flood, ...]:
        """Who floods now. Raises GatewayAway."""
        return (await self._asked(_Floods, "/api/v1/floods", {})).floods

    async def devices(self) -> dict[str, DeviceNow]:
        """How every device is now, by id. Raises GatewayAway."""
        answer = await self._asked(_Devices, "/api/v1/devices", {})
        return {device.device: device for device in answer.devices}

    async def incidents(self, numbers: Sequence[int]) -> dict[tuple[int, int], IncidentNow]:
        """Those of these incidents that the gateway remembers, by number and opening. Raises GatewayAway."""
        answer = await self._asked(_Incidents, "/api/v1/incident-states", {"number": [str(one) for one in numbers]})
        return {(one.number, one.opened_ms): one for one in answer.incidents}

    async def _asked(self, model: type[A], path: str, query: Mapping[str, str | list[str]]) -> A:
        try:
            return model.model_validate_json(await self._get(path, query))
        except httpx.HTTPError as error:
            raise GatewayAway(f"the gateway does not answer: {type(error).__name__}") from None
        except ValidationError:
            raise GatewayAway("the gateway's answer can't be read: are both of the same version?") from None

    async def _get(self, path: str, query: Mapping[str, str | list[str]]) -> bytes:
        headers = await asyncio.to_thread(self._shown)
        body = bytearray()
        async with self._client.stream("GET", path, params=query, headers=headers) as response:
            # 503 carries the same body, with `trouble`.
            if response.status_code not in (200, 503):
                raise GatewayAway(_refusal(response.status_code))
            async for part in response.aiter_bytes():
                body += part
                if len(body) > LIMIT_BYTES:
                    raise GatewayAway("the gateway's answer is too long")
        return bytes(body)

    def _shown(self) -> dict[str, str]:
        """The token, read each time: a new one works without a restart."""
        try:
            return {"Authorization": f"Bearer {secret(self._token_file)}"} if self._token_file else {}
        except SettingsError as error:
            raise GatewayAway(str(error)) from None


def _refusal(status: int) -> str:
    if status in (401, 403):
        return "the gateway refuses our token: compare gateway.token on both sides"
    return f"the gateway answers {status}"
