"""A camera as a source: looks at it by tiers and says what that came to. Numbers only; nothing of a picture leaves."""

import asyncio
import logging
import math
import random
from dataclasses import replace
from typing import Final

from edge.cameras import thresholds
from edge.cameras.facts import Transport, Verdict
from edge.cameras.health import Assessment, CameraHealth, NothingToAccept
from edge.cameras.look import Eye, patiently
from edge.cameras.memory import Memory
from edge.cameras.settings import CameraSettings
from edge.cameras.slots import NoSlot, shared
from edge.cameras.streams import Manner, Stream, stream_of
from edge.cameras.tiers import Tier, Tiers
from edge.onvif import look as ask_onvif
from edge.ports import Arguments, CommandRefused, SourceError, Values
from edge.sources.settings import surroundings
from kewang.wire.cameras import REASON_WORDS, STATE_WORDS, CameraReason, CameraState
from kewang.wire.catalogue import BY_NAME, METRICS
from kewang.wire.command import ACCEPT_VIEW

log = logging.getLogger(__name__)

QUEUE_S: Final = 60.0
"""So long a camera waits for its turn; then it says what it knows without having been watched."""
ONVIF_S: Final = 8.0
_EARLY_S: Final = 0.05
"""A reading may come this long before what is due."""
_SHORTEST_S: Final = 0.1
_LET_US_WAIT: Final = frozenset({CameraReason.TIMEOUT, CameraReason.NO_MEDIA, CameraReason.STALLED})
_BY_ONVIF: Final = frozenset({"camera_uptime_s", "recording", "tamper_event"})


class Camera:
    """One camera. It sets its own pace: `interval_s` is the time to the next look that is due.

    A camera that is down is a reading with state and reason, not an error of the source.
    """

    Settings = CameraSettings
    stream = "cam"

    def __init__(
        self, settings: CameraSettings, *, stream: Stream | None = None, rng: random.Random | None = None
    ) -> None:
        """`stream`: another way to it than the one that its settings name; `rng`: of the jitter of its looks."""
        around = surroundings.get()
        manner = Manner(settings.timeout_s, settings.watch_s, settings.transport, settings.redirects)
        self._settings, self._manner = settings, manner
        self.name = settings.name
        self.metrics = metrics_of(settings)
        self.timeout_s = 2 * (QUEUE_S + manner.longest_s) + 4 * settings.timeout_s + ONVIF_S
        address, main = settings.address(), settings.main_address()
        self._address, self._endpoint, self._clock_synced = address, settings.endpoint(), around.clock_synced
        self._health = CameraHealth(_limits(settings), settings.zones, moves=settings.ptz)
        stream = stream or stream_of(address, settings.kind, manner)
        self._eye = Eye(stream, self._health, manner, around.clock_synced)
        self._main = stream_of(main, "auto", manner) if main else None
        self._memory = Memory(settings.memory_file(around.state_folder))
        paces = (settings.reach_s, settings.picture_s, settings.slow_s, settings.suspicion_s)
        self._tiers = Tiers(*paces, rng=rng or random.Random())
        self._began_s: float | None = None
        self._last = Transport(CameraReason.NOT_MEASURED)
        self._told: tuple[CameraState, CameraReason] | None = None

    @property
    def interval_s(self) -> float:
        """Seconds from the beginning of the last reading to when something is due."""
        if self._began_s is None:
            return self._settings.reach_s
        return max(_SHORTEST_S, self._tiers.next_in_s(self._began_s))

    async def read(self) -> Values:
        """Do what is due and say it: one value per metric, None for what was not measured now."""
        now_s = asyncio.get_running_loop().time()
        if self._began_s is None:
            await shared().in_thread(self._memory.recall, self._health, now_s)
        self._began_s = now_s
        assessment = await self._do(self._tiers.due(now_s + _EARLY_S), now_s)
        self._tell(assessment.verdict)
        return tuple(_tidy(name, assessment.metrics.get(name)) for name in self.metrics)

    async def close(self) -> None:
        """Keep what was learned. No session is open between readings."""
        if self._began_s is not None:
            await shared().in_thread(self._memory.keep, self._health, math.inf)

    async def command(self, name: str, args: Arguments) -> str:
        """`accept_view`: the present view is the right one; `clean`: and its zones are clean."""
        clean = args.get("clean", False)
        if name != ACCEPT_VIEW or not isinstance(clean, bool) or set(args) - {"clean"}:
            raise CommandRefused(f"a camera can do {ACCEPT_VIEW} with clean = true or false: send that")
        return await shared().in_thread(self._accept, clean)

    async def key_frame(self) -> tuple[str, bytes]:
        """What it sees now, by a look of its own, for who puts it up. Raises SourceError."""
        try:
            async with shared().session(troubled=False, wait_s=QUEUE_S):
                seen = await self._eye.watch(until_keyframe=True)
        except NoSlot as error:
            raise SourceError(str(error)) from None
        if seen.codec is None or seen.keyframe is None:
            raise SourceError(seen.detail or f"no picture: {REASON_WORDS[seen.reason][1]}")
        return seen.codec, seen.keyframe

    def _accept(self, clean: bool) -> str:
        try:
            said = self._health.accept(clean)
        except NothingToAccept as error:
            raise CommandRefused(str(error)) from None
        self._memory.keep(self._health, math.inf)
        return said

    async def _do(self, tier: Tier, began_s: float) -> Assessment:
        reached = await self._eye.reach()
        if reached.reason is not CameraReason.NONE:
            self._last = reached
        elif tier is Tier.PICTURE:
            return await self._look(reached, began_s)
        elif tier is Tier.SLOW:
            await self._look_slowly()
        assessment = await self._eye.reached(reached)
        self._tiers.done(tier, began_s, assessment.verdict.suspicious)
        if reached.reason is CameraReason.NONE and self._is_lost:
            self._last = reached
            self._tiers.hurry(began_s)
        return assessment

    @property
    def _is_lost(self) -> bool:
        """Whether it could not even be reached last time."""
        return self._last.reason is not CameraReason.NONE and self._last.describe_ms is None

    async def _look(self, reached: Transport, began_s: float) -> Assessment:
        """Watch it, when there is a session to be had, and judge the picture."""
        slots, extra = shared(), self._last.reason is CameraReason.NONE and self._tiers.is_extra(began_s)
        try:
            async with slots.session(troubled=self._last.reason in _LET_US_WAIT, wait_s=QUEUE_S):
                transport = await self._eye.watch(until_keyframe=extra)
        except NoSlot as error:
            log.warning("camera %s was not watched: %s", self.name, error)
            self._tiers.done(Tier.PICTURE, began_s, True)
            return await self._eye.reached(reached)
        look = await self._eye.saw(_with_reach(_shortened(transport) if extra else transport, reached))
        self._last = look.transport
        if transport.reason is CameraReason.BUSY:
            self._tiers.busy(began_s)
        else:
            self._tiers.done(Tier.PICTURE, began_s, look.assessment.verdict.suspicious)
        await slots.in_thread(self._memory.keep, self._health, began_s)
        return look.assessment

    async def _look_slowly(self) -> None:
        """Ask what changes slowly; it goes out with the next assessment."""
        main = None
        if self._main:
            try:
                async with shared().session(troubled=self._last.reason in _LET_US_WAIT, wait_s=QUEUE_S):
                    main = await patiently(self._main, self._manner, True)
            except NoSlot as error:
                log.warning("main stream of camera %s was not tried: %s", self.name, error)
        self._health.noted(main=main)
        if self._endpoint:
            login = (self._settings.user, self._address.password)
            facts = await ask_onvif(self._endpoint, *login, ONVIF_S, stream_path=self._address.path, streams=False)
            self._health.noted(
                clock_offset_s=facts.clock_offset_s if self._clock_synced() else None,
                recording=facts.recording,
                tamper=facts.tamper,
                uptime_s=facts.uptime_s,
            )

    def _tell(self, verdict: Verdict) -> None:
        """Log a change of state, with what the last look said about it."""
        told = (verdict.state, verdict.reason)
        if told == self._told:
            return
        self._told = told
        level = logging.INFO if verdict.state in (CameraState.OK, CameraState.UNKNOWN) else logging.WARNING
        seen = f": {self._last.detail}" if self._last.detail else ""
        why = "" if verdict.reason is CameraReason.NONE else f" ({REASON_WORDS[verdict.reason][1]})"
        log.log(level, "camera %s is %s%s%s", self.name, STATE_WORDS[verdict.state][1], why, seen)


