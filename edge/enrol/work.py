"""What `kewang edge enrol` does: everything that is due, once, or until the box has its certificate."""

import fcntl
import json
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from edge.enrol.asking import Conversation
from edge.enrol.box import Box
from edge.enrol.errors import Refusing, Unreachable, Unusable
from edge.enrolled import BoxState
from edge.enrolment_settings import EnrolmentSettings

log = logging.getLogger(__name__)

SOON_S: Final = 2.0
LATER_S: Final = 15.0
LATEST_S: Final = 300.0
_SOON_UNTIL_S: Final = 600.0
_LATER_UNTIL_S: Final = 3600.0
_LOCK: Final = ".lock"


@dataclass(frozen=True, slots=True)
class Report:
    """What a pass came to; one JSON object on standard output, for the agent. `trouble`: why it was not all done."""

    device: str
    state: str
    maintenance: bool = False
    thumbnails: tuple[str, ...] = ()
    renewed: bool = False
    changed: bool = False
    trouble: str = ""
    code: str = ""

    def json(self) -> str:
        """On one line."""
        return json.dumps(asdict(self))


@dataclass(slots=True)
class Patience:
    """How long to wait between two tries: 2 s in the first ten minutes, 15 s in the first hour, then 5 min."""

    monotonic_s: Callable[[], float] = time.monotonic
    rng: random.Random = field(default_factory=random.Random)
    began_s: float | None = None

    def wait_s(self, wanted_s: float | None = None) -> float:
        """Seconds, +- 20 %. `wanted_s`: what the office asks for; it counts if it is longer."""
        now_s = self.monotonic_s()
        self.began_s = now_s if self.began_s is None else self.began_s
        waited_s = now_s - self.began_s
        own_s = SOON_S if waited_s < _SOON_UNTIL_S else LATER_S if waited_s < _LATER_UNTIL_S else LATEST_S
        return max(own_s, wanted_s or 0.0) * self.rng.uniform(0.8, 1.2)


Talk = Callable[[], Conversation]


def talk(settings: EnrolmentSettings, box: Box) -> Conversation:
    """The way to the office."""
    return Conversation(settings.url, box.roots(settings.ca_file))


def once(box: Box, conversation: Talk) -> Report:
    """Enrol, renew and ask for the sources, whatever is due. What goes wrong is in the report."""
    was = box.identity.state
    try:
        with alone(box.folder), conversation() as office:
            pending = None if box.identity.enrolled else box.enrol(office)
            renewed = pending is None and box.is_due(office.now_ms())
            if renewed:
                box.renew(office)
            changed = pending is None and box.configure(office)
        trouble, code = "", ""
    except Refusing as error:
        box.refused(error)
        trouble, code = error.text, error.code
        renewed, changed = box.identity.state.serial != was.serial, False
    except (Unreachable, Unusable) as error:
        trouble, code = str(error), ""
        renewed, changed = box.identity.state.serial != was.serial, False
    return report(box, renewed=renewed, changed=changed or _moved(was, box), trouble=trouble, code=code)


def report(box: Box, *, renewed: bool = False, changed: bool = False, trouble: str = "", code: str = "") -> Report:
    """How the box stands now."""
    state = box.identity.state
    return Report(box.device, state.state, state.maintenance, state.thumbnails, renewed, changed, trouble, code)


def _moved(was: BoxState, box: Box) -> bool:
    """Whether the broker is somewhere else than before."""
    now = box.identity.state
    return was.broker_host != "" and (was.broker_host, was.broker_port) != (now.broker_host, now.broker_port)


def until_enrolled(
    box: Box, conversation: Talk, sleep: Callable[[float], None] = time.sleep, patience: Patience | None = None
) -> None:
    """Ask again and again until the box has a certificate. Trouble is logged when it is new."""
    patience = patience or Patience()
    told = ""
    while not box.identity.enrolled:
        wanted_s: float | None = None
        try:
            with alone(box.folder), conversation() as office:
                pending = box.enrol(office)
                if pending is None:
                    # In the same breath: else the agent begins without sources, and anew a moment later.
                    box.configure(office)
            said = "waiting for the office or a technician to approve this box" if pending else ""
            wanted_s = pending.again_s if pending else None
        except Refusing as error:
            box.refused(error)
            said, wanted_s = str(error), error.retry_s
        except (Unreachable, Unusable) as error:
            said = str(error)
        if said and said != told:
            log.warning("%s: %s", box.device, said)
        told = said
        if not box.identity.enrolled:
            sleep(patience.wait_s(wanted_s))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait for any other process that works on this identity."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / _LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
