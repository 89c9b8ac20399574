"""A few places of Ambon with plausible devices, for the demo. The coordinates are about right; nothing stands there."""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a device of the demo stands, and the board it reads."""

    device: str
    site: str
    lat: float
    lon: float
    board: str
    """Map of its board; empty for the box alone."""
    uplink: str = "fo-1"
    feeder: str = "pln-1"
    link: str = "wired"
    kind: str = "environment"
    camera: bool = False
    """Whether it watches a camera too."""

    def placement(self) -> dict[str, Any]:
        """Its entry in a placements file."""
        where = {"site": self.site, "lat": self.lat, "lon": self.lon}
        lines = {"uplink": self.uplink, "feeder": self.feeder, "link": self.link, "kind": self.kind}
        sources = ["env-1"] * bool(self.board) + ["cam-1"] * self.camera
        return {**where, **lines, "sources": sources, "life": "installed"}


THIS_MACHINE: Final = Spot("mesin-ini", "pusat-komando", -3.6956, 128.1814, "", kind="server")
"""This machine itself: a device with only its box."""

SPOTS: Final = (
    Spot("mardika-1", "pasar-mardika", -3.6927, 128.1842, "market-env", "fo-2", "pln-7", camera=True),
    Spot("mardika-2", "pasar-mardika", -3.6931, 128.1847, "bin", "fo-2", "pln-7", kind="bin"),
    Spot("galala-1", "jembatan-galala", -3.6852, 128.2107, "river", "gsm-1", "pln-3", "cellular", "river", True),
    Spot("batumerah-1", "pasar-batu-merah", -3.6898, 128.1889, "market-env", "fo-2", "pln-7"),
    Spot("pattimura-1", "taman-pattimura", -3.6949, 128.1829, "market-env", "fo-1", "pln-2"),
    Spot("batumerah-2", "pasar-batu-merah", -3.6901, 128.1893, "bin", "fo-2", "pln-7", kind="bin"),
    Spot("wayame-1", "terminal-wayame", -3.6666, 128.1766, "market-env", "gsm-1", "pln-5", "cellular"),
    Spot("passo-1", "simpang-passo", -3.6331, 128.2456, "market-env", "fo-4", "pln-9"),
)
"""Devices in the order in which a demo takes them; the first two are of one site, which it switches off."""


def spots(count: int) -> tuple[Spot, ...]:
    """`count` devices, this machine among them; beyond the named ones, more at the same sites."""
    others = [SPOTS[i % len(SPOTS)] if i < len(SPOTS) else _another(i) for i in range(count - 1)]
    return (*others, THIS_MACHINE)


def _another(index: int) -> Spot:
    like = SPOTS[index % len(SPOTS)]
    name = f"{like.device.rpartition('-')[0]}-{10 + index}"
    return Spot(name, like.site, like.lat, like.lon, like.board, like.uplink, like.feeder, like.link, like.kind)
