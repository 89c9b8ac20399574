"""`kewang sim`: simulated boards behind a real Modbus server, and fleets of devices over MQTT."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from kewang.cli.common import USAGE, fail
from kewang.runtime.program import set_up_logging

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Simulated devices behind real protocols.")

Seed = Annotated[int, typer.Option("--seed", help="Seed of what they say; the next boards count on.")]


@app.command()
def board(
    journal: Annotated[Path, typer.Option(help="File for every value given out; several: NAME-0.EXT ...")],
    boards: Annotated[int, typer.Option(min=1, help="How many boards, each behind its own port.")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="First port; 0 = free ones, told on output.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    map_: Annotated[str, typer.Option("--map", help="Map files, or market-env, bin, river; by commas.")] = "market-env",
    faults: Annotated[str, typer.Option(help="none, random, or fault@start+length,... in seconds.")] = "none",
    control: Annotated[Path | None, typer.Option(help="File that switches faults while it runs.")] = None,
    seed: Seed = 1,
) -> None:
    """Serve simulated Modbus TCP boards with signals of Ambon until Ctrl-C; one JSON line says where they are.

    Example: kewang sim board --journal journal.jsonl --port 1502 --faults random
    """
    told = ["--boards", str(boards), "--port", str(port), "--host", host, "--map", map_, "--faults", faults]
    told += ["--seed", str(seed), "--journal", str(journal), *(["--control", str(control)] if control else [])]
    _run("board", *told)


@app.command()
def switch(
    control: Annotated[Path, typer.Argument(help="The board's control file.")],
    fault: Annotated[str, typer.Argument(help="none, stuck, nan, out_of_range, no_answer, ...; plan = as planned.")],
) -> None:
    """Switch the fault of a board that was started with --control.

    Example: kewang sim switch control.json out_of_range
    """
    _run("switch", str(control), fault)


@app.command()
def fleet(
    host: Annotated[str, typer.Option(help="Broker.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 1883,
    username: Annotated[str | None, typer.Option(help="User name at the broker.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File with the password.")] = None,
    devices: Annotated[int, typer.Option(min=1, help="How many devices.")] = 100,
    connections: Annotated[int, typer.Option(min=1, help="Connections that carry them.")] = 4,
    batches: Annotated[int, typer.Option(min=0, help="Batches of each device; 0 = until Ctrl-C.")] = 0,
    rows: Annotated[int, typer.Option(min=1, max=1000, help="Rows of a batch.")] = 30,
    interval_s: Annotated[float, typer.Option(min=0, help="Seconds between batches; 0 = as fast as it goes.")] = 10.0,
    seed: Seed = 1,
) -> None:
    """Many devices that speak the protocol over MQTT, for load; ends with a report as JSON.

    Exit codes: 0 every batch was named as stored; 1 some were not; 2 wrong words or broker.

    Example: kewang sim fleet --devices 1000 --batches 10 --interval-s 5
    """
    told = ["--host", host, "--port", str(port), "--devices", str(devices), "--connections", str(connections)]
    told += ["--batches", str(batches), "--rows", str(rows), "--interval-s", str(interval_s), "--seed", str(seed)]
    told += ["--username", username] if username else []
    told += ["--password-file", str(password_file)] if password_file else []
    _run("fleet", *told)


def _run(*told: str) -> None:
    from firmware_sim.__main__ import main

    set_up_logging()
    try:
        code = main(told)
    except OSError as error:
        fail(str(error), USAGE)
    sys.stdout.flush()
    raise typer.Exit(code)
