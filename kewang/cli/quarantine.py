"""`kewang quarantine`: refused readings: list them, store them after all, mark them deleted."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kewang.cli.common import FOUND, USAGE, AsJson, Config, fail, print_json
from kewang.cli.store import SecretFile, Url, User, iso, moment_ms, show, store_settings, with_store

if TYPE_CHECKING:
    from gateway.ports import Refused, Store
    from gateway.replay import Wanted

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Refused readings: list them, store them after all, mark them deleted. "
    "Exit codes: 0 done; 1 some rows are refused today too; 2 wrong words; 3 the database does not answer.",
)
SHOWN_CHARACTERS = 70
REASONS_SHOWN = 20

Device = Annotated[str | None, typer.Option("--device", help="Only this device.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Only reasons that begin so: range, unknown metric, ...")]
Since = Annotated[
    str | None,
    typer.Option("--since", help="Only rows dated so or later: ISO 8601 with a zone, or Unix seconds."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("list")
def list_(
    config: Config = None,
    url: Url = None,
    user: User = None,
    secret_file: SecretFile = None,
    device: Device = None,
    reason: Reason = None,
    since: Since = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Rows marked as done with, too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows shown, at most.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """Show the rows in quarantine, newest first. A message that can't be read at all has no time and source `-`.

    Examples:

        kewang quarantine list --config gateway.toml --device mardika-01

        kewang quarantine list --store sqlite:///kewang.db --reason "unknown metric" --json
    """
    wanted = _wanted(device, reason, since, deleted)
    settings = store_settings(config, url, user, secret_file)
    rows = with_store(settings, lambda store: _first(store, wanted, limit))
    if as_json:
        print_json({"ok": True, "rows": [_as_dict(row) for row in rows]})
        return
    if not rows:
        typer.echo("nothing in quarantine")
        return
    show([_as_dict(row) | {"row": row.row[:SHOWN_CHARACTERS]} for row in rows])
    if len(rows) == limit:
        typer.echo(f"the newest {limit}; more with --limit")


@app.command()
def replay(
    config: Config = None,
    url: Url = None,
    user: User = None,
    secret_file: SecretFile = None,
    device: Device = None,
    reason: Reason = None,
    since: Since = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Judge rows again by today's catalogue, and store those that are well now; they leave the list.

    An unreadable message is read again. Repeatable: what is stored is stored once.

    Example: kewang quarantine replay --config gateway.toml --reason "unknown metric"
    """
    _change("replay", "judged again and stored if they are well", (config, url, user, secret_file),
            _wanted(device, reason, since), yes, as_json)  # fmt: skip


@app.command()
def delete(
    config: Config = None,
    url: Url = None,
    user: User = None,
    secret_file: SecretFile = None,
    device: Device = None,
    reason: Reason = None,
    since: Since = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Mark rows as done with: they leave the list and stay in the database, for the ledger.

    Example: kewang quarantine delete --config gateway.toml --device mardika-01 --reason range
    """
    _change("delete", "marked as deleted", (config, url, user, secret_file),
            _wanted(device, reason, since), yes, as_json)  # fmt: skip


def _wanted(device: str | None, reason: str | None, since: str | None, deleted: bool = False) -> "Wanted":
    from gateway.replay import Wanted

    return Wanted(device, reason, moment_ms(since, "--since") if since else None, deleted)


def _change(
    what: str, becomes: str, where: tuple[Any, Any, Any, Any], wanted: "Wanted", yes: bool, as_json: bool
) -> None:
    """Do `what` with the rows that are meant, after asking."""
    settings = store_settings(*where)
    count = with_store(settings, lambda store: _count(store, wanted))
    if count and not yes:
        if as_json:
            fail(f"{count} rows are meant: say --yes to {what} them", USAGE)
        typer.confirm(f"{count} rows are {becomes}. Go on?", abort=True)
    do = _replay if what == "replay" else _delete
    result = with_store(settings, lambda store: do(store, wanted))
    if as_json:
        print_json(result)
    else:
        typer.echo(
            ", ".join(f"{name} {value}" for name, value in result.items() if isinstance(value, int) and name != "ok")
        )
        for each in result.get("why_not", []):
            typer.echo(f"  {each['time'] or '-'} {each['device']} {each['source']}: {each['reason']}")
    raise typer.Exit(0 if result["ok"] else FOUND)


async def _count(store: "Store", wanted: "Wanted") -> int:
    from gateway.replay import pages

    return sum([len(page) async for page in pages(store, wanted)])


async def _first(store: "Store", wanted: "Wanted", limit: int) -> "list[Refused]":
    from gateway.replay import pages

    found: list[Refused] = []
    async for page in pages(store, wanted):
        found += page
        if len(found) >= limit:
            break
    return found[:limit]


async def _replay(store: "Store", wanted: "Wanted") -> dict[str, Any]:
    from gateway.judge import Window
    from gateway.replay import pages, replay
    from kewang.wire.timers import Timers

    window = Window(newest_ms=time.time_ns() // 1_000_000 + int(Timers().ahead_s * 1000))
    stored = 0
    left: list[tuple[Refused, str]] = []
    async for page in pages(store, wanted):
        done = await replay(store, page, window)
        stored += done.stored
        left += done.why_not
    why_not = [_as_dict(row) | {"reason": why} for row, why in left[:REASONS_SHOWN]]
    return {"ok": not left, "stored": stored, "refused": len(left), "why_not": why_not}


async def _delete(store: "Store", wanted: "Wanted") -> dict[str, Any]:
    from gateway.replay import mark, pages

    deleted = 0
    async for page in pages(store, wanted):
        await mark(store, page)
        deleted += len(page)
    return {"ok": True, "deleted": deleted}


def _as_dict(row: "Refused") -> dict[str, Any]:
    from kewang.wire.names import NO_SOURCE

    return {
        "time": None if row.series.source == NO_SOURCE else iso(row.date_ms),
        "device": row.series.device,
        "stream": row.series.stream,
        "source": row.series.source,
        "reason": row.reason,
        "row": row.row,
    } | ({"deleted": True} if row.deleted else {})
