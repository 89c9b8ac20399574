"""`kewang bench rollups`."""

from typing import Annotated

import typer

from kewang.cli.common import AsJson


def rollups(
    devices: Annotated[str, typer.Option(help="Sizes of the city, by commas.")] = "100,1000,10000",
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything that is drawn.")] = 1,
    as_json: AsJson = False,
) -> None:
    """What the points for the boards cost: roll-ups of five minutes and of a day, late readings, fleet, ledger.

    An hour of readings at the default rates is in a real influxd; production's code makes the points, numpy compares.
    Of the largest city: five minutes at most 10 % of a core in influxd and 2 % in the gateway; no turn above 250 ms.

    Example: kewang bench rollups --json
    """
    from kewang.bench.envelope import emit
    from kewang.bench.rollups import RollupsPlan, measure
    from kewang.cli.bench import part_errors

    sizes = devices.split(",")
    if not all(size.isdecimal() and 1 <= int(size) <= 50_000 for size in sizes):
        raise typer.BadParameter(f"{devices!r}: write sizes from 1 to 50000, as 100,1000", param_hint="--devices")
    with part_errors():
        result = measure(RollupsPlan([*map(int, sizes)], seed), lambda text: typer.echo(text, err=True))
    emit(result, as_json)
