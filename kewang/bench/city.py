"""A small city on this machine: broker, database, boards, agents and gateway as processes, in one temporary folder.

    with City(CityPlan(devices)) as city:
        city.edges["mardika-1"].kill9()
        ...
        truth = city.truth()

Nothing outlives the block, nor us.
"""

import json
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from edge.settings import Profile
from firmware_sim.journal import read_journal
from firmware_sim.layout import map_file
from kewang.bench.cameras_served import CamerasProgram, painted_cameras
from kewang.bench.disk import SmallDisk
from kewang.bench.guard import Guard
from kewang.bench.houses import House, InfluxHouse, SqliteHouse
from kewang.bench.keeper import PlacementKeeper
from kewang.bench.link import Line, Links
from kewang.bench.parts import Amqtt, Broker, Mosquitto
from kewang.bench.process import READY_LIMIT_S, MissingPart, Part, find_program, wait_for
from kewang.bench.programs import Attached, BoardsProgram, EdgeProgram, GatewayProgram
from kewang.bench.stored import outbox_dropped, outbox_open, outbox_rows, outbox_stored
from kewang.bench.truth import COMMIT_MS, Ending, Evidence, Series, Truth, compare
from kewang.runtime import extras

SOURCE: Final = "env-1"
CAMERA: Final = "cam-1"
CAMERA_PACE: Final = {"reach_s": 2.0, "picture_s": 3.0, "suspicion_s": 2.0, "watch_s": 1.5}
"""A camera is looked at twenty times as often as in the field, for who watches has little time."""
_ZONE: Final = [[0.05, 0.95], [0.3, 0.55], [0.75, 0.55], [0.98, 0.95]]
_RULES: Final = "[water-level]\nfrom = 300.0\nclear = 280.0\ncritical_from = 320.0\n"
"""Every gauge has its own zero, ours too."""
_CAMERA_FPS: Final = 4.0
_CAMERA_HOUR: Final = 10.0


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the city. `board`: map of the board it reads, empty for the box alone."""

    name: str
    board: str = ""
    placement: Mapping[str, Any] = field(default_factory=dict)
    clock: str = "trusted"
    camera: bool = False
    """Whether it watches a camera: markets and streets in turn."""
    small_disk: bool = False
    """Its outbox is on a disk of a few MB, where this machine lets us make one."""


@dataclass(frozen=True, slots=True)
class CityPlan:
    """What the city is made of. `faster` divides the protocol's waiting times."""

    devices: tuple[Device, ...]
    store: str = "sqlite"
    broker: str | None = None
    """`mosquitto` or `amqtt`; None: Mosquitto where it is found, else amqtt."""
    page_port: int | None = None
    language: str = "id"
    faster: float = 1.0
    interval_s: float = 1.0
    profile: Profile = "wired"
    """Of every outbox; how often it commits `flush_s` says."""
    flush_s: float = 2.0
    box_interval_s: float = 10.0
    budget_mb: float = 64
    keepalive_s: int = 30
    linked: bool = False
    """Each agent has a link to the broker that can be cut."""
    notify: str = ""
    """Settings of notices (notify.toml); empty: incidents are on the page alone."""
    watch: Mapping[str, Any] = field(default_factory=dict)
    """More of the gateway's section `[incidents]`."""
    seed: int = 1
    board_faults: str = "none"
    sabotage: str | None = None
    processes: int = 1
    """Ingest processes of the gateway."""


