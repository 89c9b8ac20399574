"""`kewang bench alerts`."""

from typing import Annotated

import typer

from kewang.cli.common import AsJson


def alerts(
    devices: Annotated[int, typer.Option(min=10, max=20_000, help="Devices of a city.")] = 1_000,
    days: Annotated[float, typer.Option(min=0.5, max=120, help="Days of a city.")] = 30.0,
    seeds: Annotated[int, typer.Option(min=1, max=200, help="Cities, each from a seed of its own.")] = 10,
    loss: Annotated[float, typer.Option(min=0, max=0.2, help="Share of the single heartbeats that are lost.")] = 0.01,
    full: Annotated[bool, typer.Option("--full", help="40 cities, sweep, memory and preview, for the night.")] = False,
    sweep: Annotated[bool, typer.Option("--sweep", help="Only: by loss, by size, by what each rule trades.")] = False,
    memory: Annotated[bool, typer.Option("--memory", help="Only: the cost of 10,000 and 100,000 devices.")] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Only: does `kewang notify preview` agree with what was sent?")
    ] = False,
    tune: Annotated[bool, typer.Option("--tune", help="The seeds for tuning, always the same; never ok.")] = False,
    sabotage: Annotated[
        str, typer.Option(help="none, impatient, no-votes, no-closings, deaf or forgets: spoilt, to be found out.")
    ] = "none",
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one a core.")] = 0,
    seed: Annotated[int, typer.Option("--seed", help="First of seeds of your own (never ok); 0: the rules' own.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Outages missed, imagined and told late in simulated months of a city, beside messages for each device.

    Production's watch and budget of notices run on simulated events; the judge knows the truth and no line of them.
    The rules' SHA-256 draws the seeds, so every tuning meets new ones. What went wrong is told with its times.

    Examples:

        kewang bench alerts --json

        kewang bench alerts --tune --seeds 2 --days 10

        kewang bench alerts --seeds 2 --days 5 --sabotage no-votes
    """
    from kewang.bench.alerts import measure, plan_of
    from kewang.bench.alerts_drive import SABOTAGES
    from kewang.bench.alerts_table import show
    from kewang.bench.envelope import emit

    if sabotage not in SABOTAGES:
        raise typer.BadParameter(f"{sabotage!r} is none of {', '.join(SABOTAGES)}", param_hint="--sabotage")
    wanted = {"devices": devices, "days": days, "seeds": seeds, "loss": loss, "tune": tune, "seed": seed}
    plan = plan_of(full=full, sweep=sweep, memory=memory, preview=preview, sabotage=sabotage, jobs=jobs, **wanted)
    emit(measure(plan, lambda text: typer.echo(text, err=True)), as_json, show)
