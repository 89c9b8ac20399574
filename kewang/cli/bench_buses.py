"""`kewang bench buses`."""

from typing import Annotated

import typer

from kewang.cli.common import AsJson


def buses(
    interval_s: Annotated[float, typer.Option(min=0.2, help="Seconds between two readings of a sensor.")] = 1.0,
    seconds: Annotated[float, typer.Option(min=3, help="Seconds of each of the seven phases.")] = 20.0,
    as_json: AsJson = False,
) -> None:
    """Ten sensors on every kind of bus: memory of the agent, and how evenly the others are read while one hangs.

    Example: kewang bench buses --json
    """
    from kewang.bench.buses import BusesPlan, measure
    from kewang.bench.envelope import emit
    from kewang.cli.bench import part_errors

    with part_errors():
        result = measure(BusesPlan(interval_s, seconds))
    emit(result, as_json)
