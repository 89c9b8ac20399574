"""What happens to the demo's city while it runs; `turn` of each is called again and again."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from edge.status import NotRunning, ask, socket_path
from firmware_sim.faults import Fault
from kewang.bench.city import CAMERA, City
from kewang.bench.process import Part
from kewang.bench.says import _
from kewang.wire.command import ACCEPT_VIEW

Say = Callable[..., None]
"""Called with a text and the names to fill in: see Says."""

_FAULT_EVERY_S: Final = 40.0
_FAULT_FROM_S: Final = 3.0
_FAULT_LENGTH_S: Final = 2.0
_ACCEPT_FROM_S: Final = 10.0
_ACCEPT_AGAIN_S: Final = 5.0
_BLACK_FROM_S: Final = 60.0
_BLACK_LENGTH_S: Final = 120.0
_WELL_LENGTH_S: Final = 180.0
_BLACK: Final = _("The picture of the camera of %(device)s goes black: its card says so within half a minute.")
_WELL: Final = _("The picture of the camera of %(device)s is well again.")
_KILL_EVERY_S: Final = 6.0
_DOWN_S: Final = 2.0


class Misbehaviour:
    """The first board says impossible values now and then: they go to quarantine, and the page shows why."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._next_s = time.monotonic() + _FAULT_FROM_S
        self._wrong = False

    def turn(self, now_s: float) -> None:
        """Begin or end a spell if it is time."""
        if now_s < self._next_s:
            return
        self._wrong = not self._wrong
        self._city.boards.switch(0, Fault.OUT_OF_RANGE if self._wrong else None)
        self._next_s = now_s + (_FAULT_LENGTH_S if self._wrong else _FAULT_EVERY_S)


class Technician:
    """Accepts the view of each camera, as a person does who has just put it up: else it would learn for a while."""

    def __init__(self, city: City, say: Say) -> None:
        self._city, self._say = city, say
        self._open = set(city.with_camera)
        self._next_s = time.monotonic() + _ACCEPT_FROM_S

    def turn(self, now_s: float) -> None:
        """Accept what is not accepted yet, if it is time. A camera without a picture is tried again."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + _ACCEPT_AGAIN_S
        for device in sorted(self._open - self._city.off):
            with suppress(NotRunning):
                args = {"source": CAMERA, "clean": True}
                if ask(socket_path(self._city.edges[device].outbox), {"do": ACCEPT_VIEW, "args": args})["ok"]:
                    self._open.discard(device)
                    self._say(_("A technician accepts the view of the camera of %(device)s."), device=device)


class Blackout:
    """The last camera's picture goes black after a minute, and comes back: the page says so within half a minute."""

    def __init__(self, city: City, say: Say) -> None:
        self._city, self._say = city, say
        self._next_s = time.monotonic() + _BLACK_FROM_S
        self._black = False

    def turn(self, now_s: float) -> None:
        """Begin or end it if it is time."""
        cameras = self._city.cameras
        if cameras is None or now_s < self._next_s:
            return
        self._black = not self._black
        cameras.switch(cameras.count - 1, "black" if self._black else None)
        self._say(_BLACK if self._black else _WELL, device=self._city.with_camera[-1])
        self._next_s = now_s + (_BLACK_LENGTH_S if self._black else _WELL_LENGTH_S)


class Caretaker:
    """Starts again what somebody else has ended, as systemd does in a city."""

    def __init__(self, city: City, say: Say) -> None:
        self._city, self._say = city, say

    def turn(self, _now_s: float) -> None:
        """Look."""
        for part in self._city.revive():
            self._say(_("%(part)s was ended from outside and is started again"), part=_name(part))


class Killer:
    """Kills one part after the other while you watch, and starts it again."""

    def __init__(self, city: City, rng: random.Random, say: Say) -> None:
        self._city, self._rng, self._say = city, rng, say
        self._next_s = time.monotonic() + _KILL_EVERY_S
        self._down: Part | None = None

    def turn(self, now_s: float) -> None:
        """Kill, or start again, if it is time."""
        if now_s < self._next_s:
            return
        down, self._down = self._down, None
        if down is None:
            self._down = self._kill()
            self._next_s = time.monotonic() + _DOWN_S
        else:
            down.start()
            self._say(_("%(part)s is back"), part=_name(down))
            self._next_s = time.monotonic() + _KILL_EVERY_S - _DOWN_S

    def _kill(self) -> Part:
        city = self._city
        kinds = [city.broker, city.gateway, *filter(None, [city.house.part]), *city.edges.values()]
        part = self._rng.choice(kinds)
        self._say("kill -9: %(part)s", part=_name(part))
        if part.name == "edge":
            city.end_edge(_name(part), kill=True)
        else:
            part.kill9()
        return part


def _name(part: Part) -> str:
    return str(getattr(part, "device", part.name))
