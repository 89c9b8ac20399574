"""`kewang incidents`: what is out, what was, one of them with its timeline, and taking one on."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from kewang.cli.common import FOUND, UNREACHABLE, USAGE, AsJson, Config, fail, print_json, settings_errors
from kewang.cli.watched import moment, opened_chronicle, posted, watching_settings

if TYPE_CHECKING:
    from gateway.incidents.model import Incident
    from gateway.settings import GatewaySettings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Outages and other incidents of the city.")
Number = Annotated[int, typer.Argument(min=1, help="Number of the incident.")]


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

    settings = watching_settings(config)
    with opened_chronicle(settings) as chronicle:
        found = chronicle.incidents(open_only=open_only, limit=limit)
    if as_json:
        print_json({"incidents": [facts_of(one) for one in found]})
    for one in [] if as_json else found:
        typer.echo(_line(one, settings))
    if not found and not as_json:
        typer.echo("no incident is open" if open_only else "no incident is known")
    raise typer.Exit(FOUND if any(one.ended_s is None for one in found) else 0)


@app.command()
def show(number: Number, config: Config = None, as_json: AsJson = False) -> None:
    """One incident: its devices, what became of it and when.

    Exit codes: 0 shown; 1 there is none of this number; 2 wrong settings; 3 the file is not there.

    Example: kewang incidents show 17 --config gateway.toml
    """
    from dataclasses import asdict

    from gateway.incidents.facts import facts_of

    settings = watching_settings(config)
    with opened_chronicle(settings) as chronicle:
        found = chronicle.one(number)
    if found is None:
        fail(f"there is no incident {number}: see 'kewang incidents list'", FOUND)
    one, timeline = found
    if as_json:
        print_json({**facts_of(one), "timeline": [asdict(step) for step in timeline]})
        return
    typer.echo(_line(one, settings))
    for name in sorted(one.devices):
        back = f", back {moment(one.back[name], settings)}" if name in one.back else ", not back"
        typer.echo(f"  {name}: heard last {moment(one.devices[name], settings)}{back}")
    for step in timeline:
        by = f" by {step.why['by']}" if step.why.get("by") else ""
        by += f" to {step.why['to']}" if step.why.get("to") else ""
        note = f": {step.why['note']}" if step.why.get("note") else ""
        typer.echo(f"  {moment(step.at_s, settings)} {step.what}{by}, {step.devices} devices, {step.back} back{note}")


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

    settings = watching_settings(config)
    answer = posted(settings, f"/api/v1/incidents/{number}/acknowledge", {"by": by or getpass.getuser(), "note": note})
    if not answer.get("ok"):
        fail(f"incident {number} is not open, or somebody has it: see 'kewang incidents list'", FOUND)
    if as_json:
        print_json({"ok": True, "number": number})
    else:
        typer.echo(f"incident {number} is taken on")


@app.command()
def assign(
    number: Number,
    to: Annotated[str, typer.Option("--to", help="Login of the technician; without it whoever takes it.")] = "",
    by: Annotated[str, typer.Option("--by", help="Who gives it; default: who is logged in on this machine.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Give an incident to a technician: it is a task on the phone, and you have taken the incident on.

    Again it stays one task; while nobody took it, it goes to another. The gateway and provisioning have to run.

    Exit codes: 0 done; 1 it is not open, or the office refuses; 2 wrong settings, or no service token in them; 3 the
    gateway or the office does not answer.

    Example: kewang incidents assign 17 --to rudi --config gateway.toml
    """
    import getpass

    answer = posted(
        watching_settings(config),
        f"/api/v1/incidents/{number}/assign",
        {"to": to, "by": by or getpass.getuser()},
    )
    if not answer.get("ok"):
        fail(f"incident {number} is not given: {answer.get('detail')}", UNREACHABLE if answer.get("away") else FOUND)
    if as_json:
        print_json({"number": number, **answer})
    else:
        typer.echo(f"incident {number} is task {answer['task']} of {answer['to'] or 'whoever takes it'}")


@app.command()
def note(
    number: Number,
    note: Annotated[str, typer.Option("--note", help="What is to be known.")],
    by: Annotated[str, typer.Option("--by", help="Who writes; default: who is logged in on this machine.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write something down of an incident: it stands in its timeline, and nobody is called. The gateway has to run.

    Exit codes: 0 done; 1 there is none of this number, or it is over for too long; 2 wrong settings, no service token
    in them, or nothing to write; 3 the gateway does not answer.

    Example: kewang incidents note 17 --note "the fuse was blown, a new one is in" --config gateway.toml
    """
    import getpass

    settings = watching_settings(config)
    if not note.strip():
        fail("--note is empty: write what is to be known", USAGE)
    said = {"by": by or getpass.getuser(), "note": note}
    if not posted(settings, f"/api/v1/incidents/{number}/note", said).get("ok"):
        why = "it is over for too long, or too much was written in the last minute"
        fail(f"there is no incident {number}, {why}: see 'kewang incidents list'", FOUND)
    if as_json:
        print_json({"ok": True, "number": number})
    else:
        typer.echo(f"written down of incident {number}")


def _line(one: "Incident", settings: "GatewaySettings") -> str:
    from gateway.incidents.rules import load_rules
    from gateway.notify import phrases

    name = phrases.name(one, "en")
    until_s = one.ended_s if one.ended_s is not None else time.time()
    state = "open" if one.ended_s is None else "over"
    taken = f", taken on by {one.acknowledged.by}" if one.acknowledged else ""
    if one.assigned:
        taken += f", task of {one.assigned.to or 'whoever takes it'} ({one.assigned.state})"
    devices = f", devices: {len(one.devices)}" if one.devices else ""
    cause = f", {phrases.CAUSE[one.cause]}" if one.cause else ""
    lasted = f"since {moment(one.since_s, settings)}, {(until_s - one.since_s) / 60:.0f} min"
    assert settings.incidents is not None
    with settings_errors():
        kinds = {rule.name: rule.en for rule in load_rules(settings.incidents.rules)}
    title = phrases.title(one, name, kinds.get(one.kind, one.kind), "en")
    return f"#{one.number} {state} {one.severity}: {title}; {lasted}{devices}{cause}{taken}"
