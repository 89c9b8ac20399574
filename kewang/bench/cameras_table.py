"""The result of `kewang bench cameras` as tables for people."""

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table

_COLUMNS: Final = {
    "fault": "fault",
    "class": "class",
    "events": "events",
    "recall": "recall",
    "typed": "right type",
    "latency_p50_s": "p50 s",
    "latency_p95_s": "p95 s",
    "latency_max_s": "max s",
    "baseline_k1": "fixed K=1",
    "baseline_k3": "fixed K=3",
}
"""Key of `by_fault` -> head of its column."""
_WIDTH: Final = 110


def show(result: Mapping[str, Any]) -> None:
    """Print it on standard output."""
    console = Console(highlight=False)
    console.width = max(console.width, _WIDTH)
    families = [*result["families"], ""]
    for name, figures in zip(families, (result, result["second_family"]), strict=False):
        if figures:
            console.print(_by_fault(name, figures))
            console.print(_totals(figures))
            console.print(_others(figures), markup=False)
    if result.get("wire"):
        console.print(f"wire: {_words(result['wire'])}", markup=False)
    console.print(
        f"{result['seconds']:g} s on {result['cores']} cores, thresholds {result['thresholds_sha256'][:12]}",
        markup=False,
    )
    for reason in result["failed"]:
        console.print(f"FAILED: {reason}", style="bold red", markup=False)
    console.print("ok" if result["ok"] else "not ok", style="bold green" if result["ok"] else "bold red")


def _by_fault(name: str, figures: Mapping[str, Any]) -> Table:
    title = f"{name}: {len(figures['test_seeds'])} cameras, {figures['calm_days']:g} days without a fault"
    table = Table(*_COLUMNS.values(), title=title, title_justify="left")
    for row in figures["by_fault"]:
        table.add_row(*(_word(row[key]) for key in _COLUMNS))
    return table


def _totals(figures: Mapping[str, Any]) -> Table:
    keys = ("hard_recall", "soft_recall", "slow_recall", "typed_recall", "false_alarms_per_camera_day")
    baseline = figures["baseline"]
    table = Table("", "Kewang", *(f"fixed thresholds {name.upper()}" for name in baseline))
    for key in keys:
        table.add_row(key, _word(figures[key]), *(_word(each[key]) for each in baseline.values()))
    return table


def _others(figures: Mapping[str, Any]) -> str:
    keys = ("latency_p95_s", "latency_max_s", "cpu_ms_per_sample", "false_alarms", "sparse", "market")
    return "\n".join(f"{key}: {_words(figures[key])}" for key in keys)


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_words(each)}" for key, each in value.items())
    return _word(value)


def _word(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)
