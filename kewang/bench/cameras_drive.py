"""One camera in simulated time: production's schedule and judgement, with only the clock and the transport replaced.

The scenes themselves send each picture through JPEG, in place of what a camera's encoder does to it.
"""

import contextlib
import random
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from edge.cameras.facts import Transport, Verdict
from edge.cameras.health import Assessment, NothingToAccept
from edge.cameras.picture import Picture
from edge.cameras.tiers import Tier, Tiers
from firmware_sim.cameras.scenes import PictureFault, Scene, Truth, spoiled
from firmware_sim.cameras.scenes.spoiled import Spoilable
from kewang.bench.cameras_naive import Naive
from kewang.bench.cameras_plan import GRACE_S, Event, LinkFault
from kewang.wire.cameras import CameraReason, CameraState

SESSION_S: Final = 5.0
"""From the start of a look until its verdict is out: the stream is watched for 4.5 s."""
EXTRA_S: Final = 2.0
"""The same of a look that was brought forward, which ends with the first key frame."""
TIMEOUT_S: Final = 5.0
OPTIONS_S: Final = 0.1
KEYFRAME_S: Final = 1.0
"""From the start of a session until its first key frame."""
PICTURE_S: Final = 60.0
SPARSE_S: Final = 600.0
"""Time between two looks where days are sampled sparsely: the warm-up and the days of slow faults."""
SLOW_LOOKS: Final = 15
"""Looks at the picture between two of the slow tier."""
_FPS: Final = 10.0
HEALTHY: Final = Transport(
    CameraReason.NONE,
    tcp_ms=1.0,
    options_ms=2.0,
    describe_ms=4.0,
    setup_ms=3.0,
    play_ms=3.0,
    first_packet_ms=20.0,
    first_keyframe_ms=800.0,
    frames=45,
    fps=_FPS,
    stalls=0,
    stall_max_s=0.1,
    bitrate_kbps=500.0,
    keyframe_interval_s=2.0,
    loss_pct=0.0,
    jitter_ms=1.0,
    codec="h264",
)
KEYFRAME: Final = replace(HEALTHY, frames=1, fps=None, stalls=None, bitrate_kbps=None)
"""What a session brings that ends with its first key frame."""
REACHED: Final = Transport(CameraReason.NONE, tcp_ms=1.0, options_ms=2.0)
UNREACHABLE: Final = Transport(CameraReason.TIMEOUT, "no answer within 5 s")
SILENT: Final = Transport(
    CameraReason.NO_MEDIA, "no packet within 4.5 s", 1.0, 2.0, 4.0, 3.0, 3.0, frames=0, codec="h264"
)
HIDING: Final = frozenset({"truck"})
"""Benign events that stand before the view: nobody accepts it then."""


Zones = Sequence[Sequence[tuple[float, float]]]


class Judge(Protocol):
    """What the bench asks of `CameraHealth`; a spoilt one must be found out."""

    def reached(self, transport: Transport, now_s: float) -> Assessment: ...
    def saw(
        self,
        transport: Transport,
        picture: Picture | None,
        now_s: float,
        *,
        fingerprint: int | None = None,
        corrupt: bool = False,
    ) -> Assessment: ...
    def accept(self, clean: bool) -> str: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """A look and what was made of it. `time_s`: when the verdict was out; `truth`: None if no picture came."""

    time_s: float
    verdict: Verdict
    metrics: Mapping[str, float]
    truth: Truth | None
    naive: CameraReason | None
    """What fixed thresholds say of the picture."""
    seen_s: float
    """When its picture was taken."""

    @property
    def alarm(self) -> CameraReason | None:
        """The reason if somebody is told of a trouble now."""
        told = self.verdict.state in (CameraState.DEGRADED, CameraState.DOWN)
        return self.verdict.reason if told else None


@dataclass(slots=True)
class Costs:
    """Processor time of the judgement alone, and how many pictures it looked at."""

    cpu_s: float = 0.0
    pictures: int = 0


