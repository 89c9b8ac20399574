"""Upgrade and the way back: by stored readings alone, whatever breaks and whenever the power goes."""

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.outbox import SqliteOutbox
from edge.outbox_schema import SCHEMA
from edge.ports import Draft
from edge.upgrade import install, steps
from edge.upgrade.guard import Guard, Outcome
from edge.upgrade.home import COMPLETE, TRIES, Home, Request, Verdict, keep_verdict, read_verdict, verdict_file
from edge.upgrade.install import Refused
from edge.upgrade.proof import before, missing
from edge.upgrade.steps import Box
from kewang.wire.ack import Ack
from kewang.wire.names import BOX_SOURCE

OLD, NEW = "1.0.0", "1.1.0"
ANCHOR_MS = 1_785_000_000_000
HOUR_MS = 3_600_000


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """Two versions whose programs do nothing yet; the old one is current."""
    home = Home(tmp_path / "home")
    for version in (OLD, NEW):
        (home.version(version) / "bin").mkdir(parents=True)
        (home.version(version) / COMPLETE).touch()
    home.switch(OLD)
    return Box(home, tmp_path / "edge.toml", tmp_path / "outbox.db")


def program(box: Box, version: str, text: str, name: str = "kewang") -> None:
    """What a version does when it is started."""
    file = box.home.version(version) / "bin" / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def draft(source: str, at_ms: int, stream: str = "env") -> Draft:
    return Draft(stream, source, ("temp_c",), ((at_ms, (29.5,)),))


def deliver(path: Path, *sources: str, at_ms: int = 0, stored: bool = True, stream: str = "env") -> None:
    """An agent commits a heartbeat and a reading of each source; a gateway stores these, or not."""
    outbox = SqliteOutbox(path, 10_000_000, "boot")
    if outbox.anchor_ms is None:
        outbox.date(ANCHOR_MS, 2)
    outbox.commit([draft(BOX_SOURCE, at_ms, "sys")])
    for entry in outbox.commit([draft(source, at_ms, stream) for source in sources]):
        if stored:
            outbox.apply(Ack(ok=((entry.run, entry.number, entry.number),), gt=ANCHOR_MS), {})
    outbox.close()


def test_proof_is_a_stored_reading_of_every_source_that_delivered_within_an_hour(box: Box) -> None:
    deliver(box.outbox, "gone-1")
    deliver(box.outbox, "env-1", "env-2", at_ms=2 * HOUR_MS)
    deliver(box.outbox, "door", at_ms=2 * HOUR_MS, stream="evt")
    deliver(box.outbox, "never-1", at_ms=2 * HOUR_MS, stored=False)
    was = before(box.outbox)
    assert {source for _, source in was.sources} == {"env-1", "env-2"}
    deliver(box.outbox, "env-1", at_ms=3 * HOUR_MS)
    deliver(box.outbox, "env-2", at_ms=3 * HOUR_MS, stored=False)
    assert missing(box.outbox, was) == "env-2"
    deliver(box.outbox, "env-2", at_ms=3 * HOUR_MS)
    assert missing(box.outbox, was) == ""


def test_what_a_wrong_clock_dated_ahead_hides_no_source(box: Box) -> None:
    """Neither long ago, for the ring keeps it, nor a moment ago."""
    deliver(box.outbox, "gone-1", at_ms=1000 * HOUR_MS)
    for minute in range(3):
        deliver(box.outbox, "env-1", "env-2", at_ms=2 * HOUR_MS + minute * 60_000)
    deliver(box.outbox, "env-1", at_ms=2000 * HOUR_MS)
    assert {source for _, source in before(box.outbox).sources} == {"env-1", "env-2"}


def test_without_anything_delivered_before_one_reading_is_enough(box: Box) -> None:
    was = before(box.outbox)
    assert missing(box.outbox, was).startswith("anything")
    deliver(box.outbox, "env-1", stored=False)
    assert missing(box.outbox, was) == "any source"
    deliver(box.outbox, "env-1")
    assert missing(box.outbox, was) == ""


async def guarded(box: Box, *, within_s: float = 0.0, settle_s: float = 0.0) -> tuple[Outcome, Verdict]:
    request = Request(version=NEW, before=OLD, within_s=within_s or 60.0, settle_s=settle_s)
    box.home.ask(request)
    outcome = await quick(box, request).run(asyncio.Event())
    return outcome, read_verdict(box.outbox, request)


def quick(box: Box, request: Request) -> Guard:
    """A guard that waits for nothing."""
    return Guard(box.home, request, box.config, box.outbox, pause_s=0.0, look_s=0.02)


