"""`kewang ledger`: is every reading accounted for? From the database alone."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kewang.cli.common import FOUND, USAGE, AsJson, Config, fail, print_json
from kewang.cli.store import SecretFile, Url, User, iso, moment_ms, show, store_settings, with_store
from kewang.wire.names import is_device

if TYPE_CHECKING:
    from gateway.ledger import Total
    from gateway.ports import Store

app = typer.Typer(add_completion=False)
DAY_MS = 86_400_000
FILLING_MS = 600_000
"""So long after a rewind boxes may not have said yet what they hold."""
FIGURES = ("made", "stored", "quarantined", "thinned", "dropped", "held", "missing", "lost", "completeness_pct")


@app.command()
def ledger(
    config: Config = None,
    url: Url = None,
    user: User = None,
    secret_file: SecretFile = None,
    device: Annotated[str | None, typer.Option("--device", help="Only this device.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="From this time on; default: 24 hours ago.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Up to this time; default: now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Is every reading accounted for? Per device, whole UTC hours, from the database alone.

    made: stated by the device (in its newest heartbeat; stored may be ahead of it) = stored + quarantined + thinned
    + dropped + missing. thinned: told by rows of fewer, stored ones. held: what the device still has to send. lost:
    missing beyond what it holds. For some minutes after a rewind devices have not said yet what they hold: look again.

    Exit codes: 0 nothing is lost; 1 something is, or the device is unknown; 2 wrong words; 3 no answer.

    Examples:

        kewang ledger --config gateway.toml

        kewang ledger --store sqlite:///kewang.db --from 2026-07-01T00:00+09:00 --json
    """
    now_ms = time.time_ns() // 1_000_000
    to_ms = moment_ms(to, "--to") if to else now_ms
    from_ms = moment_ms(from_, "--from") if from_ else to_ms - DAY_MS
    if from_ms >= to_ms:
        fail("--from must be before --to", USAGE)
    if device is not None and not is_device(device):
        fail(f"--device {device!a} is no device id: 3 to 32 characters of a-z, 0-9 and '-'", USAGE)
    settings = store_settings(config, url, user, secret_file)
    result = with_store(settings, lambda store: _result(store, from_ms, to_ms, device))
    if as_json:
        print_json(result)
    else:
        _show(result)
    if device and not result["devices"]:
        fail(f"nothing is known of {device} in these hours: check the name and --from, --to", FOUND)
    raise typer.Exit(0 if result["ok"] else FOUND)


async def _result(store: "Store", from_ms: int, to_ms: int, device: str | None) -> dict[str, Any]:
    from gateway.ledger import device_totals, overall
    from gateway.ledger import ledger as read_ledger
    from gateway.replay import quarantined_alone
    from kewang.wire.tally import HOUR_MS

    from_ms, to_ms = from_ms // HOUR_MS * HOUR_MS, -(-to_ms // HOUR_MS) * HOUR_MS
    totals = device_totals(await read_ledger(store, from_ms, to_ms), await store.held())
    quarantined = await quarantined_alone(store, from_ms, to_ms)
    chosen = {name: total for name, total in totals.items() if device in (None, name)}
    total = overall(chosen.values())
    return {
        "ok": total.lost == 0,
        "filling": bool(total.lost) and await _filling(store),
        "from": iso(from_ms),
        "to": iso(to_ms),
        "devices": [{"device": name, **_figures(one, quarantined.get(name, 0))} for name, one in chosen.items()],
        "total": _figures(total, sum(quarantined.get(name, 0) for name in chosen)),
    }


async def _filling(store: "Store") -> bool:
    """Whether a rewind is so young that what seems lost may be on its way."""
    newest_s = max((rewind.number for rewind in await store.rewinds()), default=0)
    return time.time_ns() // 1_000_000 - newest_s * 1000 < FILLING_MS


def _figures(total: "Total", quarantined: int) -> dict[str, Any]:
    quarantined = min(quarantined, total.found)
    every = asdict(total) | {"stored": total.found - quarantined, "quarantined": quarantined}
    return {name: every[name] for name in FIGURES[:-1]} | {"completeness_pct": round(total.completeness_pct, 4)}


def _ahead(row: dict[str, Any]) -> int:
    """How many more readings are found than the device stated as made."""
    found: int = sum(row[name] for name in ("stored", "quarantined", "thinned", "dropped", "missing"))
    return found - int(row["made"])


def _show(result: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD

    every = [*result["devices"], {"device": "all", **result["total"]}]
    # Seldom anything was thinned, and 80 columns are few.
    unsaid = set() if any(row.get("thinned") for row in every) else {"thinned"}
    told = [{name: value for name, value in row.items() if name not in unsaid} for row in every]
    rows = [{("%" if name == FIGURES[-1] else name): value for name, value in row.items()} for row in told]
    title = f"{result['from']} to {result['to']}"
    show(rows, title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    if ahead := sum(_ahead(row) for row in result["devices"]):
        typer.echo(f"{ahead} readings are stored that no heartbeat has stated yet: the live page counts them as made")
    lost = result["total"]["lost"]
    if result["filling"]:
        typer.echo(f"{lost} readings seem lost: after a rewind devices say within minutes what they hold: look again")
    else:
        typer.echo(f"{lost} readings are lost" if lost else "every reading is accounted for")
