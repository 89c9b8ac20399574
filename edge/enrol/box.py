"""The box's side of enrolment: its key, its first certificate, the next ones, its sources.

Every step is on disk before the next is done, and done again it changes nothing: a power cut at any of them recovers
by itself. A certificate is written into `next/`, which becomes `ready/` in one act, whose files then move up.
"""

import json
import random
import secrets
from pathlib import Path
from typing import Any, Final

from edge.enrol.asking import Conversation
from edge.enrol.errors import Refusing
from edge.enrol.keys import BoxKey
from edge.enrolled import (
    API_CA,
    BROKER_CA,
    CHAIN,
    ID,
    KEY,
    NEXT,
    READY,
    SECRETS,
    SOURCES,
    STATE,
    BoxState,
    Disk,
    Identity,
)
from kewang import __version__
from kewang.runtime.clock import boot_id
from kewang.wire.enrolment import Bundle, Code, Config, Enrol, Issued, Pending
from kewang.wire.identity import RANDOM_BYTES, check_issuable, new_id
from kewang.wire.names import is_source

RENEW_AT: Final = 2 / 3
"""The part of a certificate's life after which the next one is asked for: day 20 of 30."""
JITTER: Final = 1 / 15
"""Up to so much of its life sooner or later, so that a fleet does not come all at once."""
_PASSWORD: Final = "password"


