"""The folder with the box's identity, as the agent sees it: no cryptography, only files.

id  key.pem                      made at the first start; the key is for its owner alone
chain.pem  broker-ca.pem  api-ca.pem  state.json        what the office gave
sources.json  secrets/           sources that the office wants, and their passwords
next/                            being written; of no account
ready/                           whole: `finish` moves its files up, as often as it takes
"""

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from kewang.wire.enrolment import Date, Serial
from kewang.wire.errors import WireError
from kewang.wire.models import Message
from kewang.wire.names import is_device

log = logging.getLogger(__name__)

ID: Final = "id"
KEY: Final = "key.pem"
CHAIN: Final = "chain.pem"
BROKER_CA: Final = "broker-ca.pem"
API_CA: Final = "api-ca.pem"
STATE: Final = "state.json"
SOURCES: Final = "sources.json"
SECRETS: Final = "secrets"
NEXT: Final = "next"
READY: Final = "ready"
PRIVATE: Final = 0o600
_FOLDER: Final = 0o700


class BoxState(Message):
    """`state.json`. `renew_ms`: from when on the certificate should be renewed; `floor_ms`: it is later than this.

    `code` and `text`: why the office refused last time. `counter`: of the last bundle that was taken.
    """

    state: Literal["new", "pending", "active"] = "new"
    code: str = ""
    text: str = ""
    serial: Serial | None = None
    not_before_ms: Date = 0
    not_after_ms: Date = 0
    renew_ms: Date = 0
    broker_host: str = ""
    broker_port: int = 8883
    floor_ms: Date = 0
    maintenance: bool = False
    thumbnails: tuple[str, ...] = ()
    config_version: Date = 0
    tag: str = ""
    counter: Date = 0


class Disk:
    """Everything the identity does to the disk, one act a method; each has happened for good when it returns."""

    def make(self, folder: Path) -> None:
        """A folder for its owner alone."""
        folder.mkdir(_FOLDER, parents=True, exist_ok=True)
        folder.chmod(_FOLDER)

    def write(self, file: Path, content: bytes) -> None:
        """The file whole, for its owner alone, or as it was before. Raises OSError."""
        draft = file.with_name(f".{file.name}.{os.getpid()}.new")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb") as out:
                os.fchmod(out.fileno(), PRIVATE)
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
        self.sync(file.parent)

    def move(self, path: Path, to: Path) -> None:
        """A file or folder under its new name; a file that is there makes way."""
        path.replace(to)
        self.sync(to.parent)

    def remove(self, path: Path) -> None:
        """A file or an empty folder, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            path.rmdir() if path.is_dir() else path.unlink()
            self.sync(path.parent)

    def sync(self, folder: Path) -> None:
        """What was done in `folder` outlives a power cut."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Identity:
    """The folder. Reading never raises for what is missing or damaged: then the box asks the office again."""

    folder: Path
    disk: Disk

    def finish(self) -> None:
        """Do the rest of a switch to a new certificate that a power cut interrupted. Raises OSError."""
        ready = self.folder / READY
        if ready.is_dir():
            for file in sorted(ready.iterdir()):
                if file.name.startswith("."):
                    self.disk.remove(file)  # half of a file, of a power cut
                else:
                    with contextlib.suppress(FileNotFoundError):  # another process was quicker
                        self.disk.move(file, self.folder / file.name)
            self.disk.remove(ready)

    @property
    def device(self) -> str | None:
        """The box's id; None before the first start."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = (self.folder / ID).read_text().strip()
            return text if is_device(text) else None
        return None

    @property
    def state(self) -> BoxState:
        """What is known; of a damaged file nothing."""
        try:
            return BoxState.decode((self.folder / STATE).read_bytes())
        except FileNotFoundError:
            return BoxState()
        except (OSError, WireError) as error:
            log.error("%s can't be read, the office is asked again: %s", self.folder / STATE, error)
            return BoxState()

    @property
    def enrolled(self) -> bool:
        """Whether there is all it takes to connect."""
        needed = (KEY, CHAIN, BROKER_CA, STATE)
        return self.state.broker_host != "" and all((self.folder / name).is_file() for name in needed)

    def sources(self) -> list[dict[str, Any]]:
        """The sources that the office wants, as sections of edge.toml."""
        try:
            found = json.loads((self.folder / SOURCES).read_bytes())
        except FileNotFoundError:
            return []
        except (OSError, ValueError, RecursionError) as error:
            log.error("%s can't be read, the office is asked again: %s", self.folder / SOURCES, error)
            return []
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def identity(folder: Path) -> Identity:
    """The identity in `folder`, with whatever a power cut interrupted finished. Raises OSError."""
    found = Identity(folder, Disk())
    found.finish()
    return found


def with_identity(values: Mapping[str, Any], found: Identity) -> dict[str, Any]:
    """Settings with what the identity says where the file says nothing: device, broker, TLS, sources.

    A source in the file wins over one of the office with its name.
    """
    state, folder = found.state, found.folder
    merged = {**values}
    if not merged.get("device") and found.device:
        merged["device"] = found.device
    if found.enrolled:
        files = {"ca_file": folder / BROKER_CA, "cert_file": folder / CHAIN, "key_file": folder / KEY}
        given = merged.get("broker") or {}
        merged["broker"] = {"host": state.broker_host, "port": state.broker_port, "tls": files, **given}
    merged["sources"] = [*(merged.get("sources") or ()), *_others(merged.get("sources") or (), found.sources())]
    return merged


def _others(own: Any, wanted: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    names = {each.get("name") for each in own if isinstance(each, dict)}
    for source in wanted:
        if source.get("name") in names:
            log.info("source %s of edge.toml holds, not the office's", source.get("name"))
        else:
            names.add(source.get("name"))
            yield source
