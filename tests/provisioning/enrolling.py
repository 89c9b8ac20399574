"""What the tests of the box's side of enrolment share."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509

from edge.enrol.box import Box
from edge.enrolled import CHAIN, KEY, SECRETS, SOURCES, Disk

DAY_MS = 86_400_000


class PowerCut(Exception):
    """The power goes."""


class Failing(Disk):
    """A disk whose power goes at act number `at`: `half` of what it does has happened by then."""

    def __init__(self, at: int) -> None:
        self.at, self.acts = at, 0

    def _act(self) -> None:
        self.acts += 1
        if self.acts == self.at:
            raise PowerCut

    def write(self, file: Path, content: bytes) -> None:
        self.acts += 1
        if self.acts == self.at:
            file.with_name(f".{file.name}.1.new").write_bytes(content[: len(content) // 2])
            raise PowerCut
        super().write(file, content)

    def make(self, folder: Path) -> None:
        self._act()
        super().make(folder)

    def move(self, path: Path, to: Path) -> None:
        self._act()
        super().move(path, to)

    def remove(self, path: Path) -> None:
        self._act()
        super().remove(path)


def check(found: Box) -> x509.Certificate:
    """The leaf of a box whose key, chain and id belong together, and of which nothing else lies about."""
    found.key.check_chain(found.device, (found.folder / CHAIN).read_text())
    assert found.identity.enrolled
    left = {each.name for each in found.folder.iterdir()}
    assert left <= {
        "id",
        KEY,
        CHAIN,
        "broker-ca.pem",
        "api-ca.pem",
        "state.json",
        SOURCES,
        SECRETS,
        "next",
        ".lock",
    } | {name for name in left if name.startswith(".") and name.endswith(".new")}
    return x509.load_pem_x509_certificates((found.folder / CHAIN).read_bytes())[0]