class Box:
    """One box's identity. Blocking; one process at a time (`edge.enrol.work` sees to that)."""

    def __init__(self, folder: Path, disk: Disk | None = None, rng: random.Random | None = None) -> None:
        """Whatever a power cut interrupted is finished first. Raises OSError."""
        self.disk, self._rng = disk or Disk(), rng or random.Random()
        self.identity = Identity(folder, self.disk)
        self.folder = folder
        if folder.is_dir():
            self.identity.finish()

    def begin(self, device: str | None, city: str, kind: str) -> None:
        """The first start: an id (`device`, else a new one) and a key, unless they are there. Raises WireError."""
        self.disk.make(self.folder)
        if self.identity.device is None:
            chosen = device or new_id(city, kind, secrets.token_bytes(RANDOM_BYTES))
            self.disk.write(self.folder / ID, f"{check_issuable(chosen)}\n".encode())
        if not (self.folder / KEY).exists():
            self.disk.write(self.folder / KEY, BoxKey.new().pem())

    @property
    def device(self) -> str:
        """The id; only after `begin`."""
        found = self.identity.device
        assert found is not None, "begin comes first"
        return found

    @property
    def key(self) -> BoxKey:
        """The key in use. Raises OSError, Unusable."""
        return BoxKey.read((self.folder / KEY).read_bytes())

    def note(self, **changed: Any) -> BoxState:
        """`state.json` with these fields changed; not written when nothing is."""
        before = self.identity.state
        after = before.model_copy(update=changed)
        if after != before or not (self.folder / STATE).exists():
            self.disk.write(self.folder / STATE, after.encode())
        return after

    def roots(self, pinned: Path) -> bytes:
        """Who may speak for the office: the pinned root, and the one it named itself since."""
        own = self.folder / API_CA
        return pinned.read_bytes() + (own.read_bytes() if own.is_file() else b"")

    def enrol(self, office: Conversation) -> Pending | None:
        """Ask for the first certificate; None when it is there."""
        key = self.key
        answer = office.enrol(Enrol(device=self.device, csr=key.request(self.device), boot=boot_id(), fw=_FIRMWARE))
        if isinstance(answer, Pending):
            self.note(state="pending", code="", text="", floor_ms=office.now_ms())
            return answer
        self._take(answer, key, office.now_ms())
        return None

    def is_due(self, now_ms: int) -> bool:
        """Whether it is time for the next certificate."""
        state = self.identity.state
        return self.identity.enrolled and now_ms >= state.renew_ms

    def renew(self, office: Conversation) -> None:
        """A certificate over a new key, which is on disk before anybody hears of it."""
        try:
            self._ask_next(office)
        except Refusing as error:
            if error.code != Code.GRACE:
                raise
            # The answer of an earlier try never came, and its certificate has ended since: another key is wanted.
            self.disk.remove(self.folder / NEXT / KEY)
            self._ask_next(office)

    def _ask_next(self, office: Conversation) -> None:
        draft = self.folder / NEXT
        self.disk.make(draft)
        if not (draft / KEY).exists():
            self.disk.write(draft / KEY, BoxKey.new().pem())
        new = BoxKey.read((draft / KEY).read_bytes())
        issued = office.renew(self.device, self.key, new.request(self.device))
        self._take(issued, new, office.now_ms())

    def take_bundle(self, bundle: Bundle) -> None:
        """What the office put on a stick; it is checked already (`edge.enrol.bundle`)."""
        self.take_config(bundle.config, "")
        self._take(bundle.issued, self.key, bundle.made_ms, counter=bundle.counter)

    def configure(self, office: Conversation) -> bool:
        """Ask what is to be read; whether the sources are others than before."""
        state = self.identity.state
        tag = state.tag if (self.folder / SOURCES).exists() else ""
        answer = office.config(self.device, self.key, tag)
        changed = answer is not None and self.take_config(*answer)
        self.note(floor_ms=max(state.floor_ms, office.now_ms()), code="", text="")
        return changed

    def take_config(self, config: Config, tag: str) -> bool:
        """Keep the sources, each password in a file of its own; whether they are others than before."""
        named = [each for each in config.sources if is_source(str(each.get("name", "")))]
        kept = [self._without_password(each) for each in named]
        content = json.dumps(kept, sort_keys=True).encode()
        file = self.folder / SOURCES
        before = file.read_bytes() if file.exists() else b"[]"
        changed = self._passwords(named) or content != before
        if content != before or not file.exists():
            self.disk.write(file, content)
        self._forget_passwords({self._password_file(each) for each in named if _PASSWORD in each})
        self.note(tag=tag, config_version=config.version, maintenance=config.maintenance, thumbnails=config.thumbnails)
        return changed

    def refused(self, error: Refusing) -> None:
        """Write down what the office said, for whoever looks."""
        self.note(code=error.code, text=error.text)

    def _take(self, issued: Issued, key: BoxKey, now_ms: int, **more: Any) -> None:
        """Put a certificate into use: all of it or nothing. Raises Unusable."""
        key.check_chain(self.device, issued.chain)
        draft = self.folder / NEXT
        self.disk.make(draft)
        if (draft / KEY).exists() and (draft / KEY).read_bytes() != key.pem():
            self.disk.remove(draft / KEY)  # of a renewal that something else has overtaken
        self.disk.write(draft / CHAIN, issued.chain.encode())
        self.disk.write(draft / BROKER_CA, issued.broker.ca.encode())
        self.disk.write(draft / API_CA, issued.api_ca.encode())
        self.disk.write(draft / STATE, self._state_of(issued, now_ms).model_copy(update=more).encode())
        self.disk.move(draft, self.folder / READY)
        self.identity.finish()

    def _state_of(self, issued: Issued, now_ms: int) -> BoxState:
        life_ms = issued.not_after_ms - issued.not_before_ms
        share = RENEW_AT + self._rng.uniform(-JITTER, JITTER)
        return self.identity.state.model_copy(
            update={
                "state": "active",
                "code": "",
                "text": "",
                "serial": issued.serial,
                "not_before_ms": issued.not_before_ms,
                "not_after_ms": issued.not_after_ms,
                "renew_ms": issued.not_before_ms + int(life_ms * share),
                "broker_host": issued.broker.host,
                "broker_port": issued.broker.port,
                "floor_ms": now_ms,
            }
        )

    def _without_password(self, source: dict[str, Any]) -> dict[str, Any]:
        """A source as edge.toml has it: the password's file in the password's place."""
        if _PASSWORD not in source:
            return source
        bare = {name: value for name, value in source.items() if name != _PASSWORD}
        return {**bare, f"{_PASSWORD}_file": str(self._password_file(source))}

    def _password_file(self, source: dict[str, Any]) -> Path:
        return self.folder / SECRETS / f"{source['name']}.{_PASSWORD}"

    def _passwords(self, sources: list[dict[str, Any]]) -> bool:
        """Write those that are new or different; whether any is."""
        changed = False
        for source in sources:
            if _PASSWORD in source:
                file, content = self._password_file(source), str(source[_PASSWORD]).encode()
                self.disk.make(file.parent)
                if not file.exists() or file.read_bytes() != content:
                    self.disk.write(file, content)
                    changed = True
        return changed

    def _forget_passwords(self, wanted: set[Path]) -> None:
        folder = self.folder / SECRETS
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if file not in wanted:
                self.disk.remove(file)


_FIRMWARE: Final = f"kewang {__version__}"
