"""`kewang bench powercuts`."""

from typing import Annotated

import typer

from kewang.cli.common import AsJson


def powercuts(
    cuts: Annotated[int, typer.Option(min=1, max=10_000, help="How often the power goes.")] = 150,
    sabotage: Annotated[
        str, typer.Option(help="none, sync-off (the boxes' disks lie) or tag (a spoilt gateway): to be found out.")
    ] = "none",
    profile: Annotated[str, typer.Option(help="Of the boxes' outboxes: wired, cellular or card.")] = "wired",
    full: Annotated[
        bool, typer.Option("--full", help="The boxes' queues begin full of readings that are stored, as after weeks.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything that is drawn.")] = 1,
    as_json: AsJson = False,
) -> None:
    """The power goes: within the start, a commit, an ack. What a box had committed is neither lost nor stored twice.

    Its disk forgets what was not synced (ext4 on a loop device, shut down by ioctl), its agent is killed, the disk
    checked and mounted, the agent started: at most 1.5 s to the first commit, with the processor for itself. Needs
    root and a loop device. With a sabotage this must report losses (sync-off) or duplicates (tag), and exit 1.

    Example: kewang bench powercuts --cuts 500 --json
    """
    from edge.settings import PROFILES
    from kewang.bench.envelope import emit
    from kewang.bench.powercuts import SABOTAGES, PowercutsPlan, measure
    from kewang.cli.bench import part_errors

    if sabotage not in SABOTAGES:
        raise typer.BadParameter(f"{sabotage!r} is none of {', '.join(SABOTAGES)}", param_hint="--sabotage")
    chosen = next((name for name in PROFILES if name == profile), None)
    if chosen is None:
        raise typer.BadParameter(f"{profile!r} is none of {', '.join(PROFILES)}", param_hint="--profile")
    plan = PowercutsPlan(cuts, seed, sabotage, profile=chosen, full=full)
    with part_errors():
        result = measure(plan, lambda text: typer.echo(text, err=True))
    emit(result, as_json)
