"""`kewang incidents`: what is out, what was, one of them with its timeline, and taking one on."""

import sqlite3
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from kewang.cli.common import FOUND, UNREACHABLE, USAGE, AsJson, Config, fail, print_json, settings_errors

if TYPE_CHECKING:
    from gateway.incidents.model import Incident
    from gateway.settings import GatewaySettings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Outages and other incidents of the city.")
Number = Annotated[int, typer.Argument(min=1, help="Number of the incident.")]
LIMIT_S = 10.0


@app.command("list")
def list_(
    config: Config = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are not over.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=20_000, help="So many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Incidents, those that are open first, then the newest; also while the gateway does not run.

    Exit codes: 0 none is open; 1 some are; 2 wrong settings; 3 the file is not there.

    Example: kewang incidents list --config gateway.toml
    """
    from gateway.incidents.facts import facts_of

    settings = _settings(config)
    with _chronicle(settings) as chronicle:
        found = chronicle.incidents(open_only=open_only, limit=limit)
    if as_json:
        print_json({"incidents": [facts_of(one) for one in found]})
    for one in [] if as_json else found:
        typer.echo(_line(one, settings))
    raise typer.Exit(FOUND if any(one.ended_s is None for one in found) else 0)


@app.command()
def show(number: Number, config: Config = None, as_json: AsJson = False) -> None:
    """One incident: its devices, what became of it and when.

    Exit codes: 0 shown; 1 there is none of this number; 2 wrong settings; 3 the file is not there.

    Example: kewang incidents show 17 --config gateway.toml
    """
    from dataclasses import asdict

    from gateway.incidents.facts import facts_of

    settings = _settings(config)
    with _chronicle(settings) as chronicle:
        found = chronicle.one(number)
    if found is None:
        fail(f"there is no incident {number}: see 'kewang incidents list'", FOUND)
    one, timeline = found
    if as_json:
        print_json({**facts_of(one), "timeline": [asdict(step) for step in timeline]})
        return
    typer.echo(_line(one, settings))
    for name in sorted(one.devices):
        back = f", back {_moment(one.back[name], settings)}" if name in one.back else ", not back"
        typer.echo(f"  {name}: heard last {_moment(one.devices[name], settings)}{back}")
    for step in timeline:
        by = f" by {step.why['by']}" if step.why.get("by") else ""
        typer.echo(f"  {_moment(step.at_s, settings)} {step.what}{by}, {step.devices} devices, {step.back} back")


@app.command()
def ack(
    number: Number,
    by: Annotated[str, typer.Option("--by", help="Who takes it on; default: who is logged in on this machine.")] = "",
    note: Annotated[str, typer.Option("--note", help="A word for the others.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Take an incident on: nobody is called about it again until it clears. The gateway has to run.

    Exit codes: 0 done; 1 it is not open, or taken already; 2 wrong settings, or no service token in them; 3 the gateway
    does not answer.

    Example: kewang incidents ack 17 --note "the provider was called" --config gateway.toml
    """
    import getpass

    settings = _settings(config)
    answer = _posted(settings, number, {"by": by or getpass.getuser(), "note": note})
    if not answer.get("ok"):
        fail(f"incident {number} is not open, or somebody has it: see 'kewang incidents list'", FOUND)
    if as_json:
        print_json({"ok": True, "number": number})
    else:
        typer.echo(f"incident {number} is taken on")


def _settings(config: Path | None) -> "GatewaySettings":
    from gateway.settings import read_settings

    with settings_errors():
        settings = read_settings(config)
    if settings.incidents is None:
        fail("the settings have no section [incidents]: name the file of the gateway that watches", USAGE)
    return settings


def _chronicle(settings: "GatewaySettings") -> Any:
    from contextlib import closing

    from gateway.chronicle import Chronicle
    from gateway.notify.outbox_file import OutboxRefused
    from gateway.watched import CHRONICLE_FILE

    assert settings.incidents is not None
    path = settings.incidents.folder / CHRONICLE_FILE
    if not path.exists():
        fail(f"{path} is not there: has this gateway run yet?", UNREACHABLE)
    try:
        return closing(Chronicle(path, read_only=True))
    except (OSError, sqlite3.Error, OutboxRefused) as error:
        fail(f"{path}: {error}", UNREACHABLE)


def _posted(settings: "GatewaySettings", number: int, said: dict[str, str]) -> dict[str, Any]:
    import json
    import urllib.error
    import urllib.request

    from kewang.runtime.settings import secret

    console = settings.console
    with settings_errors():
        token = secret(console.service_token_file) if console.service_token_file else None
    if token is None:
        fail("console.service_token_file is not set: without it the gateway believes no program", USAGE)
    host = "127.0.0.1" if console.host in ("0.0.0.0", "::") else console.host
    asked = urllib.request.Request(
        f"http://{host}:{console.port}/api/v1/incidents/{number}/acknowledge",
        json.dumps(said).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=LIMIT_S) as answer:
            told: dict[str, Any] = json.load(answer)
            return told
    except urllib.error.HTTPError as error:
        fail(f"the gateway answers {error.code}: compare console.service_token_file with the running one", UNREACHABLE)
    except (OSError, ValueError) as error:
        fail(f"the gateway at {host}:{console.port} does not answer ({error}): is it running?", UNREACHABLE)


def _line(one: "Incident", settings: "GatewaySettings") -> str:
    from gateway.incidents.rules import load_rules
    from gateway.notify import phrases

    name = phrases.name(one, "en")
    until_s = one.ended_s if one.ended_s is not None else time.time()
    state = "open" if one.ended_s is None else "over"
    taken = f", taken on by {one.acknowledged.by}" if one.acknowledged else ""
    devices = f", devices: {len(one.devices)}" if one.devices else ""
    cause = f", {phrases.CAUSE[one.cause]}" if one.cause else ""
    lasted = f"since {_moment(one.since_s, settings)}, {(until_s - one.since_s) / 60:.0f} min"
    assert settings.incidents is not None
    with settings_errors():
        kinds = {rule.name: rule.en for rule in load_rules(settings.incidents.rules)}
    title = phrases.title(one, name, kinds.get(one.kind, one.kind), "en")
    return f"#{one.number} {state} {one.severity}: {title}; {lasted}{devices}{cause}{taken}"


def _moment(time_s: float, settings: "GatewaySettings") -> str:
    return datetime.fromtimestamp(time_s, ZoneInfo(settings.console.time_zone)).strftime("%Y-%m-%d %H:%M:%S")
