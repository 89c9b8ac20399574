"""The result of `kewang bench alerts` as tables for people."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

_ROWS: Final = {
    "missed": "missed",
    "false_share": "false, share of what was told",
    "notices": "notices",
    "notices_per_incident": "notices an incident",
    "ttd_s": "s until told, p50 / p95",
    "worst_10min": "worst 10 minutes",
    "cause_accuracy": "right place and reason",
    "compression": "city dark: devices a notice",
}
_TARGETS: Final = {
    "missed": "0",
    "false_share": "< 0.01",
    "notices_per_incident": "≤ 1.15",
    "ttd_s": "site 95 / 125, wired 120 / 150, cellular 175 / 205",
    "worst_10min": "≤ 10",
    "cause_accuracy": "≥ 0.95",
    "compression": "≥ 500",
}
_OTHERS: Final = (
    *("fates", "short_share", "closings_per_incident", "unclosed", "closed_unopened", "opened_twice"),
    *("worst_10min_closings", "place_accuracy", "why_accuracy"),
)
_WIDTH: Final = 150


def show(result: Mapping[str, Any]) -> None:
    """Print it on standard output."""
    console = Console(highlight=False)
    console.width = max(console.width, _WIDTH)
    if "baselines" in result:
        console.print(_beside(result))
        console.print("\n".join(f"{key}: {_word(result[key])}" for key in _OTHERS), markup=False)
        levels = {"ttd_s": result["ttd_by_level_s"]}
        console.print(f"s until told, p50 / p95, by what it was: {_spreads(levels['ttd_s'])}", markup=False)
    for name in ("by_seed", "sweep", "memory"):
        if result.get(name):
            console.print(_rows(name, result[name]))
    if "preview" in result:
        console.print(f"preview beside what was sent: {_word(result['preview'])}", markup=False)
    console.print(f"{result['seconds']:g} s on {result['cores']} cores, rules {result['rules_sha256'][:12]}")
    for reason in result["failed"]:
        console.print(f"FAILED: {reason}", style="bold red", markup=False)
    console.print("ok" if result["ok"] else "not ok", style="bold green" if result["ok"] else "bold red")


def _beside(result: Mapping[str, Any]) -> Table:
    title = f"{result['seeds']} cities of {result['devices']} devices, {result['days']:g} days, "
    title += f"{result['incidents']} outages; {100 * result['loss']:g} % of beats lost"
    others = result["baselines"]
    table = Table("", "Kewang", "target", *(each["name"] for each in others), title=title, title_justify="left")
    for key, words in _ROWS.items():
        values = (_spreads(each[key]) if key == "ttd_s" else _word(each[key]) for each in (result, *others))
        ours, *theirs = values
        table.add_row(words, ours, _TARGETS.get(key, ""), *theirs)
    return table


def _rows(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    keys = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*keys, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(_word(row.get(key)) for key in keys))
    return table


def _spreads(spreads: Mapping[str, Mapping[str, Any]]) -> str:
    return ", ".join(f"{name} {_word(each['p50'])} / {_word(each['p95'])}" for name, each in spreads.items())


def _word(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_word(each)}" for key, each in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