async def test_a_version_that_does_not_start_is_given_up_after_three_tries(box: Box, tmp_path: Path) -> None:
    program(box, NEW, f"echo start >> {tmp_path}/starts; exit 3")
    outcome, verdict = await guarded(box)
    assert outcome is Outcome.NOTHING, "the old version goes on itself"
    assert (verdict.state, verdict.tries) == ("failed", TRIES)
    assert "ended by itself" in verdict.why
    assert "code 3" in verdict.why
    assert (tmp_path / "starts").read_text().count("start") == TRIES
    settled = steps.settle(box)
    assert settled
    assert (settled.state, box.home.current()) == ("failed", OLD)


async def test_a_version_that_is_no_program_is_given_up(box: Box) -> None:
    _, verdict = await guarded(box)
    assert (verdict.state, verdict.tries) == ("failed", TRIES)
    assert "could not be started" in verdict.why


async def test_a_version_that_delivers_nothing_is_given_up(box: Box) -> None:
    deliver(box.outbox, "env-1")
    program(box, NEW, "exec sleep 600")
    _, verdict = await guarded(box, within_s=0.1)
    assert (verdict.state, verdict.tries) == ("failed", TRIES)
    assert "no reading of env-1 was acknowledged as stored" in verdict.why


async def test_a_version_that_delivers_is_proven_and_ended_so_that_the_link_moves(box: Box, tmp_path: Path) -> None:
    deliver(box.outbox, "env-1")
    program(box, NEW, f"trap 'echo drained > {tmp_path}/ended; exit 0' TERM; echo > {tmp_path}/up; sleep 600 & wait")
    guard = asyncio.create_task(guarded(box))
    while not (tmp_path / "up").exists():
        await asyncio.sleep(0.01)
    deliver(box.outbox, "env-1", at_ms=1000)
    outcome, verdict = await asyncio.wait_for(guard, 60)
    assert (outcome, verdict.state, verdict.tries) == (Outcome.END, "proven", 1)
    assert (tmp_path / "ended").read_text() == "drained\n"
    assert box.home.current() == OLD, "only root moves the link"
    steps.settle(box)
    assert (box.home.current(), box.home.before()) == (NEW, OLD)
    assert steps.status(box)["upgrade"]["state"] == "proven"


async def test_a_stop_is_no_failed_try(box: Box, tmp_path: Path) -> None:
    program(box, NEW, f"echo > {tmp_path}/up; exec sleep 600")
    request, stopping = Request(version=NEW, before=OLD), asyncio.Event()
    box.home.ask(request)
    guard = asyncio.create_task(quick(box, request).run(stopping))
    while not (tmp_path / "up").exists():
        await asyncio.sleep(0.01)
    assert read_verdict(box.outbox, request).tries == 1, "on the disk before the start"
    stopping.set()
    assert await asyncio.wait_for(guard, 60) is Outcome.END
    assert read_verdict(box.outbox, request).tries == 0


async def test_power_cuts_are_counted_as_tries(box: Box) -> None:
    program(box, NEW, "exec sleep 600")
    request = Request(version=NEW, before=OLD)
    box.home.ask(request)
    keep_verdict(box.outbox, Verdict(id=request.id, tries=TRIES))
    outcome = await quick(box, request).run(asyncio.Event())
    assert outcome is Outcome.NOTHING
    assert "without a word" in read_verdict(box.outbox, request).why


async def test_what_root_has_asked_for_meanwhile_is_seen_by_the_next_start(box: Box) -> None:
    program(box, NEW, "exit 1")
    request = Request(version=NEW, before=OLD)
    box.home.ask(Request(version=NEW, before=OLD))
    assert await quick(box, request).run(asyncio.Event()) is Outcome.END


class PowerCut(Exception):
    """From here on nothing more reaches the disk."""


