"""`kewang bench trust`."""

from typing import Annotated

import typer

from kewang.cli.common import AsJson


def trust(
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Worlds, each from a seed of its own.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Sensors that stick, jump and drift: flagged, missed and imagined, on days with smoke, squalls and horns.

    The judges' limits draw the seeds, so every tuning meets days that it has not seen.

    Example: kewang bench trust --json
    """
    from kewang.bench.envelope import emit
    from kewang.bench.trust import measure

    emit(measure(seeds, lambda said: typer.echo(said, err=True)), as_json)