class City:
    """The processes of a plan: `start`, hurt them, `drain`, then `truth`; `close` ends all and removes the folder.

    Making one raises MissingPart before anything is written.
    """

    edge_class: type[EdgeProgram] = EdgeProgram

    def __init__(self, plan: CityPlan, folder: Path | None = None) -> None:
        self.plan = plan
        self._make_broker = broker_of(plan)
        if plan.store == "influxd":
            find_program("influxd")
        self.folder = folder or Path(tempfile.mkdtemp(prefix="kewang-"))
        self.guard = Guard(self.folder)
        self.started_s, self._looked_ms = time.monotonic(), 0
        self.endings: list[Ending] = []
        self.off: set[str] = set()
        """Agents that are cut off."""
        self.excused: dict[Series, set[int]] = defaultdict(set)
        self.broker = self._broker()
        self.house: House = (InfluxHouse if plan.store == "influxd" else SqliteHouse)(self.folder / "store")
        self.database = self.house.database
        self.links = Links([device.name for device in plan.devices], self.broker.port) if plan.linked else None
        self.boards = self._boards()
        self.cameras = self._cameras()
        self.gateway = self._gateway()
        self.edges = {device.name: self._edge(device) for device in plan.devices}
        self._keeper = PlacementKeeper(self.broker.port, self._write_placements())
        self.disks = {device.name: self._small_disk(device.name) for device in plan.devices if device.small_disk}
        for part in self.parts():
            part.guard = self.guard

    def parts(self) -> list[Part]:
        """Every process of the city."""
        maybe = filter(None, [self.house.part, self.cameras])
        return [self.broker, *maybe, self.boards, self.gateway, *self.edges.values()]

    def start(self) -> None:
        """Start everything. Raises MissingPart, PartFailed, TimeoutError."""
        self.start_server()
        self._at_once(self.edges.values())

    def start_server(self) -> None:
        """Start everything but the agents. Raises MissingPart, PartFailed, TimeoutError."""
        self.started_s, self._looked_ms = time.monotonic(), time.time_ns() // 1_000_000
        self._at_once(filter(None, [self.broker, self.house.part, self.boards, self.cameras, self.gateway]))
        self._place()
        # A gateway that listens already answers each agent's birth; else they would wait for their next heartbeat.
        wait_for(lambda: self.gateway.get("/ready") is not None, READY_LIMIT_S)

    def _place(self) -> None:
        """Let the gateway know where the devices are. Broker and gateway run, the agents do not yet."""
        if any(device.placement for device in self.plan.devices):
            self._keeper.start()

    def _at_once(self, parts: Iterable[Part]) -> None:
        with ThreadPoolExecutor(16, "start") as pool:
            for started in [pool.submit(part.start) for part in parts]:
                started.result()

    def close(self, *, keep_folder: bool = False) -> None:
        """Stop everything, the agents first, and remove the folder."""
        self._keeper.stop()
        with ThreadPoolExecutor(16, "stop") as pool:
            list(pool.map(Part.stop, self.edges.values()))
        for part in (self.gateway, self.boards, self.cameras, self.house.part, self.broker):
            if part is not None:
                part.stop()
        if self.links:
            self.links.close()
        self._close_disks()
        self.guard.close()
        if not keep_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _close_disks(self) -> None:
        """All programs have ended."""
        for disk in self.disks.values():
            disk.close()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def cut(self, names: Iterable[str], cut: bool) -> None:
        """Take these agents their connection, or give it back. Without links they stand still as long (SIGSTOP)."""
        for name in names:
            (self.off.add if cut else self.off.discard)(name)
            if self.links:
                self.links.switch(name, Line.CUT if cut else Line.UP)
            elif cut:
                self.edges[name].freeze()
            else:
                self.edges[name].thaw()

    def end_edge(self, name: str, *, kill: bool) -> None:
        """Kill an agent, or stop it by SIGTERM; either is written down, for what it could not commit."""
        edge = self.edges[name]
        if edge.is_running:
            began_ms = self.now_ms()
            edge.kill9() if kill else edge.stop()
            self.endings.append(Ending(name, began_ms, self.now_ms(), kill))

    def now_ms(self) -> int:
        """Unix ms by the clock of the boards' journals."""
        return time.time_ns() // 1_000_000

    def revive(self) -> list[Part]:
        """Start again what was ended by others, as systemd would; which. What an agent could not keep is written down.

        Call it often: an agent may have ended at any time since the call before.
        """
        before_ms, self._looked_ms = self._looked_ms, time.time_ns() // 1_000_000
        ended = [part for part in self.parts() if part.was_ended]
        names = (name for name, edge in self.edges.items() if edge in ended)
        self.endings += [Ending(name, before_ms, self._looked_ms, True) for name in names]
        for part in ended:
            part.start()
        return ended

    def destroy_outbox(self, name: str) -> None:
        """Wipe a killed agent: what only its outbox held is excused."""
        edge = self.edges[name]
        for row in outbox_rows(edge.outbox):
            self.excused[name, row.source].add(row.number)
        edge.wipe()

    def journals(self) -> dict[Series, Path]:
        """Each board's journal, by who reads it."""
        return {(name, SOURCE): self.boards.journal(index) for index, name in enumerate(self.with_board)}

    def last_given(self, name: str) -> int:
        """The running number of the last reading that this device's board gave out."""
        return max((given.number for given in read_journal(self.journals()[name, SOURCE])), default=0)

    @property
    def with_board(self) -> list[str]:
        """Devices that read a board, in the boards' order."""
        return [device.name for device in self.plan.devices if device.board]

    @property
    def with_camera(self) -> list[str]:
        """Devices that watch a camera, in the cameras' order."""
        return [device.name for device in self.plan.devices if device.camera]

    def camera_readings(self) -> dict[str, tuple[int, int]]:
        """Device -> camera readings in the database, and how many its outbox calls stored. The agents must be stopped.

        A camera keeps no journal, so this is no proof about the camera: only that what a gateway called stored is.
        """
        return {
            name: (self.database.count("cam", name), outbox_stored(self.edges[name].outbox, "cam"))
            for name in self.with_camera
        }

    def open_rows(self) -> int:
        """Rows of boards that wait in outboxes now; -1 if one of them can't be read."""
        opened = [outbox_open(self.edges[name].outbox) for name in self.with_board]
        return -1 if -1 in opened else sum(opened)

    def drain(self, limit_s: float) -> bool:
        """Let no board give out more and wait until the outboxes wait for nothing; whether they got there in time.

        A heartbeat more, so that the last readings are tallied in the database too: with `card` it waits for the next
        commit, as they did.
        """
        self.boards.hush()
        flushes = 2 if self.plan.profile == "card" else 1
        quiet_s = time.monotonic() + flushes * self.plan.flush_s + self.plan.box_interval_s + COMMIT_MS / 1000
        try:
            wait_for(lambda: time.monotonic() > quiet_s and self.open_rows() == 0, limit_s)
        except TimeoutError:
            return False
        return True

    def stop_edges(self) -> None:
        """Stop all agents by SIGTERM."""
        with ThreadPoolExecutor(16, "stop") as pool:
            list(pool.map(lambda name: self.end_edge(name, kill=False), self.edges))

    def truth(self, well_dated: frozenset[str] = frozenset(), flush_s: float | None = None) -> dict[Series, Truth]:
        """Of each board: its journal against database and outbox. The agents must be stopped, the database running.

        `flush_s`: how long a reading may be in memory only, if a busy machine makes that longer than planned.
        """
        held = {name: outbox_rows(edge.outbox) for name, edge in self.edges.items()}
        return compare(
            Evidence(
                journals=self.journals(),
                points=self.database.points(),
                held=held,
                dropped=self._dropped(),
                endings=self.endings,
                excused=self.excused,
                flush_s=self.plan.flush_s if flush_s is None else flush_s,
                well_dated=well_dated,
            )
        )

    def _dropped(self) -> dict[Series, int]:
        """What each device declared as dropped: in its outbox, or in a heartbeat of an outbox since destroyed."""
        highest = self.database.dropped()
        for name, edge in self.edges.items():
            for cell, dropped in outbox_dropped(edge.outbox, name).items():
                highest[cell] = max(highest.get(cell, 0), dropped)
        declared: dict[Series, int] = defaultdict(int)
        for (device, source, _, _), dropped in highest.items():
            declared[device, source] += dropped
        return declared

    def _broker(self) -> Broker:
        return self._make_broker(self.folder / "broker")

    def _incidents(self) -> dict[str, Any]:
        """Section `[incidents]` of the gateway, its files written."""
        rules, notify = self.folder / "rules.toml", self.folder / "notify.toml"
        rules.write_text(_RULES)
        notify.write_text(self.plan.notify)
        files = {"folder": str(self.folder / "incidents"), "rules": str(rules), "notify": str(notify)}
        # How full the disk of this machine is, is no trouble of the city's.
        return {**files, "own": {"disk_pct": 100.0}, **self.plan.watch}

    def _gateway(self) -> GatewayProgram:
        return GatewayProgram(
            self.folder / "gateway",
            self.broker.port,
            self.house.url,
            port=self.plan.page_port,
            faster=self.plan.faster,
            language=self.plan.language,
            sabotage=self.plan.sabotage,
            processes=self.plan.processes,
            incidents=self._incidents(),
        )

    def _boards(self) -> BoardsProgram:
        maps = [device.board for device in self.plan.devices if device.board]
        return BoardsProgram(self.folder / "boards", maps, seed=self.plan.seed, faults=self.plan.board_faults)

    def _cameras(self) -> CamerasProgram | None:
        if not self.with_camera:
            return None
        folder, plan = self.folder / "cameras", self.plan
        return painted_cameras(folder, len(self.with_camera), seed=plan.seed, hour=_CAMERA_HOUR, fps=_CAMERA_FPS)

    def _watched(self, name: str) -> list[dict[str, object]]:
        """The camera of a device, as its settings tell it."""
        if self.cameras is None or name not in self.with_camera:
            return []
        url = self.cameras.rtsp(self.with_camera.index(name))
        return [{"name": CAMERA, "url": url, "zones": [_ZONE], **CAMERA_PACE}]

    def _edge(self, device: Device) -> EdgeProgram:
        plan, attached = self.plan, []
        if device.board:
            port = self.boards.ports[self.with_board.index(device.name)]
            attached = [Attached(SOURCE, map_file(device.board), port, plan.interval_s)]
        return self.edge_class(
            self.folder / "edges" / device.name,
            device.name,
            self.links.port(device.name) if self.links else self.broker.port,
            attached,
            clock=device.clock,
            faster=plan.faster,
            profile=plan.profile,
            flush_s=plan.flush_s,
            budget_mb=plan.budget_mb,
            box_interval_s=plan.box_interval_s,
            keepalive_s=plan.keepalive_s,
            cameras=lambda: self._watched(device.name),
        )

    def _small_disk(self, name: str) -> SmallDisk:
        disk = SmallDisk(self.edges[name].data_folder)
        if disk.mounted:
            self.guard.mounted(disk.folder)
        return disk

    def _write_placements(self) -> Path:
        file = self.folder / "placements.json"
        file.write_text(json.dumps({device.name: device.placement for device in self.plan.devices if device.placement}))
        return file


def broker_of(plan: CityPlan) -> type[Broker]:
    """Mosquitto where it is found, else amqtt; or what the plan names. Raises MissingPart, MissingExtra."""
    if plan.broker != "amqtt":
        try:
            find_program("mosquitto")
            return Mosquitto
        except MissingPart:
            if plan.broker == "mosquitto":
                raise
    extras.check("demo")
    return Amqtt