def cut_after(renames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The power goes before rename number `renames` (from 0): every step to the disk is one."""
    left = iter(range(renames))
    rename = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if next(left, None) is None:
            raise PowerCut
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)


@pytest.mark.parametrize("state", ["proven", "failed"])
@pytest.mark.parametrize("renames", range(4))
def test_a_power_cut_at_any_step_of_settling(
    box: Box, renames: int, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What starts is always one of the two, and the next start ends what was begun."""
    request = Request(version=NEW, before=OLD)
    box.home.ask(request)
    keep_verdict(box.outbox, Verdict.model_validate({"id": request.id, "tries": 1, "state": state}))
    with monkeypatch.context() as cut:
        cut_after(renames, cut)
        try:
            steps.settle(box)
        except PowerCut:
            assert renames < (3 if state == "proven" else 1)
    assert box.home.current() in (OLD, NEW)
    settled = steps.settle(box)
    assert settled
    assert settled.state == state
    assert (box.home.current(), box.home.before()) == ((NEW, OLD) if state == "proven" else (OLD, None))


def test_root_follows_no_link_and_waits_for_no_pipe_of_the_agents_user(box: Box) -> None:
    request, file = Request(version=NEW, before=OLD), verdict_file(box.outbox)
    (box.home.folder / "other.json").write_text(Verdict(id=request.id, state="proven").model_dump_json())
    file.symlink_to(box.home.folder / "other.json")
    assert read_verdict(box.outbox, request).state == "trying"
    file.unlink()
    os.mkfifo(file)
    assert read_verdict(box.outbox, request).state == "trying"


def test_root_ends_the_agent_and_nobody_else(box: Box) -> None:
    """What stands in the lock file may be of another, or nonsense."""
    agent = subprocess.Popen(["sleep", "600"])
    lock = Path(f"{box.outbox}.lock")
    box.outbox.touch()
    for text in ("1", "0", "nobody", str(2**22 + 1)):
        lock.write_text(text)
        assert not steps.restart(box.outbox)
    lock.write_text(f"{agent.pid}\n")
    assert steps.restart(box.outbox)
    assert agent.wait(20) == -signal.SIGTERM


def test_a_verdict_about_another_request_counts_for_nothing(box: Box) -> None:
    """The agent's user can say yes or no to what root asked, and can't name a version."""
    box.home.ask(Request(version=NEW, before=OLD))
    keep_verdict(box.outbox, Verdict(id="0" * 16, state="proven"))
    steps.settle(box)
    assert box.home.current() == OLD
    box.outbox.with_suffix(".upgrade.json").write_text("{")
    steps.settle(box)
    assert box.home.current() == OLD


def knows(box: Box, version: str, reader: int, schema: int) -> None:
    program(box, version, f'case "$1" in --version) echo {version};; esac')
    program(box, version, f"echo {reader} {schema}", "python")


def mumbles(box: Box) -> None:
    knows(box, NEW, 1, 1)
    program(box, NEW, "echo what", "python")


def test_going_back_needs_a_version_that_can_read_the_outbox(box: Box) -> None:
    deliver(box.outbox, "env-1")
    with pytest.raises(Refused, match="is not there"):
        steps.back(box)
    box.home.switch(NEW)
    knows(box, OLD, 0, 0)
    with pytest.raises(Refused, match="can't read the outbox"):
        steps.back(box)
    knows(box, OLD, 1, 1)
    assert steps.back(box) == OLD
    assert (box.home.current(), box.home.before()) == (OLD, NEW)


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        (lambda box: knows(box, NEW, 1, 2), None),
        (lambda box: program(box, NEW, "exit 1"), "does not start"),
        (lambda box: program(box, NEW, f'[ "$1" = --version ] && echo {NEW} || exit 2'), "does not take"),
        (lambda box: knows(box, NEW, SCHEMA + 1, SCHEMA + 1), "there would be no way back"),
        (lambda box: knows(box, NEW, 0, 0), "it is too old"),
        (mumbles, "does not tell which"),
    ],
)
def test_a_version_is_asked_before_it_is_tried(box: Box, prepare: Callable[[Box], object], told: str | None) -> None:
    prepare(box)
    if told is None:
        assert steps.ask(box, NEW).version == NEW
        return
    with pytest.raises(Refused, match=told):
        steps.ask(box, NEW)
    assert box.home.request() is None


def wheel(folder: Path, name: str = "kewang", version: str = "1.2.0") -> Path:
    made = folder / f"{name}-{Path(version).name}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(
            f"kewang-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
    return made


def test_a_wheel_is_what_somebody_meant_to_send(tmp_path: Path) -> None:
    made = wheel(tmp_path)
    install.check_digest(made, hashlib.sha256(made.read_bytes()).hexdigest().upper() + "\n")
    with pytest.raises(Refused, match="not the one given"):
        install.check_digest(made, "0" * 64)
    openssl(tmp_path, "genpkey", "-algorithm", "ed25519", "-out", "key.pem")
    openssl(tmp_path, "pkey", "-in", "key.pem", "-pubout", "-out", "public.pem")
    openssl(tmp_path, "pkeyutl", "-sign", "-rawin", "-inkey", "key.pem", "-in", made.name, "-out", f"{made.name}.sig")
    install.check_signature(made, tmp_path / "public.pem")
    with made.open("ab") as file:
        file.write(b"x")
    with pytest.raises(Refused, match="is no signature of"):
        install.check_signature(made, tmp_path / "public.pem")


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def test_what_is_no_wheel_of_ours_is_refused(tmp_path: Path) -> None:
    assert install.version_of(wheel(tmp_path)) == "1.2.0"
    for made in (wheel(tmp_path, "other"), wheel(tmp_path, version="../up"), tmp_path / "none.whl"):
        with pytest.raises(Refused):
            install.version_of(made)
    cut = wheel(tmp_path)
    cut.write_bytes(cut.read_bytes()[:-30])
    with pytest.raises(Refused, match="is no wheel"):
        install.version_of(cut)


def test_a_full_disk_and_the_same_version_are_refused(
    box: Box, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="already"):
        steps.upgrade(box, wheel(tmp_path, version=OLD))
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(Refused, match="10 MB free"):
        steps.upgrade(box, wheel(tmp_path))
    assert box.home.current() == OLD
