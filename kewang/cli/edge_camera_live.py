"""`kewang edge camera watch` on a terminal: the last looks side by side, the newest at the right, renewed in place."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kewang.cli import edge_camera_told as told
from kewang.wire.cameras import REASON_WORDS, STATE_WORDS
from kewang.wire.catalogue import METRICS, Metric

if TYPE_CHECKING:
    from edge.cameras.probe import Found

_NAME_WIDTH: Final = 30
_LOOK_WIDTH: Final = 13
_MOST_LOOKS: Final = 12
_SHOWN: Final = frozenset(
    {
        *("fps", "bitrate_kbps", "first_keyframe_ms", "keyframe_interval_s", "loss_pct"),
        *("brightness_pct", "contrast_pct", "sharpness_ratio", "covered_pct", "view_match"),
    }
)


@contextmanager
def shown(url: str, language: str) -> Iterator[Callable[["Found"], None]]:
    """A table on standard output while the block runs; what it gives takes a look in. The last table stays there."""
    console = Console(highlight=False)
    looks: deque[tuple[str, Found]] = deque(maxlen=_MOST_LOOKS)
    title = Text(url, "bold", overflow="ellipsis", no_wrap=True)
    first = Group(title, told.word("looking", language))
    with Live(first, console=console, auto_refresh=False) as live:

        def show(found: "Found") -> None:
            looks.append((time.strftime("%H:%M:%S"), found))
            fitting = max(1, (console.width - _NAME_WIDTH) // _LOOK_WIDTH)
            live.update(
                Group(title, _side_by_side(list(looks)[-fitting:], language), _below(found, language)), refresh=True
            )

        yield show


def _side_by_side(looks: list[tuple[str, "Found"]], language: str) -> Table:
    """A column for each look."""
    english = language != "id"
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(width=_NAME_WIDTH - 1)
    for moment, _ in looks:
        table.add_column(moment, width=_LOOK_WIDTH - 1, justify="right")
    verdicts = [found.verdict for _, found in looks]
    states = [
        Text(f"{told.SIGNS[each.state]} {STATE_WORDS[each.state][english]}", told.COLOURS[each.state] or "")
        for each in verdicts
    ]
    table.add_row(told.word("state", language), *states)
    table.add_row(told.word("because", language), *(REASON_WORDS[each.reason][english] for each in verdicts))
    for metric in METRICS:
        if metric.name in _SHOWN and any(metric.name in found.metrics for _, found in looks):
            table.add_row(metric.meaning(language), *(_value(metric, found, language) for _, found in looks))
    return table


def _value(metric: Metric, found: "Found", language: str) -> str:
    value = found.metrics.get(metric.name)
    return "–" if value is None else told.value(metric, value, language).strip()


def _below(found: "Found", language: str) -> RenderableType:
    """What the newest look saw and makes suspect, and what to do first."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, text in told.remarks(found, language):
        style = "yellow" if name == "suspected" else ""
        table.add_row(told.word(name, language), Text(text, style))
    return table
