"""Pictures of what was missed and of what was imagined, for people who tune and for the docs."""

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from av.video.frame import VideoFrame
from PIL import Image, ImageDraw

from firmware_sim.cameras.scenes.spoiled import Spoilable
from kewang.bench.cameras_drive import shown
from kewang.bench.cameras_life import Case
from kewang.bench.cameras_plan import DAY_S

LIMIT: Final = 300
"""Pictures in a folder: a blind judge would fill the disk."""
_ENLARGED: Final = 2
_LINE_PX: Final = 13
_CHARACTER_PX: Final = 6.4


class Album:
    """Tells each case as a line, and paints it into a folder; the scenes give any moment again."""

    def __init__(
        self, scenes: Mapping[str, Callable[[int], Spoilable]], folder: Path | None, tell: Callable[[str], None] | None
    ) -> None:
        self._scenes, self._folder, self._tell = scenes, folder, tell
        self._kept = 0

    def keep(self, case: Case) -> None:
        """Tell and paint one case."""
        if self._tell:
            self._tell(caption(case))
        if self._folder and self._kept < LIMIT:
            self._folder.mkdir(parents=True, exist_ok=True)
            painted(self._scenes[case.family](case.seed), case).save(self._folder / f"{file_stem(case)}.png")
            self._kept += 1


def caption(case: Case) -> str:
    """Where, when and what, on one line."""
    return f"{case.family} {case.seed} {clock(case.time_s)}: {case.text}"


def clock(time_s: float) -> str:
    """Day and time of day, as `day 3 14:05:09`."""
    day, within = divmod(int(time_s), int(DAY_S))
    return f"day {day} {within // 3600:02}:{within // 60 % 60:02}:{within % 60:02}"


def file_stem(case: Case) -> str:
    """A file's name that says what is in it."""
    what = case.event.fault if case.event else "calm"
    when = clock(case.time_s).replace(":", "").replace(" ", "-")
    return f"{what}-{case.kind}-{case.family}-{case.seed}-{when}"


def painted(scene: Spoilable, case: Case) -> Image.Image:
    """The picture the judge saw, enlarged, with its caption below."""
    i420 = shown(scene, case.event).at(case.seen_s).i420
    seen = Image.fromarray(VideoFrame.from_ndarray(i420, "yuvj420p").to_ndarray(format="rgb24"))
    width, height = seen.width * _ENLARGED, seen.height * _ENLARGED
    lines = textwrap.wrap(caption(case), int(width / _CHARACTER_PX))
    page = Image.new("RGB", (width, height + _LINE_PX * (len(lines) + 1)), "white")
    page.paste(seen.resize((width, height), Image.Resampling.BICUBIC))
    ImageDraw.Draw(page).multiline_text((6, height + 4), "\n".join(lines), "black", spacing=1)
    return page
