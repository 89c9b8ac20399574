"""Our own programs as parts: the gateway, the agents and the simulated boards, each run as anybody would run it."""

import contextlib
import http.client
import json
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_sim.faults import Fault, switch
from kewang.bench.process import Part, PartFailed, free_port, free_ports

HOST = "127.0.0.1"
SILENT_S = 90.0
_PROBE_TIMEOUT_S = 2.0


class GatewayProgram(Part):
    """`kewang gateway run`. It keeps nothing: wiping it forgets nothing that matters.

    `sabotage` runs the bench's own spoilt gateway instead (kewang.bench.sabotaged).
    """

    name = "gateway"
    clock = "trusted"

    def __init__(
        self,
        folder: Path,
        broker_port: int,
        store_url: str,
        *,
        port: int | None = None,
        faster: float = 1.0,
        language: str = "id",
        sabotage: str | None = None,
        incidents: Mapping[str, Any] | None = None,
        processes: int = 1,
    ) -> None:
        super().__init__(folder)
        self.processes = processes
        self.broker_port, self.store_url, self.sabotage = broker_port, store_url, sabotage
        self.incidents = incidents
        self.port = port or free_port()
        self.faster, self.language = faster, language
        self.config = folder / "gateway.toml"

    @property
    def page(self) -> str:
        """Address of the live page."""
        return f"http://{HOST}:{self.port}/"

    def values(self) -> dict[str, Any]:
        """What the settings file says."""
        return {
            "id": "gw-city",
            "clock": self.clock,
            **({"ingest_processes": self.processes} if self.processes > 1 else {}),
            "broker": {"host": HOST, "port": self.broker_port},
            "store": {"url": self.store_url},
            "console": {"host": HOST, "port": self.port, "language": self.language, "silent_s": self._silent_s()},
            "timers": {"faster": self.faster},
            **({"incidents": dict(self.incidents)} if self.incidents else {}),
        }

    def _silent_s(self) -> float:
        """A device is called silent as much sooner as the watch is quicker."""
        return max(1.0, SILENT_S / self.faster)

    def write_config(self) -> Path:
        """The settings file, written anew."""
        self.config.write_text(toml_of(self.values()))
        return self.config

    def command(self) -> Sequence[str]:
        config = str(self.write_config())
        if self.sabotage:
            return [sys.executable, "-m", "kewang.bench.sabotaged", self.sabotage, config]
        return [sys.executable, "-m", "kewang", "gateway", "run", "-c", config]

    def is_ready(self) -> bool:
        return self.get("/health") is not None

    def get(self, path: str) -> bytes | None:
        """What the console answers with 200; None for anything else."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=_PROBE_TIMEOUT_S)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.read() if answer.status == http.client.OK else None
        return None


@dataclass(frozen=True, slots=True)
class Attached:
    """A board attached to a device as one of its sources."""

    source: str
    map_file: Path
    port: int
    interval_s: float


class EdgeProgram(Part):
    """`kewang edge run` of one device. Its outbox is its data; the settings may be changed between two starts."""

    name = "edge"

    def __init__(
        self,
        folder: Path,
        device: str,
        broker_port: int,
        attached: Sequence[Attached] = (),
        *,
        clock: str = "trusted",
        faster: float = 1.0,
        profile: str = "wired",
        flush_s: float = 10.0,
        budget_mb: float = 512,
        box_interval_s: float = 30.0,
        keepalive_s: int = 30,
        cameras: Callable[[], Sequence[Mapping[str, object]]] = tuple,
        enrolment: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(folder)
        self.enrolment = enrolment
        """Section `[enrolment]`; with it the broker is the one that the office names."""
        self.device, self.broker_port, self.attached = device, broker_port, tuple(attached)
        self.clock, self.faster, self.flush_s, self.budget_mb = clock, faster, flush_s, budget_mb
        self.profile = profile
        self.box_interval_s, self.keepalive_s = box_interval_s, keepalive_s
        self.wall_offset_ms = 0
        self.cameras = cameras
        """Gives the settings of its cameras; asked at each start, for only then it is known where they are."""

    @property
    def outbox(self) -> Path:
        """The outbox file."""
        return self.data_folder / "outbox.db"

    def write_config(self) -> Path:
        """The settings file, written anew."""
        config = self.folder / "edge.toml"
        config.write_text(
            _toml(device=self.device, clock=self.clock, wall_offset_ms=self.wall_offset_ms)
            + (_toml("enrolment", **self.enrolment) if self.enrolment else "")
            + _toml("broker", keepalive=self.keepalive_s, **self._broker())
            + _toml(
                "outbox", path=str(self.outbox), profile=self.profile, budget_mb=self.budget_mb, flush_s=self.flush_s
            )
            + _toml("timers", faster=self.faster)
            + _toml("[sources]", driver="box", interval_s=self.box_interval_s)
            + "".join(map(_source, self.attached))
            + "".join(_toml("[sources]", driver="camera", **camera) for camera in self.cameras())
        )
        return config

    def _broker(self) -> dict[str, object]:
        return {} if self.enrolment else {"host": HOST, "port": self.broker_port}

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "kewang", "edge", "run", "-c", str(self.write_config())]

    def wipe(self) -> None:
        """Forget everything; the folder itself stays, for a disk may be mounted there."""
        if self.is_running:
            raise PartFailed(f"{self.device} is running. Stop it before wiping {self.data_folder}")
        for file in self.data_folder.iterdir():
            file.unlink()

    def is_ready(self) -> bool:
        """Whether it answers on its status socket."""
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.settimeout(_PROBE_TIMEOUT_S)
            probe.connect(str(self.outbox.with_suffix(".sock")))
            return bool(probe.recv(1))
        return False


class BoardsProgram(Part):
    """`firmware_sim board`: all boards of a city in one process, each behind its own port, each with its journal."""

    name = "boards"

    def __init__(self, folder: Path, maps: Sequence[str], *, seed: int = 1, faults: str = "none") -> None:
        super().__init__(folder)
        self.maps, self.seed, self.faults = tuple(maps), seed, faults
        self.first_port = free_ports(len(maps))

    def command(self) -> Sequence[str]:
        counted = ["--boards", str(len(self.maps)), "--port", str(self.first_port), "--map", ",".join(self.maps)]
        files = ["--journal", str(self.folder / "journal.jsonl"), "--control", str(self.folder / "control.json")]
        seeded = ["--seed", str(self.seed), "--faults", self.faults]
        return [sys.executable, "-m", "firmware_sim", "board", *counted, *files, *seeded]

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            for port in self.ports:
                socket.create_connection((HOST, port), _PROBE_TIMEOUT_S).close()
            return True
        return False

    @property
    def ports(self) -> range:
        """Each board's port."""
        return range(self.first_port, self.first_port + len(self.maps))

    def journal(self, index: int) -> Path:
        """Where board `index` writes what it gave out."""
        return self.folder / self._numbered("journal", index, "jsonl")

    def switch(self, index: int, fault: Fault | None) -> None:
        """Let board `index` show `fault` from its next answer on; None: as planned."""
        switch(self.folder / self._numbered("control", index, "json"), fault)

    def hush(self) -> None:
        """From now on no board gives out a value; each answers with an error at once."""
        for index in range(len(self.maps)):
            self.switch(index, Fault.EXCEPTION)

    def _numbered(self, stem: str, index: int, ending: str) -> str:
        return f"{stem}.{ending}" if len(self.maps) == 1 else f"{stem}-{index}.{ending}"


def _source(attached: Attached) -> str:
    return _toml(
        "[sources]",
        driver="modbus-tcp",
        name=attached.source,
        host=HOST,
        port=attached.port,
        map=str(attached.map_file),
        interval_s=attached.interval_s,
        timeout_s=30,
    )


def _toml(section: str = "", /, **values: object) -> str:
    """A TOML section; JSON writes these types as TOML does."""
    head = f"\n[{section}]\n" if section else ""
    return head + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def toml_of(values: Mapping[str, Any], section: str = "") -> str:
    """Values as TOML, tables within tables as `[section.of]`; JSON writes the single values as TOML does."""
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    head = f"\n[{section}]\n" if section and plain else ""
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in plain.items())
    tables = ((key, value) for key, value in values.items() if isinstance(value, Mapping))
    return head + lines + "".join(toml_of(value, f"{section}.{key}".lstrip(".")) for key, value in tables)
