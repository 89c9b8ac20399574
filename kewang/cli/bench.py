"""`kewang bench`: the measuring commands. Figures and their names: docs; exit 0 exactly when all is as it must be."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from kewang.cli.common import UNREACHABLE, AsJson, fail

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Measure, on real parts. Exit codes: 0 all is as it must be; 1 it is not (the result says what); "
    "3 a real part is missing (run: make parts).",
)

Seed = Annotated[int, typer.Option("--seed", help="Seed of everything that is drawn.")]


@app.callback()
def _bench() -> None:
    pass


@contextmanager
def part_errors() -> Iterator[None]:
    """A missing or failing real part ends the bench: it never falls back to another."""
    from kewang.bench.process import MissingPart, PartFailed

    try:
        yield
    except (MissingPart, PartFailed) as error:
        fail(str(error), UNREACHABLE)


@app.command()
def wire(
    batches: Annotated[int, typer.Option(help="Batches of each size.")] = 200, seed: Seed = 1, as_json: AsJson = False
) -> None:
    """Bytes a reading costs on the wire, by rows a message. At most 20 at 30 rows of 3 metrics.

    Example: kewang bench wire --json
    """
    from kewang.bench.envelope import emit
    from kewang.bench.wire import measure

    emit(measure(batches, seed), as_json)


@app.command()
def ingest(
    devices: Annotated[int, typer.Option(min=1, help="Devices that publish.")] = 800,
    batches: Annotated[int, typer.Option(min=1, help="Batches of 30 rows of 3 metrics, of each device.")] = 50,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Readings a second through Mosquitto and gateway into influxd, against a raw push of the same points.

    At least 0.35 of the raw push, at most 10 us of the gateway's processor a reading, nothing lost.

    Example: kewang bench ingest --json
    """
    from kewang.bench.envelope import emit
    from kewang.bench.ingest import IngestPlan, measure

    with part_errors():
        result = measure(IngestPlan(devices=devices, batches=batches, seed=seed))
    emit(result, as_json)
