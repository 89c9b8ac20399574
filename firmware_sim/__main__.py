"""`python -m firmware_sim board` and `fleet`: simulated devices until a signal, or until a fleet is through."""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from firmware_sim.cameras.command import add_camera
from firmware_sim.faults import Fault
from kewang.runtime.program import run_until_signalled
from kewang.runtime.settings import SettingsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Exit code: 0 done or stopped by a signal; 1 a fleet with unnamed batches; 2 wrong arguments."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (SettingsError, ValueError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 2


def run_boards(options: argparse.Namespace) -> int:
    """Serve boards until a signal."""
    return run_until_signalled(lambda stopping: serve_boards(options, stopping))


async def serve_boards(options: argparse.Namespace, stopping: asyncio.Event) -> None:
    """Serve `options.boards` boards, each behind its own port, until `stopping`; say where they are on stdout."""
    async with contextlib.AsyncExitStack() as stack:
        ready = [await _start(stack, options, index) for index in range(options.boards)]
        print(json.dumps({"ready": True, "port": ready[0]["port"], "boards": ready}), flush=True)
        await stopping.wait()


async def _start(stack: contextlib.AsyncExitStack, options: argparse.Namespace, index: int) -> dict[str, object]:
    from firmware_sim.board import Board, serving
    from firmware_sim.faults import Faults, parse_plan
    from firmware_sim.journal import Journal
    from firmware_sim.layout import map_file, read_layout
    from firmware_sim.signals import Signals

    seed = options.seed + index
    maps = options.map.split(",")
    layout_file = map_file(maps[index % len(maps)])
    journal_file = _numbered(options.journal, index, options.boards)
    control = _numbered(options.control, index, options.boards) if options.control else None
    faults = Faults(parse_plan(options.faults, seed), control)
    layout, journal = read_layout(layout_file), stack.enter_context(Journal(journal_file))
    board = Board(layout, Signals(seed), journal, unit=options.unit, faults=faults)
    port = await stack.enter_async_context(serving([board], options.host, options.port and options.port + index))
    return {
        "port": port,
        "unit": options.unit,
        "seed": seed,
        "map": str(layout_file),
        "journal": str(journal_file),
        "control": control and str(control),
    }


def _numbered(file: Path, index: int, count: int) -> Path:
    """`file` itself for a single board, else `file-3.ext` for board 3."""
    return file if count == 1 else file.with_name(f"{file.stem}-{index}{file.suffix}")


def run_switch(options: argparse.Namespace) -> int:
    """Switch the fault of a running board or camera."""
    from firmware_sim.faults import switch

    switch(options.control, _known(options.fault) if options.fault != "plan" else None)
    return 0


def _known(named: str) -> str:
    """A board's fault, or a camera's faults, as the control file names them. Raises ValueError that lists them."""
    if named in set(Fault):
        return named
    from firmware_sim.cameras.faults import parse

    try:
        return str(parse(named))
    except ValueError as error:
        raise ValueError(f"{error}; a board's are {', '.join(Fault)}") from None


def run_fleet(options: argparse.Namespace) -> int:
    """Run a fleet; its report is one JSON line on stdout."""
    from firmware_sim.device import FleetPlan
    from firmware_sim.fleet import Fleet, as_json
    from kewang.runtime.broker import BrokerSettings

    keys = FleetPlan.__dataclass_fields__
    plan = FleetPlan(**{key: value for key, value in vars(options).items() if key in keys})
    broker = BrokerSettings(
        host=options.host, port=options.port, username=options.username, password_file=options.password_file
    )
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    report = Fleet(broker, plan).run(stopping, options.drain_s)
    print(json.dumps(as_json(report)), flush=True)
    return 1 if report.outstanding else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="firmware_sim", description="Simulated devices behind real protocols.")
    commands = parser.add_subparsers(required=True)
    _add_board(commands.add_parser("board", help="Modbus TCP boards with a journal"))
    add_camera(commands.add_parser("camera", help="cameras over RTSP and HTTP, with faults"))
    _add_buses(commands.add_parser("buses", help="ten sensors on every kind of bus: serial, I2C, 1-Wire, MQTT"))
    _add_fleet(commands.add_parser("fleet", help="many protocol clients over MQTT, for load"))
    fault = commands.add_parser("switch", help="switch the fault of a running board or camera")
    fault.add_argument("control", type=Path, help="its control file")
    fault.add_argument("fault", help="e.g. stuck, or black, or loss=0.05,wrong_clock=300; plan = go on as planned")
    fault.set_defaults(run=run_switch)
    return parser