def metrics_of(settings: CameraSettings) -> tuple[str, ...]:
    """What such a camera can tell: all of the catalogue's `cam` metrics but those nobody is asked for."""
    absent = set() if settings.endpoint() else set(_BY_ONVIF)
    absent |= set() if settings.main_url else {"main_stream"}
    absent |= set() if settings.zones else {"clutter_pct"}
    return tuple(metric.name for metric in METRICS if metric.stream == "cam" and metric.name not in absent)


def _limits(settings: CameraSettings) -> thresholds.Thresholds:
    limits = thresholds.load()
    if settings.clock_tolerance_s is None:
        return limits
    return replace(limits, stream=replace(limits.stream, clock_offset_s=settings.clock_tolerance_s))


def _shortened(transport: Transport) -> Transport:
    """Without what a look that ended with its key frame was too short for."""
    return replace(
        transport, fps=None, stalls=None, stall_max_s=None, bitrate_kbps=None, keyframe_interval_s=None, jitter_ms=None
    )


def _with_reach(transport: Transport, reached: Transport) -> Transport:
    """What only `reach` asked, beside what the session measured."""
    tcp_ms = reached.tcp_ms if transport.tcp_ms is None else transport.tcp_ms
    options_ms = reached.options_ms if transport.options_ms is None else transport.options_ms
    return replace(transport, tcp_ms=tcp_ms, options_ms=options_ms)


def _tidy(name: str, value: float | None) -> float | None:
    """As many decimals as the metric means; no value for a number that nobody would believe."""
    metric = BY_NAME[name]
    if value is None or not math.isfinite(value):
        return None
    rounded = round(value, metric.decimals)
    if not metric.low <= rounded <= metric.high:
        return None
    return int(rounded) if rounded == int(rounded) else rounded
