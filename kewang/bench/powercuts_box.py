"""Boxes whose power goes: the real agent on a disk that forgets, and moments at which it hurts most."""

import os
import random
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from edge.settings import PROFILES
from edge.status import NotRunning, ask, socket_path
from kewang.bench.city import SOURCE, City, CityPlan
from kewang.bench.cpu import cost
from kewang.bench.flash import fill, rewind_of
from kewang.bench.powercuts_disk import Boots, ForgetfulDisk
from kewang.bench.process import READY_LIMIT_S, PartFailed, wait_for
from kewang.bench.programs import HOST, EdgeProgram
from kewang.bench.stored import RUNNING_NUMBER, SqliteDatabase
from kewang.bench.truth import Ending

_ASK_EVERY_S: Final = 0.1
_START_POLL_S: Final = 0.01
_LOOK_S: Final = 0.0002
_STARTING_S: Final = 1.2
"""A cut within the start comes this long after it at most."""
_MOMENT_LIMIT_S: Final = 5.0
_BEFORE: Final = [f"before-{number}" for number in range(10)]
"""Sources that a box had in the weeks before."""


class Moment(StrEnum):
    """When the power goes."""

    START = "start"
    """At any time after the program began, whether it has opened its outbox or not."""
    COMMIT = "commit"
    """Up to a few ms after a write to the outbox began."""
    ACK = "ack"
    """Up to a few ms after the gateway's ack was on its way."""
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a box, from power to power. `wait_s`: before its moment is looked for; `late_s`: after it came."""

    box: str
    moment: Moment
    linked: bool
    wait_s: float
    late_s: float


def lives(seed: int, boxes: Sequence[str], count: int, flush_s: float = 1.0) -> Iterator[Life]:
    """The story of a seed: the boxes in turn, each life a few commits long. Without a link nothing is stored: what is
    lost then is lost for good."""
    rng = random.Random(f"powercuts-{seed}")
    for number in range(count):
        linked = rng.random() < 0.5
        moment = rng.choice([each for each in Moment if linked or each is not Moment.ACK])
        late_s = rng.uniform(0, _STARTING_S if moment is Moment.START else 0.005)
        wait_s = 0.0 if moment is Moment.START else rng.uniform(0.2, 2.5 * flush_s)
        yield Life(boxes[number % len(boxes)], moment, linked, wait_s, late_s)


class CutEdge(EdgeProgram):
    """The agent. It is ready as soon as it runs: its power may go before it answers. `lies`: its disk does."""

    boots: Boots
    lies = False

    def command(self) -> Sequence[str]:
        lying = [sys.executable, "-m", "kewang.bench.powercuts_lies", str(self.write_config())]
        return self.boots.command(lying if self.lies else super().command())

    def start(self) -> None:
        super().start()
        if self.pid is not None:
            _let_pass(self.pid)

    def is_ready(self) -> bool:
        return self.is_running

    def told(self) -> "Told":
        """What it says that it has committed."""
        try:
            report = ask(socket_path(self.outbox))
        except NotRunning:
            return Told()
        return _told(report)


def _let_pass(pid: int) -> None:
    """On its box an agent has the processor for itself: what else runs on this machine has to wait for it."""
    with suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, -20)
    with suppress(OSError):
        # Where the kernel shares the processor among sessions, a process's own priority counts within its session only.
        Path(f"/proc/{pid}/autogroup").write_text("-20")


@dataclass(frozen=True, slots=True)
class Told:
    """An agent's word: whether it has committed anything in this run, and the board's highest running number in that.

    0 where it can't be told: nothing yet, or a reading was lost on the way, so that numbers can't be counted back.
    """

    anything: bool = False
    number: int = 0
    dated: bool = False
    """Whether this boot has dates."""


def _told(report: Mapping[str, Any]) -> Told:
    sources = report["sources"]
    committed = {each["name"]: each["readings"] - each["pending_rows"] for each in sources}
    board = next(each for each in sources if each["name"] == SOURCE)
    known = committed[SOURCE] > 0 and not board["errors"]
    number = int(board["last"][RUNNING_NUMBER]) - board["pending_rows"] if known else 0
    return Told(any(count > 0 for count in committed.values()), number, report["clock"]["dated"])


class Acks:
    """Hears what the gateway tells each box."""

    def __init__(self, names: Sequence[str]) -> None:
        self._heard = {name: threading.Event() for name in names}

    @contextmanager
    def listening(self, broker_port: int) -> Iterator[None]:
        """While the block lasts."""
        from paho.mqtt.client import Client, MQTTMessage
        from paho.mqtt.enums import CallbackAPIVersion

        def heard(_client: Client, _data: object, message: MQTTMessage) -> None:
            self._heard[message.topic.split("/")[3]].set()

        def subscribe(*_: object) -> None:
            client.subscribe("kewang/1/+/+/a")

        client = Client(CallbackAPIVersion.VERSION2)
        client.on_connect, client.on_message = subscribe, heard
        client.connect(HOST, broker_port)
        client.loop_start()
        try:
            yield
        finally:
            client.disconnect()
            client.loop_stop()

    def wait(self, name: str) -> None:
        """For the next one to this box, for a few seconds."""
        self._heard[name].clear()
        self._heard[name].wait(_MOMENT_LIMIT_S)


class CutCity(City):
    """A city whose boxes have disks that forget. Needs `private_mounts`."""

    edge_class = CutEdge

    def __init__(self, plan: CityPlan, *, lies: bool = False) -> None:
        super().__init__(plan)
        disks = self.folder / "disks"
        disks.mkdir()
        self.boots = Boots(disks / "boot_id")
        self.forgetful = {
            name: ForgetfulDisk(disks / f"{name}.img", edge.data_folder) for name, edge in self.edges.items()
        }
        for name in self.edges:
            self.cut_edge(name).lies, self.cut_edge(name).boots = lies, self.boots
            self.guard.mounted(self.forgetful[name].folder)

    def cut_edge(self, name: str) -> CutEdge:
        """The agent of a box."""
        edge = self.edges[name]
        assert isinstance(edge, CutEdge)
        return edge

    def _close_disks(self) -> None:
        super()._close_disks()
        for disk in self.forgetful.values():
            disk.unmount()
        self.boots.close()

    def power_on(self, name: str) -> float:
        """A boot of this box: its disk is mounted, then its agent started. When that was, monotonic seconds."""
        self.forgetful[name].mount()
        self.boots.next()
        began_s = time.monotonic()
        self.edges[name].start()
        return began_s

    def power_off(self, name: str, number: int) -> None:
        """The power goes. `number`: up to which the agent has said that it has committed."""
        disk, began_ms = self.forgetful[name], time.time_ns() // 1_000_000
        self.edges[name].freeze()
        disk.cut()
        self.edges[name].kill9()
        self.endings.append(Ending(name, began_ms, time.time_ns() // 1_000_000, True, number))
        disk.unmount()

    def fill(self, name: str) -> None:
        """The ring of a new box becomes one that is full of stored batches. The gateway must run."""
        disk, edge = self.forgetful[name], self.edges[name]
        assert isinstance(self.database, SqliteDatabase)
        disk.mount()
        rewind = rewind_of(self.database, self.gateway)
        fill(edge.outbox, PROFILES[self.plan.profile], _BEFORE, rewind, self.plan.budget_mb)
        disk.unmount()

    def open_rows(self) -> int:
        """Rows that wait in outboxes now, as the agents say; -1 if one can't be asked. Nobody may read beside them."""
        try:
            reports = [ask(socket_path(edge.outbox)) for edge in self.edges.values()]
        except NotRunning:
            return -1
        return sum(int(report["outbox"]["held_rows"]) for report in reports)

    @property
    def damaged(self) -> int:
        """Outbox files that the agents set aside as damaged. All disks are mounted."""
        return sum(len(list(edge.data_folder.glob("*.damaged-[12]"))) for edge in self.edges.values())


