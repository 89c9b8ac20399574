"""`kewang bench`: the measuring commands. Figures and their names: docs; exit 0 exactly when all is as it must be."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from kewang.cli.bench_alerts import alerts
from kewang.cli.bench_buses import buses
from kewang.cli.bench_field import field
from kewang.cli.bench_flash import flash
from kewang.cli.bench_ingest import ingest
from kewang.cli.bench_month import month
from kewang.cli.bench_powercuts import powercuts
from kewang.cli.bench_rollups import rollups
from kewang.cli.bench_trust import trust
from kewang.cli.bench_upgrade import upgrade
from kewang.cli.common import UNREACHABLE, USAGE, AsJson, fail
from kewang.runtime import extras

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
    """A missing or failing real part ends the bench, and so does a missing library: it never falls back to another."""
    from kewang.bench.process import MissingPart, PartFailed

    extras.check("demo", but=["amqtt"])
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


app.command()(ingest)


@app.command()
def chaos(
    seeds: Annotated[int, typer.Option(min=1, help="Stories, each a city of its own.")] = 20,
    store: Annotated[str, typer.Option(help="sqlite or influxd.")] = "influxd",
    seconds_per_seed: Annotated[float, typer.Option(min=8, help="How long the harm of one story goes on.")] = 20.0,
    sabotage: Annotated[str, typer.Option(help="none, early-ack or tag: a spoilt gateway, to be found out.")] = "none",
    jobs: Annotated[int, typer.Option(min=1, max=16, help="Cities at one time.")] = 4,
    processes: Annotated[int, typer.Option(min=1, max=16, help="Ingest processes of the gateway (influxd).")] = 1,
    seed: Annotated[int, typer.Option("--seed", help="The first story.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Kill and wipe broker, gateway, agents and database, cut links, fill disks, step clocks: nothing may be missing.

    Every value the simulated boards gave out is looked for in the database, row by row, and the ledger must balance.
    With a sabotage the gateway is spoilt: then this must report losses (early-ack) or duplicates (tag), and exit 1.

    Examples:

        kewang bench chaos --seeds 4 --processes 2

        kewang bench chaos --seeds 4 --sabotage early-ack
    """
    from kewang.bench.chaos import SABOTAGES, ChaosOptions, run
    from kewang.bench.envelope import emit

    for name, given, known in (("--store", store, ("sqlite", "influxd")), ("--sabotage", sabotage, SABOTAGES)):
        if given not in known:
            raise typer.BadParameter(f"{given!r} is none of {', '.join(known)}", param_hint=name)
    if processes > 1 and (store, sabotage) != ("influxd", "none"):
        raise typer.BadParameter("several are for influxd, without a sabotage", param_hint="--processes")
    with part_errors():
        options = ChaosOptions(seeds, seed, seconds_per_seed, store, sabotage, jobs, processes)
        result = run(options, lambda text: typer.echo(text, err=True))
    emit(result, as_json)