def _add_board(board: argparse.ArgumentParser) -> None:
    board.set_defaults(run=run_boards)
    board.add_argument("--host", default="127.0.0.1", help="address to listen on")
    board.add_argument("--port", type=int, default=0, help="first port; 0 = free ones, told on stdout")
    board.add_argument("--boards", type=int, default=1, help="how many boards, each behind its own port")
    board.add_argument("--unit", type=int, default=1, help="Modbus unit number of each")
    board.add_argument("--seed", type=int, default=1, help="seed of the first board; the next ones count on")
    board.add_argument("--map", default="market-env", help="map files or names, by commas, dealt out in turn")
    board.add_argument("--journal", type=Path, required=True, help="journal file; with several boards NAME-0.EXT ...")
    board.add_argument("--faults", default="none", help="none, random, or fault@start+length,... in seconds")
    board.add_argument("--control", type=Path, help='control file, e.g. {"fault": "stuck"}; numbered like the journal')


def _add_buses(buses: argparse.ArgumentParser) -> None:
    buses.set_defaults(run=run_buses)
    buses.add_argument("--folder", type=Path, required=True, help="their ports, faults (NAME.json), sources.json")
    buses.add_argument("--host", default="127.0.0.1", help="broker that the ESP32 speaks to")
    buses.add_argument("--port", type=int, default=1883, help="its port")
    buses.add_argument("--faster", type=float, default=1.0, help="what is measured changes so many times as quickly")


def run_buses(options: argparse.Namespace) -> int:
    """Serve a box's sensors until a signal."""
    from firmware_sim.buses import serve
    from kewang.runtime.broker import BrokerSettings

    broker = BrokerSettings(host=options.host, port=options.port)
    options.folder.mkdir(parents=True, exist_ok=True)
    return run_until_signalled(lambda stopping: serve(options.folder, broker, stopping, options.faster))


def _add_fleet(fleet: argparse.ArgumentParser) -> None:
    fleet.set_defaults(run=run_fleet)
    fleet.add_argument("--host", default="127.0.0.1", help="broker")
    fleet.add_argument("--port", type=int, default=1883, help="its port")
    fleet.add_argument("--username", help="user name")
    fleet.add_argument("--password-file", type=Path, help="file with the password")
    fleet.add_argument("--devices", type=int, default=100, help="how many devices")
    fleet.add_argument("--connections", type=int, default=4, help="connections that carry them")
    fleet.add_argument("--prefix", default="fleet", help="device ids are PREFIX-00001 ...")
    fleet.add_argument("--seed", type=int, default=1, help="seed of what they say")
    fleet.add_argument("--rows", type=int, default=30, help="rows of a batch")
    fleet.add_argument("--batches", type=int, default=0, help="batches of each device; 0 = until stopped")
    fleet.add_argument("--interval-s", type=float, default=10.0, help="seconds between batches; 0 = at full speed")
    fleet.add_argument("--row-ms", type=int, default=1000, help="at full speed: ms between two rows")
    fleet.add_argument("--window", type=int, help="unnamed batches of a device at one time; default: its credit")
    fleet.add_argument("--resend-s", type=float, default=30.0, help="first wait for a name")
    fleet.add_argument("--ahead", action="store_true", help="encode everything before the first publish")
    fleet.add_argument("--drain-s", type=float, default=60.0, help="after a signal: seconds to wait for names")


if __name__ == "__main__":
    sys.exit(main())