class Power:
    """Lives the lives of a story. `starts_ms`: from the agent's start to its first commit, of all who got there;
    `starts_cpu_ms`: what the processor had to do for it.
    """

    def __init__(self, city: CutCity, acks: Acks) -> None:
        self._city, self._acks = city, acks
        self.starts_ms: list[float] = []
        self.starts_cpu_ms: list[float] = []

    def install(self, name: str, *, full: bool = False) -> None:
        """A box is dated once before it is left alone: without any date its readings would be of the year 2000. `full`:
        of stored batches of weeks before."""
        self._city.cut([name], False)
        if full:
            self._city.fill(name)
        self._city.power_on(name)
        try:
            wait_for(lambda: self._city.cut_edge(name).told().dated, READY_LIMIT_S)
        except TimeoutError:
            raise PartFailed(f"{name} is not dated:\n{self._city.edges[name].log_tail()}") from None
        self._city.end_edge(name, kill=False)
        self._city.forgetful[name].unmount()

    def live(self, life: Life) -> None:
        """From power to power. Raises PartFailed for an agent that ends by itself or commits nothing."""
        edge = self._city.cut_edge(life.box)
        self._city.cut([life.box], not life.linked)
        if life.moment is Moment.START:
            self._city.power_on(life.box)
        else:
            self.start(life.box)
        told = self._watched(edge, life.wait_s)
        if life.moment is Moment.COMMIT:
            _await_write(edge.outbox.with_name(f"{edge.outbox.name}-wal"))
        elif life.moment is Moment.ACK:
            self._acks.wait(life.box)
        time.sleep(life.late_s)
        if life.moment is Moment.START:
            told = edge.told()
        if edge.was_ended:
            raise PartFailed(f"{life.box} ended by itself:\n{edge.log_tail()}")
        self._city.power_off(life.box, told.number)

    def start(self, name: str) -> None:
        """Power, and it commits. Raises PartFailed if it does not."""
        edge, began_s = self._city.cut_edge(name), self._city.power_on(name)
        while not edge.told().anything:
            if edge.was_ended or time.monotonic() - began_s > READY_LIMIT_S:
                raise PartFailed(f"{edge.device} committed nothing within {READY_LIMIT_S:g} s:\n{edge.log_tail()}")
            time.sleep(_START_POLL_S)
        self.starts_ms.append(1000 * (time.monotonic() - began_s))
        self.starts_cpu_ms.append(1000 * cost(edge).cpu_s)

    def _watched(self, edge: CutEdge, seconds: float) -> Told:
        """Let it work so long; its last word."""
        deadline_s, told = time.monotonic() + seconds, Told()
        while (left_s := deadline_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _ASK_EVERY_S))
            told = max(told, edge.told(), key=lambda each: each.number)
        return told


def _await_write(log: Path) -> None:
    """Until the file is written to, for a few seconds at most."""
    deadline_s, before_ns = time.monotonic() + _MOMENT_LIMIT_S, log.stat().st_mtime_ns
    while log.stat().st_mtime_ns == before_ns and time.monotonic() < deadline_s:
        time.sleep(_LOOK_S)