@app.command()
def edge(
    sources: Annotated[int, typer.Option(min=1, help="Boards that the agent reads over Modbus.")] = 10,
    interval_s: Annotated[float, typer.Option(min=0.1, help="Seconds between two readings of a source.")] = 10.0,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds of measuring.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """What the agent costs on a device: at most 60 MB, 2 % of a core and 1.5 s to the first commit.

    Example: kewang bench edge --json
    """
    from kewang.bench.edge import EdgePlan, measure
    from kewang.bench.envelope import emit

    with part_errors():
        result = measure(EdgePlan(sources=sources, interval_s=interval_s, seconds=seconds))
    emit(result, as_json)


@app.command()
def scale(
    devices: Annotated[str, typer.Option(help="Sizes of the fleet, by commas.")] = "100,1000,10000",
    readings_per_s: Annotated[float, typer.Option(min=1, help="Readings a second of the whole fleet.")] = 3000,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds of measuring at each size.")] = 40.0,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """The gateway's processor a reading at the same rate from 100, 1,000 and 10,000 devices: within 15 %.

    Example: kewang bench scale --json
    """
    from kewang.bench.envelope import emit
    from kewang.bench.scale import ScalePlan, measure

    sizes = [int(size) for size in devices.split(",") if size.strip().isdigit() and int(size) > 0]
    if not sizes:
        fail(f"--devices {devices!r}: write numbers such as 100,1000", USAGE)
    with part_errors():
        result = measure(ScalePlan(sizes, readings_per_s, seconds, seed))
    emit(result, as_json)


@app.command()
def fuzz(
    payloads: Annotated[int, typer.Option(min=1, help="Mutated payloads through decoder and judge.")] = 1_000_000,
    messages: Annotated[int, typer.Option(min=1, help="Mutated payloads through a running gateway.")] = 20_000,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Mutated payloads: no crash, memory bounded, every message accounted for.

    Example: kewang bench fuzz --payloads 100000 --messages 2000 --seed 7
    """
    from kewang.bench.envelope import emit
    from kewang.bench.fuzz import FuzzPlan, measure

    with part_errors():
        result = measure(FuzzPlan(payloads, messages, seed))
    emit(result, as_json)


@app.command("fuzz-rtsp")
def fuzz_rtsp(
    conversations: Annotated[int, typer.Option(min=1, help="Mutated conversations of a camera.")] = 100_000,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Mutated camera conversations through our RTSP client: no crash, no hang, at most 32 MB more memory.

    Example: kewang bench fuzz-rtsp --conversations 5000
    """
    from kewang.bench.envelope import emit
    from kewang.bench.fuzz_rtsp import measure

    emit(measure(conversations, seed), as_json)


@app.command()
def backlog(
    devices: Annotated[int, typer.Option(min=1, help="Devices with a backlog.")] = 20,
    days: Annotated[float, typer.Option(min=0.01, help="Days of readings on each, every 10 s.")] = 3.0,
    store: Annotated[str, typer.Option(help="influxd or sqlite.")] = "influxd",
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Three days of 20 devices drain while live readings go on: stored 2 s (p95) after their commit, nothing lost.

    Example: kewang bench backlog --store sqlite --json
    """
    from kewang.bench.backlog import BacklogPlan, measure
    from kewang.bench.envelope import emit

    if store not in ("influxd", "sqlite"):
        fail(f"--store {store!r}: write influxd or sqlite", USAGE)
    with part_errors():
        result = measure(
            BacklogPlan(devices=devices, days=days, store="sqlite" if store == "sqlite" else "influxd", seed=seed)
        )
    emit(result, as_json)


@app.command()
def cameras(
    full: Annotated[bool, typer.Option("--full", help="At least 100 camera-days, for the night.")] = False,
    tune: Annotated[bool, typer.Option("--tune", help="The seeds for tuning, always the same; never ok.")] = False,
    days: Annotated[int, typer.Option(min=0, help="Scored camera-days of each family; 0: as usual.")] = 0,
    family: Annotated[str, typer.Option(help="painted, filmed or both.")] = "both",
    only: Annotated[str, typer.Option(help="Classes of faults, by commas: hard, soft, slow.")] = "hard,soft,slow",
    cases: Annotated[bool, typer.Option("--cases", help="Tell every miss and false alarm with its numbers.")] = False,
    pictures: Annotated[Path | None, typer.Option(help="Folder for a picture of each miss and false alarm.")] = None,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one a core.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Faults of cameras found, missed and imagined on simulated whole days, beside fixed thresholds.

    A camera learns for some days, then come days with faults at random times, every third without; each slow fault has
    a day of its own. Learning days and those of slow faults get a look every 10 minutes, all others as in production.
    The thresholds' SHA-256 draws the seeds, so every tuning meets new ones.

    Examples:

        kewang bench cameras --json

        kewang bench cameras --tune --days 2 --family painted --only hard,soft --cases
    """
    from kewang.bench.cameras import SCENES, measure, plan_of
    from kewang.bench.cameras_pictures import Album
    from kewang.bench.cameras_table import show
    from kewang.bench.envelope import emit

    def say(text: str) -> None:
        typer.echo(text, err=True)

    with part_errors():
        try:
            plan = plan_of(full=full, tune=tune, days=days, family=family, only=only, jobs=jobs)
        except ValueError as error:
            fail(str(error), USAGE)
        result = measure(plan, say, Album(SCENES, pictures, say if cases else None).keep)
    emit(result, as_json, show)


@app.command()
def probes(
    seconds: Annotated[float, typer.Option(min=1, help="Seconds of measuring the agent.")] = 180.0,
    count: Annotated[int, typer.Option("--probes", min=1, help="Probes in a row, none may leave a session.")] = 1000,
    others: Annotated[bool, typer.Option(help="Compare with the servers that others wrote, too.")] = True,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """16 cameras at one agent, each fault of the wire, 1,000 probes in a row, and every figure beside its truth.

    At most 100 ms of processor a camera-minute and 150 MB; each fault its own reason; no session left open; frame rate
    within 0.2, loss 0.5 points, clock 1 s, key-frame interval 0.1 s.

    Example: kewang bench probes --json
    """
    from kewang.bench.envelope import emit
    from kewang.bench.probes import ProbesPlan, measure
    from kewang.bench.probes_agent import AgentPlan

    with part_errors():
        plan = ProbesPlan(AgentPlan(seconds=seconds), count, others, seed)
        result = measure(plan, say=lambda text: typer.echo(text, err=True))
    emit(result, as_json)


app.command()(alerts)
app.command()(trust)
app.command()(month)
app.command()(buses)
app.command()(powercuts)
app.command()(field)
app.command()(flash)
app.command()(rollups)
app.command()(upgrade)


@app.command()
def revoke(
    bystanders: Annotated[int, typer.Option(min=1, help="Boxes that go on publishing.")] = 300,
    many: Annotated[int, typer.Option(min=1, help="Boxes that are revoked at once, after the first one.")] = 100,
    sabotage: Annotated[
        str, typer.Option(help="none, no-kick, no-list or no-placement: left out, to be found out.")
    ] = "none",
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """How long a revoked box can still do harm: cut off, refused and dropped within 1 s; a hundred within 3 s.

    Real broker under the real guard, real gateway; the other boxes lose no connection and no message.

    Example: kewang bench revoke --json
    """
    from kewang.bench.envelope import emit
    from kewang.bench.revoke import SABOTAGES, RevokePlan, measure

    if sabotage not in SABOTAGES:
        raise typer.BadParameter(f"{sabotage!r} is none of {', '.join(SABOTAGES)}", param_hint="--sabotage")
    with part_errors():
        result = measure(
            RevokePlan(bystanders, many, sabotage=sabotage, seed=seed), lambda text: typer.echo(text, err=True)
        )
    emit(result, as_json)


@app.command()
def renew(
    devices: Annotated[int, typer.Option(min=1, help="Boxes.")] = 300,
    agents: Annotated[int, typer.Option(min=0, help="So many of them are whole agents with boards.")] = 2,
    divide: Annotated[float, typer.Option(min=1, help="Lifetimes are so many times shorter.")] = 7200.0,
    full: Annotated[bool, typer.Option("--full", help="Divide by 1,440: 30 days in half an hour.")] = False,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """300 boxes keep their certificates for 30 days made short, 20 % of them offline for a third of it.

    Fails if one is stuck without a certificate, or if a reading is lost while an agent renews.

    Example: kewang bench renew --json
    """
    from kewang.bench.envelope import emit
    from kewang.bench.renew import RenewPlan, measure

    with part_errors():
        plan = RenewPlan(devices, min(agents, devices), 1440.0 if full else divide, seed=seed)
        result = measure(plan, say=lambda text: typer.echo(text, err=True))
    emit(result, as_json)


@app.command()
def visit(
    clean: Annotated[int, typer.Option(min=1, help="Visits over a good link.")] = 25,
    bad: Annotated[int, typer.Option(min=0, help="Visits with box and phone on a bad link.")] = 25,
    at_once: Annotated[int, typer.Option(min=1, max=20, help="Visits at a time.")] = 2,
    sabotage: Annotated[str, typer.Option(help="none, gateway or unlisted: broken, to be found out.")] = "none",
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """From the scanned label to the first reading that the technician's page shows as stored.

    p95 at most 10 s; at most 60 s with a round trip of 600 ms and 20 % of the connections killed; all of them green.

    Example: kewang bench visit --json
    """
    from kewang.bench.envelope import emit
    from kewang.bench.visit import SABOTAGES, VisitPlan, measure

    if sabotage not in SABOTAGES:
        raise typer.BadParameter(f"{sabotage!r} is none of {', '.join(SABOTAGES)}", param_hint="--sabotage")
    with part_errors():
        plan = VisitPlan(clean, bad, at_once, sabotage, seed)
        result = measure(plan, lambda text: typer.echo(text, err=True))
    emit(result, as_json)


@app.command()
def attacks(
    only: Annotated[str, typer.Option(help="Only these threats, by commas: T2,T21.")] = "",
    sabotage: Annotated[str, typer.Option(help="none or open-broker: left open, to be found out.")] = "none",
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Attempts to get in where one does not belong, each with its control, on the shipped configuration.

    At least 60, all refused, and every act with right credentials succeeds. Only on this machine.

    Example: kewang bench attacks --only T21,T22
    """
    from kewang.bench.attacks import SABOTAGES, AttacksPlan, measure, show
    from kewang.bench.envelope import emit

    if sabotage not in SABOTAGES:
        raise typer.BadParameter(f"{sabotage!r} is none of {', '.join(SABOTAGES)}", param_hint="--sabotage")
    with part_errors():
        plan = AttacksPlan(tuple(filter(None, only.upper().split(","))), sabotage, seed)
        result = measure(plan, lambda text: typer.echo(text, err=True))
    emit(result, as_json, show)


@app.command("all")
def all_(as_json: AsJson = False, only: Annotated[str, typer.Option(help="Only these, by commas.")] = "") -> None:
    """Every measurement with its default sizes, one after the other, one line each; exit 1 if one is not ok.

    Example: kewang bench all --only wire,edge
    """
    from kewang.bench.everything import BENCHES, run_all

    chosen = [name for name in BENCHES if not only or name in only.split(",")]
    if not chosen:
        fail(f"--only {only!r}: choose from {', '.join(BENCHES)}", USAGE)
    code = run_all(chosen, as_json)
    raise typer.Exit(code)
