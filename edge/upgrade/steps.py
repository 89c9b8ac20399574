"""What root does: ask for a trial, settle what was found, go back, and tell how things stand."""

import contextlib
import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.outbox_schema import SCHEMA, meta, schema_of
from edge.upgrade import install
from edge.upgrade.home import SETTLE_S, WITHIN_S, Home, Request, Verdict, read_verdict
from edge.upgrade.install import Refused


@dataclass(frozen=True, slots=True)
class Box:
    """The versions of a box, its settings file, and its outbox."""

    home: Home
    config: Path
    outbox: Path

    @property
    def current(self) -> str:
        """The version that starts. Raises Refused."""
        current = self.home.current()
        if current is None:
            raise Refused(f"{self.home.link} is no link: see docs, install, a box; versions lie side by side there")
        return current

    def verdict(self) -> Verdict | None:
        """What was found about the last request; None if there was none."""
        request = self.home.request()
        return read_verdict(self.outbox, request) if request else None


def upgrade(
    box: Box, wheel: Path, wheels: Path | None = None, within_s: float = WITHIN_S, settle_s: float = SETTLE_S
) -> Request:
    """Put the version in `wheel` beside the others and ask for its trial. Raises Refused, OSError."""
    version, current = install.version_of(wheel), box.current
    if version == current:
        raise Refused(f"version {version} is the current one already")
    install.remove_others(box.home, [current, box.home.before() or current])
    install.check_room(box.home)
    install.build(box.home, wheel, version, wheels)
    return ask(box, version, within_s, settle_s)


def ask(box: Box, version: str, within_s: float = WITHIN_S, settle_s: float = SETTLE_S) -> Request:
    """Ask for the trial of a version whose folder is whole, once it was checked. Raises Refused, OSError."""
    install.check_version(box.home, version, box.config, outbox_schema(box.outbox)[0])
    request = Request(version=version, before=box.current, within_s=within_s, settle_s=settle_s)
    box.home.ask(request)
    return request


def settle(box: Box) -> Request | None:
    """Before every start: move the link if the new version is proven, note it if it failed. Raises OSError.

    The link first: killed between the two, the next call finds the same verdict and does the same again.
    """
    request = box.home.request()
    if request is None or request.state != "trying":
        return request
    verdict = read_verdict(box.outbox, request)
    if verdict.state == "trying":
        return request
    if verdict.state == "proven":
        box.home.switch(request.version)
    settled = request.model_copy(update={"state": verdict.state, "why": verdict.why})
    box.home.ask(settled)
    return settled


def back(box: Box) -> str:
    """Let the version before start again, or end a trial; which version that is. Raises Refused, OSError."""
    request = settle(box)
    trying = request is not None and request.state == "trying"
    wanted = box.current if trying else box.home.before()
    if wanted is None or wanted not in box.home.complete():
        raise Refused(f"version {wanted or 'before this'} is not there: upgrade to it with its wheel")
    needed, _ = outbox_schema(box.outbox)
    if needed > install.schemas_of(box.home, wanted)[1]:
        raise Refused(
            f"version {wanted} can't read the outbox (schema {needed}) any more: let it deliver, then move it away"
        )
    box.home.switch(wanted)
    if request is not None:
        box.home.ask(request.model_copy(update={"state": "back", "why": f"somebody went back to {wanted}"}))
    return wanted


def outbox_schema(outbox: Path) -> tuple[int, int]:
    """(oldest schema whose program may use the file, its own); ours if there is none. Raises Refused."""
    if not outbox.exists():
        return SCHEMA, SCHEMA
    try:
        try:
            return _schemas(f"{outbox.absolute().as_uri()}?mode=ro")
        except sqlite3.OperationalError:
            # An agent that spares its card lets nobody read along. What this asks for is in the file itself.
            return _schemas(f"{outbox.absolute().as_uri()}?immutable=1")
    except sqlite3.Error as error:
        raise Refused(f"outbox {outbox} can't be read: {error}: start the agent first, it mends it") from None


def _schemas(outbox: str) -> tuple[int, int]:
    with closing(sqlite3.connect(outbox, uri=True)) as db:
        version = schema_of(db)
        return (meta(db, "reader") or version or SCHEMA), (version or SCHEMA)


def restart(outbox: Path) -> bool:
    """End the agent that holds the outbox, so that systemd starts it anew; whether there was one.

    We are root and the agent's user wrote the number: only a process of the outbox's owner is ended (-1 would be all).
    """
    with contextlib.suppress(OSError, ValueError):
        process = int(Path(f"{outbox}.lock").read_text())
        if process > 1 and Path(f"/proc/{process}").stat().st_uid == outbox.stat().st_uid:
            os.kill(process, signal.SIGTERM)
            return True
    return False


def status(box: Box) -> dict[str, Any]:
    """How things stand, for JSON."""
    request, verdict = box.home.request(), box.verdict()
    told: dict[str, Any] = {
        "current": box.home.current(),
        "previous": box.home.before(),
        "versions": box.home.complete(),
        "upgrade": None,
    }
    if request and verdict:
        state = request.state if request.state != "trying" else verdict.state
        told["upgrade"] = {
            "version": request.version,
            "before": request.before,
            "state": state,
            "tries": verdict.tries,
            "why": request.why or verdict.why,
            "within_s": request.within_s,
            "settle_s": request.settle_s,
        }
    return told