@dataclass(slots=True)
class Camera:
    """A camera whose scene and faults are simulated, looked at when production's `Tiers` say so."""

    judge: Judge
    scene: Spoilable
    seed: int
    picture_s: float = PICTURE_S
    now_s: float = 0.0
    lost: bool = False
    event: Event | None = None
    shown: Scene | None = None
    costs: Costs = field(default_factory=Costs)
    naive: Naive = field(default_factory=Naive)

    def samples(self, until_s: float, events: Sequence[Event]) -> Iterator[Sample]:
        """Look until `until_s`, with `events` happening; repairs are acknowledged as an operator does."""
        rng = random.Random(f"tiers/{self.seed}/{self.now_s}")
        tiers = Tiers(picture_s=self.picture_s, slow_s=SLOW_LOOKS * self.picture_s, rng=rng)
        operator = Operator(self.judge, events)
        while (began_s := self.now_s + tiers.next_in_s(self.now_s)) < until_s:
            event = next((each for each in events if each.active(began_s + KEYFRAME_S)), None)
            sample = self._looked(tiers, began_s, event)
            self.now_s = sample.time_s
            operator.sees(sample)
            yield sample

    def _looked(self, tiers: Tiers, began_s: float, event: Event | None) -> Sample:
        """Do what is due, as the agent's driver does it."""
        tier, fault, was_lost = tiers.due(began_s), event.fault if event else None, self.lost
        self.lost = fault is LinkFault.UNREACHABLE
        if self.lost:
            sample = self._reached(UNREACHABLE, began_s + TIMEOUT_S)
        elif tier is not Tier.PICTURE:
            sample = self._reached(REACHED, began_s + OPTIONS_S)
        elif fault is LinkFault.SILENT:
            sample = _blind(self.judge.saw(SILENT, None, began_s + SESSION_S), began_s + SESSION_S)
        else:
            sample = self._seen(began_s, tiers.is_extra(began_s), event)
        tiers.done(tier, began_s, sample.verdict.suspicious)
        if was_lost and not self.lost and tier is not Tier.PICTURE:
            tiers.hurry(began_s)
        return sample

    def _reached(self, transport: Transport, time_s: float) -> Sample:
        return _blind(self.judge.reached(transport, time_s), time_s)

    def _seen(self, began_s: float, extra: bool, event: Event | None) -> Sample:
        if event is not self.event:
            self.event, self.shown = event, shown(self.scene, event)
        seen = (self.shown or self.scene).at(began_s + KEYFRAME_S)
        time_s, cpu_s = began_s + (EXTRA_S if extra else SESSION_S), time.process_time()
        transport, fingerprint = KEYFRAME if extra else HEALTHY, zlib.crc32(seen.i420.tobytes())
        judged = self.judge.saw(transport, seen.i420, time_s, fingerprint=fingerprint)
        self.costs.cpu_s += time.process_time() - cpu_s
        self.costs.pictures += 1
        return Sample(
            time_s, judged.verdict, judged.metrics, seen.truth, self.naive.judge(seen.i420), began_s + KEYFRAME_S
        )


def _blind(judged: Assessment, time_s: float) -> Sample:
    """A look that brought no picture."""
    return Sample(time_s, judged.verdict, judged.metrics, None, None, time_s)


def shown(scene: Spoilable, event: Event | None) -> Scene:
    """What the camera sees while `event` happens."""
    if event is None or not isinstance(event.fault, PictureFault):
        return scene
    return spoiled(scene, event.fault, event.start_s, event.seed, event.end_s)


class Operator:
    """The person at the wall: accepts the view after a repair that turned the camera, and where an alarm stays."""

    def __init__(self, judge: Judge, events: Sequence[Event]) -> None:
        self._judge = judge
        self._turned = [event.end_s for event in events if event.fault is PictureFault.MOVED]
        self._repaired = [event.end_s + GRACE_S for event in events]

    def sees(self, sample: Sample) -> None:
        """Look at one sample; `accept` only what shows the view: a picture without anything in front of it."""
        if sample.truth is None or HIDING & sample.truth.benign:
            return
        if self._is_due(self._turned, sample) or (self._is_due(self._repaired, sample) and sample.alarm):
            with contextlib.suppress(NothingToAccept):
                self._judge.accept(False)

    @staticmethod
    def _is_due(times_s: list[float], sample: Sample) -> bool:
        due = [time_s for time_s in times_s if time_s < sample.time_s - SESSION_S]
        del times_s[: len(due)]
        return bool(due)
