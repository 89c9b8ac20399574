"""`kewang edge`: run the agent, check its settings, see how it is doing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kewang.cli import edge_camera, edge_enrol, edge_sensors, edge_upgrade
from kewang.cli.common import FOUND, UNREACHABLE, AsJson, Check, Verbose, fail, print_json, settings_errors
from kewang.runtime.program import run_until_signalled, set_up_logging

if TYPE_CHECKING:
    from edge.settings import OutboxSettings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The agent on a device.")
app.add_typer(edge_camera.app, name="camera")
app.command()(edge_enrol.identity)
app.command()(edge_enrol.enrol)
app.command()(edge_sensors.discover)
app.command("try")(edge_sensors.try_)
app.command()(edge_upgrade.upgrade)

NeededConfig = Annotated[Path, typer.Option("--config", "-c", readable=False, help="Settings file (TOML).")]


@app.command()
def run(config: NeededConfig, check: Check = False, verbose: Verbose = False) -> None:
    """Run the agent until SIGTERM or Ctrl-C. `--check` only validates the settings."""
    from edge.ports import OutboxBusy, OutboxFull, OutboxTooNew
    from edge.service import run as serve
    from edge.settings import build_sources, read_settings, read_start

    set_up_logging(verbose)
    with settings_errors():
        if check:
            build_sources(read_settings(config))
            return
        if read_start(config).enrolment is None:
            read_settings(config)
        try:
            code = run_until_signalled(lambda stopping: serve(config, stopping))
        except (OutboxBusy, OutboxFull, OutboxTooNew) as error:
            fail(str(error), UNREACHABLE)
    raise typer.Exit(code)


@app.command()
def check(config: NeededConfig, as_json: AsJson = False) -> None:
    """Validate the settings without touching network or disk, and show what would be read."""
    from edge.settings import build_sources, read_settings
    from edge.sources import installed

    with settings_errors():
        settings = read_settings(config)
        sources = build_sources(settings)
    found: list[dict[str, Any]] = [
        {"name": source.name, "stream": source.stream, "interval_s": source.interval_s, "metrics": list(source.metrics)}
        for source in sources
    ]
    rhythm = settings.outbox.rhythm
    if as_json:
        told = {"profile": settings.outbox.profile, "flush_s": rhythm.flush_s, "flush_rows": rhythm.flush_rows}
        print_json(
            {"ok": True, "device": settings.device, "outbox": told, "sources": found, "drivers": list(installed())}
        )
        return
    typer.echo(f"{config}: well. Device {settings.device}, broker {settings.broker.host}:{settings.broker.port}")
    for each in found:
        typer.echo(f"  {each['name']:<12} every {each['interval_s']:g} s: {', '.join(each['metrics'])}")
    if power := settings.power:
        for level in power.levels:
            typer.echo(
                f"  {power.source} {power.metric} below {level.below:g}: at {level.stretch:g} times these periods"
            )
    typer.echo(f"profile {settings.outbox.profile}: a power cut takes the readings of the last {rhythm.flush_s:g} s")
    for line in _overridden(settings.outbox):
        typer.echo(f"  {line}")
    typer.echo(f"drivers installed: {', '.join(installed())}")


def _overridden(outbox: "OutboxSettings") -> list[str]:
    """What the settings say against a profile that they name."""
    from edge.settings import PROFILES

    profile = PROFILES[outbox.profile]
    times = [
        ("flush_s", outbox.flush_s, profile.flush_s, "s"),
        ("flush_rows", outbox.flush_rows, profile.flush_rows, "rows"),
    ]
    return [
        f"{key} = {own:g} overrides {outbox.profile} ({given:g} {unit}): take it out"
        for key, own, given, unit in times
        if "profile" in outbox.model_fields_set and own not in (None, given)
    ]


@app.command()
def status(config: NeededConfig, as_json: AsJson = False) -> None:
    """How the running agent is doing: what waits, the last ack, the clock, each source."""
    from edge.settings import read_settings
    from edge.status import NotRunning, ask, socket_path

    with settings_errors():
        settings = read_settings(config)
    try:
        report = ask(socket_path(settings.outbox.path))
    except NotRunning as error:
        fail(str(error), UNREACHABLE)
    if as_json:
        print_json(report)
    else:
        _show(report)
    if not report["connected"] or any(source["error"] for source in report["sources"]):
        raise typer.Exit(FOUND)


def _show(report: dict[str, Any]) -> None:
    outbox, clock = report["outbox"], report["clock"]
    link = "connected" if report["connected"] else f"NOT CONNECTED: {report['link_error'] or 'trying'}"
    typer.echo(f"device    {report['device']}, run {report['run']}")
    typer.echo(f"broker    {link}; connection {report['connects']} of this run")
    typer.echo(f"last ack  {_age(report['last_ack_age_s'])}, credit {report['credit']}")
    dated = "dated" if clock["dated"] else "NOT DATED: waits for network time or the gateway"
    typer.echo(f"clock     {'synchronised' if clock['synchronised'] else 'not synchronised'}, {dated}")
    share = 100 * outbox["used_bytes"] / outbox["budget_bytes"]
    in_memory = sum(source["pending_rows"] for source in report["sources"])
    # An agent that was not restarted since an upgrade does not tell them.
    if profile := report.get("profile"):
        typer.echo(f"profile   {profile['name']}: to the disk every {profile['flush_s']:g} s")
    if power := report.get("power"):
        typer.echo(f"power     {_battery(power)}")
    waiting = f"{outbox['held_rows']} rows in {outbox['open_batches']} batches, {in_memory} rows in memory"
    typer.echo(f"waiting   {waiting}; outbox {share:.0f} % full")
    typer.echo(f"thinned   {outbox['thinned_rows']} rows")
    typer.echo(f"dropped   {outbox['dropped_rows']} rows; damaged batches {outbox['damaged_batches']}")
    if any(report["commands"].values()):
        typer.echo(f"commands  {report['commands']['done']} done, {report['commands']['ignored']} ignored")
    for source in report["sources"]:
        values = ", ".join(f"{name} {value:g}" for name, value in source["last"].items() if value is not None)
        trouble = f"  ERROR: {source['error']}" if source["error"] else ""
        typer.echo(f"  {source['name']:<12} {_age(source['last_age_s'])}: {values}{trouble}")


def _battery(power: dict[str, Any]) -> str:
    if power["value"] is None:
        return f"{power['metric']} not heard yet: every source at its period"
    pace = f"every source at {power['stretch']:g} times its period" if power["stretch"] > 1 else "periods as set"
    return f"{power['metric']} {power['value']:g}: {pace}"


def _age(age_s: float | None) -> str:
    return "never" if age_s is None else f"{age_s:.0f} s ago"
