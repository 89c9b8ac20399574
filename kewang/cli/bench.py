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
