"""What the guard remembers over its own death: what was proven last, whom it has cut off, what alarms stand."""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from provisioning.files import write_whole
from provisioning.guard.files import FileSet, digests
from provisioning.guard.report import Alarm, AlarmCode

_NOTES: Final = "guard.json"
_ALARMS: Final = "alarms.json"
_GOOD: Final = "good-"


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


TEXTS: Final[Mapping[AlarmCode, str]] = {
    "refused": _("A change of the broker's rules was bad and was not made; the rules before it are in force."),
    "restored": _("A change of the broker's rules did not hold and was undone: a revoked box may still be let in."),
    "stopped": _("The broker was stopped, for its rules could not be proven: nobody gets in until they can."),
    "silent": _("The broker does not answer. Its rules are in place and hold when it starts."),
    "altered": _("Somebody else changed the broker's files. They were put right."),
    "lists-end": _("The revocation lists end in less than three days. After that no box can connect."),
    "certificate-ends": _("A certificate of the broker or of a service ends soon and could not be renewed."),
    "signer": _("Certificates and revocation lists can't be signed."),
    "leftovers": _("What a refused box left in the broker, or its new state for the gateway, can't be sent yet."),
}


@dataclass(frozen=True, slots=True)
class Notes:
    """The last proven change. `nonce`: its name; `digests`: its files; `kicked`: who was cut off since they are denied.

    `pending`: another change has begun to be put in place. `stopped`: we stopped the broker.
    """

    nonce: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    denied: tuple[str, ...] = ()
    kicked: tuple[str, ...] = ()
    pending: bool = False
    stopped: bool = False


class Memory:
    """Files in the guard's own folder (0700), each replaced whole. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def notes(self) -> Notes:
        """What was noted last; nothing, if that can't be read: then everything is done anew."""
        try:
            kept = json.loads((self.folder / _NOTES).read_text())
            return Notes(**{**kept, "denied": tuple(kept["denied"]), "kicked": tuple(kept["kicked"])})
        except (OSError, ValueError, TypeError, KeyError):
            return Notes()

    def note(self, notes: Notes) -> None:
        """Keep `notes`."""
        write_whole(self.folder / _NOTES, json.dumps(asdict(notes)).encode())

    def keep(self, nonce: str, files: FileSet) -> None:
        """Keep the files of a change that was proven, to go back to."""
        folder = self.folder / f"{_GOOD}{nonce}"
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, content in files.items():
            write_whole(folder / name, content)

    def kept(self, notes: Notes) -> FileSet | None:
        """The files that were proven last; None when there are none, or they are not as they were."""
        try:
            files = {name: (self.folder / f"{_GOOD}{notes.nonce}" / name).read_bytes() for name in notes.digests}
        except OSError:
            return None
        return files if files and digests(files) == dict(notes.digests) else None

    def forget_others(self, nonce: str) -> None:
        """Remove what was proven before `nonce`."""
        for folder in self.folder.glob(f"{_GOOD}*"):
            if folder.name != f"{_GOOD}{nonce}":
                shutil.rmtree(folder, ignore_errors=True)

    def alarms(self) -> list[Alarm]:
        """What stands, the oldest first."""
        try:
            kept = json.loads((self.folder / _ALARMS).read_text())
            return [Alarm(each["code"], each["since_ms"], TEXTS[each["code"]], each["detail"]) for each in kept]
        except (OSError, ValueError, TypeError, KeyError):
            return []

    def alarm(self, code: AlarmCode, detail: str, now_ms: int | None = None) -> None:
        """Let an alarm stand; one that stands keeps its beginning."""
        since_ms = int(time.time() * 1000) if now_ms is None else now_ms
        standing = {each.code: each for each in self.alarms()}
        if code in standing and standing[code].detail == detail:
            return
        since_ms = standing[code].since_ms if code in standing else since_ms
        self._write({**standing, code: Alarm(code, since_ms, TEXTS[code], detail)})

    def clear(self, *codes: AlarmCode) -> None:
        """What is mended stands no longer."""
        standing = {each.code: each for each in self.alarms()}
        left = {code: alarm for code, alarm in standing.items() if code not in codes}
        if left != standing:
            self._write(left)

    def _write(self, alarms: Mapping[AlarmCode, Alarm]) -> None:
        rows = [{"code": each.code, "since_ms": each.since_ms, "detail": each.detail} for each in alarms.values()]
        rows.sort(key=lambda row: int(str(row["since_ms"])))
        write_whole(self.folder / _ALARMS, json.dumps(rows).encode())
