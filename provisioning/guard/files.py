"""The broker's files as a set: staged beside those in use, put in place one rename each, looked after."""

import grp
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provisioning.files import sync_folder

FileSet = Mapping[str, bytes]
"""Content by name."""

MODE: Final = 0o640
"""The broker reads by its group; keys are among them, so nobody else does."""
_FOLDER_MODE: Final = 0o750
_STAGED: Final = "staged"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of which we are the one writer. `group`: name of the group that may read it."""

    path: Path
    group: str | None = None

    @property
    def staged(self) -> Path:
        """Where a change waits."""
        return self.path / _STAGED

    def prepare(self) -> None:
        """Make it. Raises OSError."""
        self.path.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        self._hand_over(self.path, _FOLDER_MODE)

    def stage(self, files: FileSet, unlike: Mapping[str, str] | None = None) -> list[str]:
        """Write `files` beside those in use; the names of those that are to be put in place, which are on the disk.

        `unlike`: digests of what is in use; a file that is so already is staged for the trial alone. What an earlier
        change left there is gone.
        """
        self.unstage()
        self.staged.mkdir(mode=_FOLDER_MODE)
        self._hand_over(self.staged, _FOLDER_MODE)
        in_use = unlike or {}
        changed = [
            name
            for name, content in files.items()
            if sha256(content) != in_use.get(name) or self.altered({name: in_use[name]})
        ]
        for name, content in files.items():
            self._write(self.staged / name, content, durable=name in changed)
        return changed

    def unstage(self) -> None:
        """Forget what is staged."""
        shutil.rmtree(self.staged, ignore_errors=True)

    def read_staged(self, name: str) -> bytes:
        """What is staged as `name`, as it is on the disk. Raises OSError."""
        return (self.staged / name).read_bytes()

    def staged_amiss(self, digests: Mapping[str, str]) -> list[str]:
        """Names that are staged with other content, mode or owner than they should have; or missing."""
        return [name for name, digest in digests.items() if not self._is_ours(self.staged / name, digest)]

    def put_in_place(self, files: Iterable[str]) -> None:
        """Rename what is staged over what is in use; each file is the old or the new one, never half of one."""
        for name in files:
            os.replace(self.staged / name, self.path / name)
        sync_folder(self.path)
        self.unstage()

    def altered(self, digests: Mapping[str, str]) -> list[str]:
        """Names that are not as we left them: content, mode, owner or group; or missing."""
        return [name for name, digest in digests.items() if not self._is_ours(self.path / name, digest)]

    def glance(self, names: Mapping[str, str]) -> tuple[object, ...]:
        """Changes when any of the files may have changed; cheap."""
        return tuple(_glance(self.path / name) for name in names)

    def _is_ours(self, file: Path, digest: str) -> bool:
        try:
            status = file.lstat()
            if not stat.S_ISREG(status.st_mode) or stat.S_IMODE(status.st_mode) != MODE:
                return False
            owned = status.st_uid == os.geteuid() and status.st_gid == self._gid()
            return owned and sha256(file.read_bytes()) == digest
        except OSError:
            return False

    def _write(self, file: Path, content: bytes, *, durable: bool) -> None:
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
        with open(number, "wb") as out:
            out.write(content)
            self._hand_over(file, MODE)
            out.flush()
            if durable:
                os.fsync(out.fileno())

    def _hand_over(self, path: Path, mode: int) -> None:
        os.chown(path, -1, self._gid())
        os.chmod(path, mode)

    def _gid(self) -> int:
        if self.group is None:
            return os.getegid()
        try:
            return grp.getgrnam(self.group).gr_gid
        except KeyError:
            raise OSError(f"there is no group {self.group!r}: correct guard.group, or install the broker") from None


def sha256(content: bytes) -> str:
    """Digest in hex."""
    return hashlib.sha256(content).hexdigest()


def digests(files: FileSet) -> dict[str, str]:
    """Digest by name."""
    return {name: sha256(content) for name, content in files.items()}


def _glance(file: Path) -> object:
    try:
        status = file.lstat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_mode
