"""`kewang bench month`."""

from typing import Annotated

import typer

from kewang.cli.common import AsJson


def month(
    seed: Annotated[int, typer.Option(min=0, help="Decides cuts, clocks and restarts.")] = 1,
    sources: Annotated[int, typer.Option(min=1, max=20, help="Sensors of the box.")] = 4,
    interval_s: Annotated[
        float, typer.Option(min=1, help="Between two readings of a sensor; half a heartbeat's.")
    ] = 120,
    day_s: Annotated[
        float, typer.Option(min=300, max=86_400, help="How long a day is; shorter for a quick look.")
    ] = 86_400,
    ring_bytes: Annotated[int, typer.Option(min=50_000, help="Room of the outbox.")] = 2_000_000,
    sabotage: Annotated[
        str, typer.Option(help="Spoil something: none, forget, lose, alter-mean, alter-date, all.")
    ] = "none",
    as_json: AsJson = False,
) -> None:
    """Thirty days of a box in fast time: a week without a clock, five days without a link, a full ring; all explained.

    The edge and the gateway are the real ones, on real SQLite files; clocks, sensors and network are simulated.

    Example: kewang bench month --json
    """
    from kewang.bench.envelope import emit
    from kewang.bench.month import SABOTAGES, MonthPlan, measure

    if sabotage not in SABOTAGES:
        raise typer.BadParameter(f"use one of {', '.join(SABOTAGES)}", param_hint="--sabotage")
    plan = MonthPlan(seed, sources, interval_s, day_s, ring_bytes, sabotage)
    emit(measure(plan, lambda said: typer.echo(said, err=True)), as_json)
