"""`kewang bench field`."""

from typing import Annotated

import typer

from kewang.cli.common import AsJson


def field(
    only: Annotated[str, typer.Option(help="Names of stories, with commas between them; empty: all.")] = "",
    store: Annotated[str, typer.Option(help="sqlite or influxd.")] = "influxd",
    sabotage: Annotated[
        str, typer.Option(help="none, or trusting: boxes believe any clock, to be found out.")
    ] = "none",
    as_json: AsJson = False,
) -> None:
    """Boxes without network time, with wrong clocks, steps, power cuts and lying time services: are all dates right?

    Real agents, broker, gateway and database; each box runs on a machine whose clock, boots and time service the bench
    holds. Nothing may be lost or stored twice, no date be wrong, and what can't be dated must be told. Stories:
    no-time, epoch, future, steps, cuts, carton, lies, nobody, calendar (what each does, and the figures:
    docs/dev/field-figures.md). Needs root. Sabotaged it must exit 1.

    Example: kewang bench field --only future,cuts --json
    """
    from kewang.bench.envelope import emit
    from kewang.bench.field import SABOTAGES, FieldPlan, measure
    from kewang.bench.field_stories import STORIES
    from kewang.cli.bench import part_errors

    stories = tuple(filter(None, only.split(","))) or tuple(STORIES)
    known = (
        ("--only", stories, tuple(STORIES)),
        ("--store", (store,), ("influxd", "sqlite")),
        ("--sabotage", (sabotage,), SABOTAGES),
    )
    for option, given, names in known:
        if strange := [each for each in given if each not in names]:
            raise typer.BadParameter(f"{strange[0]!r} is none of {', '.join(names)}", param_hint=option)
    with part_errors():
        result = measure(FieldPlan(stories, store, sabotage), lambda text: typer.echo(text, err=True))
    emit(result, as_json)
