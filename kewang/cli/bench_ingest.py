"""`kewang bench ingest`."""

from typing import Annotated

import typer

from kewang.cli.common import AsJson


def ingest(
    devices: Annotated[int, typer.Option(min=1, help="Devices that publish.")] = 800,
    batches: Annotated[int, typer.Option(min=1, help="Batches of 30 rows of 3 metrics, of each device.")] = 100,
    processes: Annotated[int, typer.Option(min=1, max=16, help="Ingest processes of the gateway.")] = 1,
    steps: Annotated[bool, typer.Option("--steps", help="Only the gateway's own steps, without other parts.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything that is drawn.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Readings a second through Mosquitto and gateway into influxd, against a raw push of the same points.

    At least 0.5 of the raw push (0.6 with two processes), at most 4 us of the gateway's processor a reading and 40 us a
    message of one reading, nothing lost. ratio_by_cpu: by processor time alone, which others on the machine falsify
    less. steps_us: the least that each step of the gateway takes, of a batch of 30 rows and of a message of one.

    Example: kewang bench ingest --processes 2 --json
    """
    from kewang.bench.envelope import emit
    from kewang.bench.ingest import IngestPlan, measure, measure_steps
    from kewang.cli.bench import part_errors

    with part_errors():
        plan = IngestPlan(devices=devices, batches=batches, processes=processes, seed=seed)
        result = measure_steps(plan) if steps else measure(plan)
    emit(result, as_json)
