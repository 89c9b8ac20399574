"""The one writer of the broker's files: a change holds, proven on the real broker, or it is undone.

staged -> read back -> tried on a broker of its own -> put in place -> signalled -> cut off -> proven
                                                                                      else restored, proven again
                                                                                      else the broker is stopped
"""

import fcntl
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from provisioning.authority import AuthorityError
from provisioning.guard import acl, canaries, conf, lists, names
from provisioning.guard.canaries import Doors
from provisioning.guard.client import Refused
from provisioning.guard.files import FileSet, Folder, digests
from provisioning.guard.kick import kick
from provisioning.guard.notes import Memory, Notes
from provisioning.guard.ports import Issuer, Signal, Wanted
from provisioning.guard.rendered import Change, kick_password, lint, rendered
from provisioning.guard.report import Alarm, AlarmCode, Outcome, Report
from provisioning.guard.settings import GuardSettings
from provisioning.guard.trial import TrialFailed, trial_broker

log = logging.getLogger(__name__)

_POLL_S: Final = 0.01
_MENDED: Final[tuple[AlarmCode, ...]] = ("refused", "restored", "stopped", "silent", "signer")
"""Alarms that a proven change takes away."""


class Guard:
    """Keeps the broker's files in `settings.folder` and its own notes in `state` (0700).

    Blocking; from asyncio use `asyncio.to_thread`. One change at a time: a lock in `state` keeps out other processes,
    and other threads wait. `kill -9` at any step is made good by the next `apply`.
    `at` is told the name of each step before it begins.
    """

    def __init__(
        self,
        settings: GuardSettings,
        issuer: Issuer,
        signal: Signal,
        state: Path,
        *,
        at: Callable[[str], None] = lambda step: None,
    ) -> None:
        self.settings, self._issuer, self._signal, self._at = settings, issuer, signal, at
        self.memory = Memory(state)
        self._folder = Folder(settings.folder, settings.group)
        self._glance: tuple[object, ...] = ()

    def apply(self, wanted: Wanted, *, now_ms: int | None = None, runs: bool = True) -> Report:
        """Bring `wanted` into force, with fresh revocation lists. Never raises for what the broker or its files do.

        `runs`: False for a broker that is started on these files only afterwards: they are tried and put in place.
        Raises AuthorityError when there is nobody to sign (nothing is touched), OSError when `state` can't be used.
        """
        with self._alone():
            steps = _Steps(self._at)
            try:
                change = self._rendered(wanted, _now_ms() if now_ms is None else now_ms)
            except (AuthorityError, OSError) as error:
                self.memory.alarm("signer", str(error))
                raise
            with steps("stage"):
                self._folder.prepare()
                changed = self._folder.stage(change.files, self.memory.notes().digests)
            problems = self._tried(change, steps)
            if problems:
                self._folder.unstage()
                return self._ended("refused", problems, steps)
            return self._put_in_force(change, changed, steps, runs)

    def look(self) -> Report | None:
        """Whether somebody else changed the files: heals them by what was proven last. None: all is as it was left.

        Cheap while nothing changes: it looks at dates and sizes first.
        """
        notes = self.memory.notes()
        glance = self._folder.glance(notes.digests)
        if not notes.digests or glance == self._glance:
            return None
        return self.heal()

    def heal(self) -> Report | None:
        """As `look`, by the content of every file."""
        with self._alone():
            notes = self.memory.notes()
            altered = [] if notes.stopped or notes.pending else self._folder.altered(notes.digests)
            self._glance = self._folder.glance(notes.digests)
            if not altered:
                return None
            self.memory.alarm("altered", ", ".join(altered))
            log.error("somebody else changed the broker's files: %s", ", ".join(altered))
            return self._restored(notes, [f"altered: {', '.join(altered)}"], _Steps(self._at), "healed")

    def reload(self) -> Report:
        """Let the broker read its files again, as they are, and prove it. No TLS ticket from before counts any more."""
        healed = self.heal()
        if healed:
            return healed
        with self._alone():
            notes, steps = self.memory.notes(), _Steps(self._at)
            problems = self._signalled(steps) or canaries.prove(self._doors(), notes.nonce)
            if problems and canaries.answers(self._doors()):
                return self._restored(notes, problems, steps)
            return self._ended("proven" if not problems else "written", problems, steps)

    def alarms(self) -> list[Alarm]:
        """What stands, the oldest first. Reads a file; for other processes as well."""
        return self.memory.alarms()

    def renew(self, now_ms: int) -> list[str]:
        """Renew our own certificates that are due; their names. The next `apply` brings them to the broker.

        An alarm stands while one of them ends within three days. Raises AuthorityError, OSError.
        """
        renewed = self._issuer.renew_services(now_ms)
        ends = {name: self._issuer.service(name).not_after_ms for name in names.OURS}
        late = [name for name, end_ms in ends.items() if end_ms < now_ms + lists.LEAST_MS]
        if late:
            self.memory.alarm("certificate-ends", ", ".join(late), now_ms)
        else:
            self.memory.clear("certificate-ends")
        return renewed

    def watch_dates(self, now_ms: int) -> None:
        """Let an alarm stand while the lists in use hold for less than three days."""
        ends = [self._ends_ms(name) for name in (conf.DEVICES_CRL, conf.SERVICES_CRL)]
        if any(each < now_ms + lists.LEAST_MS for each in ends):
            self.memory.alarm("lists-end", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(min(ends) / 1000)), now_ms)
        else:
            self.memory.clear("lists-end")

    def _ends_ms(self, name: str) -> int:
        try:
            return lists.ends_ms((self.settings.folder / name).read_bytes())
        except (OSError, ValueError):
            return 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.memory.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _rendered(self, wanted: Wanted, now_ms: int) -> Change:
        return rendered(self.settings, self._issuer, wanted, self._password(), now_ms)

    def _password(self) -> str:
        return kick_password(self.memory.folder / "kick.password")

    def _doors(self) -> Doors:
        place = conf.real_place(self.settings)
        return Doors.of(place, self._issuer, self._password(), self.settings.limit_s)

    def _tried(self, change: Change, steps: "_Steps") -> list[str]:
        """What is wrong with a change that has not touched anything yet."""
        with steps("read back"):
            amiss = self._folder.staged_amiss(digests(change.files))
            problems = lint(change, self._folder.read_staged) + [f"{name} is not as it was written" for name in amiss]
        if problems:
            return problems
        with steps("try"):
            try:
                with trial_broker(self._folder.staged, self.settings.program, self.settings.limit_s) as place:
                    doors = Doors.of(place, self._issuer, self._password(), self.settings.limit_s)
                    return canaries.prove(doors, change.nonce)
            except TrialFailed as error:
                return [str(error)]

    def _put_in_force(self, change: Change, changed: list[str], steps: "_Steps", runs: bool) -> Report:
        notes, denied = self.memory.notes(), tuple(sorted(change.wanted.denied))
        with steps("put in place"):
            self.memory.note(replace(notes, pending=True))
            self._folder.put_in_place(changed)
        if not runs:
            self._keep(change, Notes(change.nonce, digests(change.files), denied, stopped=notes.stopped), steps)
            return Report("written", (), (), steps.ms)
        problems = self._signalled(steps, change.nonce)
        if problems and not canaries.answers(self._doors()):
            self._keep(change, Notes(change.nonce, digests(change.files), denied, stopped=notes.stopped), steps)
            return self._ended("written", problems, steps)
        kicked = [device for device in denied if device not in notes.kicked]
        problems = problems or self._cut_off(kicked, steps) + self._proven(change.nonce, steps)
        if problems:
            return self._restored(notes, problems, steps)
        self._keep(change, Notes(change.nonce, digests(change.files), denied, kicked=denied), steps)
        return self._ended("proven", (), steps, kicked)

    def _signalled(self, steps: "_Steps", nonce: str = "") -> list[str]:
        """Tell the broker, and wait until it has read the change `nonce`. One that we stopped is started."""
        with steps("signal"):
            start = self.memory.notes().stopped and not canaries.answers(self._doors())
            try:
                (self._signal.start if start else self._signal.reload)()
                return self._read(nonce) if nonce else []
            except OSError as error:
                return [f"the broker can't be told to read its files: {error}"]

    def _read(self, nonce: str) -> list[str]:
        until_s = time.monotonic() + self.settings.limit_s
        problem = "the broker has not read its files"
        while time.monotonic() < until_s:
            try:
                if canaries.is_read(self._doors(), nonce):
                    return []
            except (Refused, OSError) as error:
                problem = f"the broker has not read its files: {error}"
            time.sleep(_POLL_S)
        return [problem]

    def _cut_off(self, devices: list[str], steps: "_Steps") -> list[str]:
        with steps("cut off"):
            try:
                kick(self._doors().kick, devices, self.settings.limit_s)
            except (Refused, OSError) as error:
                return [str(error)]
            return []

    def _proven(self, nonce: str, steps: "_Steps") -> list[str]:
        with steps("prove"):
            return canaries.prove(self._doors(), nonce)

    def _restored(self, notes: Notes, problems: list[str], steps: "_Steps", outcome: Outcome = "restored") -> Report:
        """Back to what was proven last; when that does not hold either, the broker is stopped."""
        kept = self.memory.kept(notes)
        if kept is None:
            return self._closed([*problems, "there is nothing proven to go back to"], steps)
        with steps("restore"):
            self._folder.stage(kept)
            self._folder.put_in_place(kept)
        still = self._signalled(steps, notes.nonce)
        if still and not canaries.answers(self._doors()):
            self._noted(replace(notes, pending=False))
            return self._ended("written", [*problems, *still], steps)
        still = still or self._cut_off(list(notes.denied), steps) + self._proven(notes.nonce, steps)
        if still:
            return self._closed([*problems, *still], steps)
        self._noted(replace(notes, pending=False, kicked=notes.denied))
        return self._ended(outcome, problems, steps)

    def _closed(self, problems: list[str], steps: "_Steps") -> Report:
        """Nobody gets in: rules that refuse everybody, for whoever starts the broker again, and the broker stopped."""
        shut: FileSet = {name: acl.closed().encode() for name in (conf.DEVICES_ACL, conf.SERVICES_ACL)}
        with steps("stop"):
            self._folder.stage(shut)
            self._folder.put_in_place(shut)
            self.memory.note(replace(self.memory.notes(), stopped=True, kicked=()))
            for tell in (self._signal.reload, self._signal.stop):
                try:
                    tell()
                except OSError as error:
                    problems = [*problems, str(error)]
        return self._ended("stopped", problems, steps)

    def _keep(self, change: Change, notes: Notes, steps: "_Steps") -> None:
        """What holds now is what we go back to when a later change does not."""
        with steps("keep"):
            self.memory.keep(change.nonce, change.files)
            self._noted(notes)

    def _noted(self, notes: Notes) -> None:
        self.memory.note(notes)
        self.memory.forget_others(notes.nonce)
        self._glance = self._folder.glance(notes.digests)

    def _ended(
        self, outcome: Outcome, problems: list[str] | tuple[()], steps: "_Steps", kicked: list[str] | tuple[()] = ()
    ) -> Report:
        """The report; alarms stand and fall by it."""
        if outcome == "proven":
            self.memory.clear(*_MENDED)
        elif outcome != "healed":  # of that an alarm stands already
            self.memory.alarm("silent" if outcome == "written" else outcome, "; ".join(problems))
            log.error("the broker's rules: %s: %s", outcome, "; ".join(problems))
        return Report(outcome, tuple(kicked), tuple(problems), steps.ms)


class _Steps:
    """Names and times the steps of a change."""

    def __init__(self, at: Callable[[str], None]) -> None:
        self._at = at
        self.ms: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self._at(name)
        began_s = time.perf_counter()
        try:
            yield
        finally:
            self.ms[name] = round(self.ms.get(name, 0) + 1000 * (time.perf_counter() - began_s), 1)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
