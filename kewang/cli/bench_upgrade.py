"""`kewang bench upgrade`."""

from typing import Annotated

import typer

from kewang.cli.common import UNREACHABLE, AsJson, fail


def upgrade(
    devices: Annotated[int, typer.Option(min=1, max=8, help="Boxes, each with all versions beside each other.")] = 3,
    settle_s: Annotated[float, typer.Option(min=2, max=600, help="How long a new version must live.")] = 25.0,
    calm: Annotated[bool, typer.Option("--calm", help="Nobody kills edge, gateway and broker meanwhile.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything that is drawn.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Upgrade to n+1, then to versions that fail in three ways, then back to n, under chaos: 0 lost, 0 twice.

    One does not start, one delivers nothing, one is gone after a while: each must be given up after three tries.

    Example: kewang bench upgrade --json
    """
    from kewang.bench.envelope import emit
    from kewang.bench.process import MissingPart, PartFailed
    from kewang.bench.upgrade import UpgradeOptions, measure

    options = UpgradeOptions(devices=devices, settle_s=settle_s, kills=not calm, seed=seed)
    try:
        result = measure(options, lambda text: typer.echo(text, err=True))
    except (MissingPart, PartFailed) as error:
        fail(str(error), UNREACHABLE)
    emit(result, as_json)
