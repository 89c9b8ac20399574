"""`kewang bench flash`."""

from typing import Annotated, Any

import typer

from kewang.cli.common import AsJson


def flash(
    profiles: Annotated[str, typer.Option(help="Profiles to measure, by commas.")] = "wired,cellular,card",
    faster: Annotated[
        float, typer.Option(min=1, max=100, help="So many times as quick as in the field; 1 takes hours.")
    ] = 50.0,
    turns: Annotated[
        float,
        typer.Option(min=0.05, help="How often the log of the queue fills and is emptied. Below 1: too few bytes."),
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Bytes written to the card for a reading, syncs a minute and memory, by profile: ten sensors every 10 s.

    At most 800 bytes with `cellular` (30 s), 120 with `card` (5 min), 10 syncs a minute, 60 MB. Takes a quarter of an
    hour; root counts what reaches the card, a file system of its own behind a loop device.

    Example: kewang bench flash --json
    """
    from edge.settings import PROFILES
    from kewang.bench.envelope import emit
    from kewang.bench.flash import FlashPlan, measure
    from kewang.cli.bench import part_errors
    from kewang.cli.common import USAGE, fail

    chosen = tuple(name for name in PROFILES if name in profiles.split(","))
    if len(chosen) != len(profiles.split(",")):
        fail(f"--profiles {profiles}: name some of {', '.join(PROFILES)}", USAGE)
    with part_errors():
        result: dict[str, Any] = measure(FlashPlan(chosen, faster, turns))
    emit(result, as_json)
