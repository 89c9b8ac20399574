"""A card of its own for a box, whose writes the kernel counts: ext4 in a file, behind a loop device, if we are root."""

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kewang.bench.process import Part, PartFailed

_SIZE_MB: Final = 64
_SYSTEM_FOLDERS: Final = "/usr/local/sbin:/usr/sbin:/sbin"
_SECTOR_BYTES: Final = 512
_SECTORS_WRITTEN, _FLUSHES = 6, 15
"""Fields of /sys/block/*/stat (kernel documentation, block/stat.rst)."""
_OPTIONS: Final = "loop,noatime,lazytime"
_COMMIT_S: Final = 3600
"""As docs, a Raspberry Pi, says: dates of files are no reason to write. Without `commit` each sync is followed, 5 s
later, by 12 KiB of ext4's journal for one of them (Linux 6.18; `lazytime` does not help)."""


class CardDisk:
    """The card at `folder`, in the file `image`, in a life so many times `faster`. Without root it is where `folder`
    is, and nothing of it is counted."""

    def __init__(self, image: Path, folder: Path, faster: float = 1.0) -> None:
        self.image, self.folder = image.absolute(), folder
        self._options = f"{_OPTIONS},commit={max(1, round(_COMMIT_S / faster))}"
        self._device: str | None = None

    def __enter__(self) -> Self:
        if os.geteuid() == 0 and Path("/dev/loop-control").exists():
            with self.image.open("wb") as file:
                file.truncate(_SIZE_MB * 1024 * 1024)
            made = _done(
                "mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(self.image)
            )
            if made and _done("mount", "-o", self._options, str(self.image), str(self.folder)):
                self._device = _loop_of(self.image)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whoever still holds a file there is on its way out; the mount goes with it.
        if self._device is not None and not (
            _done("umount", str(self.folder)) or _done("umount", "-l", str(self.folder))
        ):
            raise PartFailed(f"{self.folder} can't be unmounted")

    def counted(self) -> tuple[int, int] | None:
        """Bytes written to the card and syncs asked of it since it was made; the file system's own among them."""
        if self._device is None:
            return None
        fields = Path(f"/sys/block/{self._device}/stat").read_text().split()
        return int(fields[_SECTORS_WRITTEN]) * _SECTOR_BYTES, int(fields[_FLUSHES])


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes that the agent gave to the disk; what the card got of them with the file system's own, and its syncs."""

    by_agent: int
    on_card: int | None
    syncs: int | None

    def __sub__(self, before: "Written") -> "Written":
        if self.on_card is None or self.syncs is None or before.on_card is None or before.syncs is None:
            return Written(self.by_agent - before.by_agent, None, None)
        return Written(self.by_agent - before.by_agent, self.on_card - before.on_card, self.syncs - before.syncs)


def written(agent: Part, card: CardDisk) -> Written:
    """Up to now. Raises PartFailed if the agent ended."""
    on_card, syncs = card.counted() or (None, None)
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{agent.pid}/io").read_text().splitlines()
        return Written(int(next(line for line in lines if line.startswith("write_bytes:")).split()[1]), on_card, syncs)
    raise PartFailed(f"{agent.name} ended while it was measured:\n{agent.log_tail()}")


def _loop_of(image: Path) -> str | None:
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if file.read_text().strip() == str(image):
                return file.parts[3]
    return None


def _done(program: str, *words: str) -> bool:
    found = shutil.which(program) or shutil.which(program, path=_SYSTEM_FOLDERS)
    return found is not None and not subprocess.run([found, *words], capture_output=True, check=False).returncode
