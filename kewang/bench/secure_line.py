"""The line with enrolled boxes: boards, agents with certificates of their own, Mosquitto that wants them, a gateway."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from edge.enrolled import Disk, Identity
from firmware_sim.layout import map_file
from kewang.bench.houses import SqliteHouse
from kewang.bench.office import OfficeHouse
from kewang.bench.parts import Mosquitto
from kewang.bench.process import Part, free_port, wait_for
from kewang.bench.programs import HOST, Attached, BoardsProgram, EdgeProgram, GatewayProgram
from kewang.bench.stored import outbox_open, outbox_rows
from kewang.bench.truth import Ending, Evidence, Truth, compare

SOURCE: Final = "env-1"
_BOARD: Final = "market-env"
_FLUSH_S: Final = 1.0
_LIMIT_S: Final = 60.0


class TwoDoors(Mosquitto):
    """Mosquitto with a plain listener on `port`, for the gateway, and one on `tls_port` for certificates of boxes."""

    def __init__(self, folder: Path, office_folder: Path) -> None:
        super().__init__(folder)
        self.tls_port = free_port()
        self._ca = office_folder / "ca"

    def command(self) -> Sequence[str]:
        words = super().command()
        with (self.folder / "mosquitto.conf").open("a") as config:
            config.write(
                f"listener {self.tls_port} {HOST}\ncafile {self._ca}/device-root.pem\ncertfile {self._ca}/broker.pem\n"
                f"keyfile {self._ca}/broker.key\nrequire_certificate true\nuse_identity_as_username true\n"
            )
        return words


class EnrolledEdge(EdgeProgram):
    """`kewang edge run` that gets certificate and broker from the office."""

    def __init__(self, folder: Path, device: str, house: OfficeHouse, attached: Sequence[Attached]) -> None:
        super().__init__(folder, device, 0, attached, faster=10, flush_s=_FLUSH_S, box_interval_s=1.0)
        self.house = house

    @property
    def identity(self) -> Path:
        """Its identity's folder."""
        return self.folder / "identity"

    def is_ready(self) -> bool:
        """Whether the office has heard of it: the agent itself answers only once somebody has approved it."""
        return Identity(self.identity, Disk()).state.state != "new" or super().is_ready()

    def write_config(self) -> Path:
        config = super().write_config()
        lines = config.read_text().split("\n[broker]\n")[1]
        rest = lines[lines.index("\n[") :]
        enrolment = f'[enrolment]\nurl = "{self.house.url}"\nca_file = "{self.house.ca_file}"\n'
        device = f'device = "{self.device}"\nclock = "{self.clock}"\n'
        config.write_text(f'{device}{enrolment}folder = "{self.identity}"\n{rest}')
        return config


class SecureLine:
    """As a context manager it runs for the length of the block. The boxes must be on the office's list by then."""

    def __init__(self, folder: Path, house: OfficeHouse, devices: Sequence[str], *, spare_boards: int = 0) -> None:
        """`spare_boards`: boards that nobody reads yet, the last ones."""
        self.house = house
        self.broker = TwoDoors(folder / "broker", house.folder)
        self.store = SqliteHouse(folder / "store")
        self.database = self.store.database
        self.gateway = GatewayProgram(folder / "gateway", self.broker.port, self.store.url, faster=10)
        self.boards = BoardsProgram(folder / "boards", [_BOARD] * (len(devices) + spare_boards))
        self.edges = {
            device: EnrolledEdge(folder / device, device, house, [Attached(SOURCE, map_file(_BOARD), port, 0.2)])
            for device, port in zip(devices, self.boards.ports, strict=False)
        }
        self.endings: list[Ending] = []

    def parts(self) -> list[Part]:
        """Everything, in the order of starting; the agents by themselves."""
        return [self.broker, self.boards, self.gateway]

    def __enter__(self) -> Self:
        try:
            for part in self.parts():
                part.start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        for part in [*self.edges.values(), *reversed(self.parts())]:
            part.stop()

    def drain(self, limit_s: float = _LIMIT_S) -> bool:
        """No board gives out more, and everything is called stored; whether that came in time."""
        self.boards.hush()
        quiet_s = time.monotonic() + 3 * _FLUSH_S
        try:
            wait_for(
                lambda: (
                    time.monotonic() > quiet_s and not any(outbox_open(each.outbox) for each in self.edges.values())
                ),
                limit_s,
            )
        except TimeoutError:
            return False
        return True

    def stop_edges(self) -> None:
        """By SIGTERM."""
        for device, edge in self.edges.items():
            began_ms = time.time_ns() // 1_000_000
            edge.stop()
            self.endings.append(Ending(device, began_ms, time.time_ns() // 1_000_000, False))

    def truth(self) -> dict[tuple[str, str], Truth]:
        """Each board's journal against database and outbox. The agents must be stopped."""
        journals = {(device, SOURCE): self.boards.journal(index) for index, device in enumerate(self.edges)}
        held = {device: outbox_rows(edge.outbox) for device, edge in self.edges.items()}
        return compare(
            Evidence(
                journals=journals,
                points=self.database.points(),
                held=held,
                dropped={},
                endings=self.endings,
                excused={},
                flush_s=_FLUSH_S,
            )
        )
