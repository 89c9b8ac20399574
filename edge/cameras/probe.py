"""A few looks at a camera at once, for a person who stands before it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from edge.cameras import thresholds
from edge.cameras.decode import Decoded
from edge.cameras.facts import Transport, Verdict
from edge.cameras.health import CameraHealth
from edge.cameras.look import Eye
from edge.cameras.memory import Memory
from edge.cameras.settings import CameraSettings, Zone
from edge.cameras.streams import Manner, stream_of
from edge.net.address import Address, parse
from edge.onvif import Endpoint
from kewang.runtime.clock import kernel_synchronised
from kewang.wire.cameras import CameraReason

LOOKS: Final = 3
BETWEEN_S: Final = 2.0
FURTHER_S: Final = 7.0
ONVIF_S: Final = 15.0
LONGEST_S: Final = 30.0
"""So long after the first look another one may begin: a picture fault counts when it has lasted 25 s."""
_SHORT: Final = frozenset({"fps", "fps_ratio", "stalls", "stall_max_s", "bitrate_kbps", "keyframe_interval_s"})
"""What only a whole watch tells; a look that ends with its key frame says nothing about it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A camera to look at. `memory`: what an agent has learned of it; None: nothing."""

    address: Address
    kind: str = "auto"
    manner: Manner = field(default_factory=Manner)
    zones: tuple[Zone, ...] = ()
    ptz: bool = False
    endpoint: Endpoint | None = None
    memory: Path | None = None

    @classmethod
    def of_url(cls, url: str, user: str | None, password: str | None, *, kind: str, onvif: bool) -> "Target":
        """Raises ValueError whose text says what to change and repeats no secret."""
        address = parse(url, user, password)
        return cls(address, kind, endpoint=Endpoint(address.host) if onvif else None)

    @classmethod
    def of_settings(cls, settings: CameraSettings, beside: Path) -> "Target":
        """As the agent whose outbox is in `beside` looks at it."""
        seen = (settings.address(), settings.kind, settings.manner(), settings.zones, settings.ptz, settings.endpoint())
        return cls(*seen, settings.memory_file(beside))


@dataclass(frozen=True, slots=True)
class Found:
    """What the looks came to: the last verdict, the latest value of each metric, the last picture and the one before.

    `transport`: of the first look, with its key frame.
    """

    verdict: Verdict
    metrics: dict[str, float]
    transport: Transport
    detail: str
    now: Decoded | None = None
    before: Decoded | None = None
    suspected: CameraReason = CameraReason.NONE
    """What these looks make suspect; telling a fault from a passing truck may take minutes more."""


class Prober:
    """Looks as often as it is told; each `look` adds to what was found."""

    def __init__(self, target: Target) -> None:
        health = CameraHealth(thresholds.load(), target.zones, moves=target.ptz)
        if target.memory:
            Memory(target.memory).recall(health, 0.0)
        stream = stream_of(target.address, target.kind, target.manner)
        self._target = target
        self._eye = Eye(stream, health, target.manner, kernel_synchronised)
        self._found: Found | None = None

    async def look(self, *, whole: bool = True) -> Found:
        """Look once. `whole`: watch the stream, else only until its key frame."""
        reached = await self._eye.reach()
        if reached.reason is not CameraReason.NONE:
            assessment = await self._eye.reached(reached)
            return self._add(assessment.verdict, assessment.metrics, reached, None)
        transport = await self._eye.watch(until_keyframe=not whole)
        transport = replace(transport, tcp_ms=reached.tcp_ms, options_ms=reached.options_ms)
        look = await self._eye.saw(transport)
        metrics = look.assessment.metrics
        if not whole:
            metrics = {name: value for name, value in metrics.items() if name not in _SHORT}
        kept = replace(look.transport, keyframe=transport.keyframe)
        return self._add(look.assessment.verdict, metrics, kept, look.decoded)

    @property
    def undecided(self) -> bool:
        """Whether further looks soon would confirm a fault, or its absence."""
        return self._eye.health.undecided

    async def ask(self) -> None:
        """Ask by ONVIF, if the target says so; it counts from the next look on."""
        if self._target.endpoint:
            await self._eye.ask(self._target.endpoint, self._target.address, ONVIF_S)

    def _add(self, verdict: Verdict, metrics: dict[str, float], transport: Transport, decoded: Decoded | None) -> Found:
        earlier = self._found
        self._found = Found(
            verdict,
            {**(earlier.metrics if earlier else {}), **metrics},
            transport,
            transport.detail,
            decoded or (earlier.now if earlier else None),
            earlier.now if earlier and decoded else None,
            self._eye.health.suspected,
        )
        return self._found


async def probe(target: Target, going_on: Callable[[CameraReason, float], None] | None = None) -> Found:
    """Look three times, the first time whole, and go on until a fault that begins is confirmed or over.

    `going_on` hears before each further look what is suspected, and for how many seconds at most it goes on.
    """
    prober, loop = Prober(target), asyncio.get_running_loop()
    await prober.ask()
    found = await prober.look()
    until_s = loop.time() + LONGEST_S
    for _ in range(LOOKS - 1):
        await asyncio.sleep(BETWEEN_S)
        found = await prober.look(whole=False)
    while prober.undecided and (left_s := until_s - loop.time()) > 0:
        if going_on:
            going_on(found.suspected, left_s)
        await asyncio.sleep(min(FURTHER_S, left_s))
        found = await prober.look(whole=False)
    return found
