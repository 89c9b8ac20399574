"""One simulated camera: its settings, its faults, its stream and what it did. The protocols hang on it."""

import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from firmware_sim.cameras.auth import AuthKind, Door
from firmware_sim.cameras.codecs import CLOCK_HZ, Codec, parameter_sets
from firmware_sim.cameras.faults import CameraFaults, Switched, TransportFault
from firmware_sim.cameras.film import Film, Live, Loop, Paints, Take
from firmware_sim.cameras.pattern import Pattern
from firmware_sim.cameras.session import Session
from firmware_sim.cameras.stream import Stream
from firmware_sim.cameras.tally import Ending, Tally

AMBON_OFFSET_S: Final = 9 * 3600
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """What a camera is like. `scene` makes what it sees, of a width and height."""

    scene: Callable[[int, int], Paints] = Pattern
    seed: int = 1
    codec: Codec = Codec.H264
    width: int = 640
    height: int = 360
    fps: float = 10.0
    keyframe_interval_s: float = 1.0
    loop_s: float = 0.0
    """Length of the clip that is repeated; 0 = live."""
    midnight_s: float | None = None
    """None: as late as it is in Ambon now."""
    path: str = "/stream"
    auth: AuthKind = AuthKind.NONE
    user: str = "admin"
    password: str = field(default="", repr=False)
    max_sessions: int = 8
    session_timeout_s: float = 60.0
    lingers: bool = False
    """A session over TCP outlives its connection until its time is up, as with old cameras."""
    absolute_control: bool = False
    """Tracks are named by whole URLs."""

    def take(self) -> Take:
        """How its scene is filmed."""
        late_s = self.midnight_s if self.midnight_s is not None else (time.time() + AMBON_OFFSET_S) % DAY_S
        size = (self.width, self.height)
        return Take(self.scene, self.seed, self.codec, *size, self.fps, self.keyframe_interval_s, late_s)

    def film(self) -> Film:
        """Its film: live or a loop."""
        take = self.take()
        return Loop(take, self.loop_s) if self.loop_s else Live(take)


class Camera:
    """A camera that can be watched. `rtsp_port` and `http_port` are set when it listens."""

    def __init__(
        self,
        settings: CameraSettings,
        executor: Executor,
        *,
        faults: CameraFaults | None = None,
        film: Film | None = None,
    ) -> None:
        self.settings = settings
        self.executor = executor
        self.film = film or settings.film()
        self.tally = Tally()
        self.door = Door(settings.auth, settings.user, settings.password)
        self.sessions: dict[str, Session] = {}
        self.rtsp_port = self.http_port = 0
        self.is_listening = False
        self.booted_s = time.time()
        """Unix seconds, by the right clock."""
        self._plan = faults or CameraFaults()
        self._start_s = time.monotonic()
        self.stream = self._stream()

    def _stream(self) -> Stream:
        told = self.settings
        return Stream(
            self.film,
            told.codec,
            told.fps,
            faults=self.faults,
            age_s=self.age_s,
            tally=self.tally,
            executor=self.executor,
        )

    def age_s(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self._start_s

    def faults(self) -> Switched:
        """The faults that hold now."""
        return self._plan.at(self.age_s())

    def clock_s(self) -> float:
        """The time its own clock shows, Unix seconds."""
        return time.time() + self.faults().value(TransportFault.WRONG_CLOCK)

    def rtsp_url(self, host: str = "127.0.0.1") -> str:
        """Its stream, without a password."""
        return f"rtsp://{host}:{self.rtsp_port}{self.settings.path}"

    def http_url(self, path: str, host: str = "127.0.0.1") -> str:
        """A path on its HTTP port: /stream.mjpeg, /snapshot.jpg."""
        return f"http://{host}:{self.http_port}{path}"

    @cached_property
    def parameters(self) -> tuple[bytes, ...]:
        """The parameter sets of its stream. Blocking the first time."""
        told = self.settings
        return parameter_sets(told.codec, told.width, told.height, told.fps)

    @property
    def is_full(self) -> bool:
        """Whether it takes no more sessions."""
        return len(self.sessions) >= self.settings.max_sessions

    def open_session(self) -> Session:
        """A new session."""
        session = Session(self.faults, self.clock_s, self.settings.seed, self.tally.opened)
        self.sessions[session.id] = session
        self.tally.session_opened(session.tally)
        return session

    def close_session(self, session: Session, ending: Ending) -> None:
        """End a session; a second time changes nothing."""
        self.stream.leave(session)
        if self.sessions.pop(session.id, None) is not None:
            self.tally.session_closed(session.tally, ending)
            if session.wire is not None:
                session.wire.close()

    def expire(self) -> None:
        """End the sessions of which nothing was heard for too long."""
        too_old_s = time.monotonic() - self.settings.session_timeout_s
        for session in [each for each in self.sessions.values() if each.alive_s < too_old_s]:
            self.close_session(session, "timeout")

    async def stop(self) -> None:
        """End every session and the stream."""
        for session in list(self.sessions.values()):
            self.close_session(session, "stopped")
        await self.stream.stop()

    def statistics(self) -> dict[str, Any]:
        """What it did and how it is set, as JSON."""
        told = self.settings
        fps = self.faults().value(TransportFault.SLOW_FPS, told.fps)
        return {
            **self.tally.as_json(),
            "faults": str(self.faults()),
            "codec": told.codec,
            "fps_set": fps,
            "keyframe_interval_set_s": told.take().group / fps,
            "clock_offset_s": self.faults().value(TransportFault.WRONG_CLOCK),
            "ticks_hz": CLOCK_HZ,
        }
