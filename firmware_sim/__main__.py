"""`python -m firmware_sim board`: simulated boards until a signal. One JSON line with the ports when ready."""

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from firmware_sim.board import Board, serving
from firmware_sim.faults import Faults, parse_plan
from firmware_sim.journal import Journal
from firmware_sim.layout import map_file, read_layout
from firmware_sim.signals import Signals
from kewang.runtime.program import run_until_signalled
from kewang.runtime.settings import SettingsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0 stopped by a signal, 2 wrong arguments."""
    options = _parser().parse_args(arguments)
    try:
        return run_until_signalled(lambda stopping: serve_boards(options, stopping))
    except (SettingsError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


async def serve_boards(options: argparse.Namespace, stopping: asyncio.Event) -> None:
    """Serve `options.boards` boards, each behind its own port, until `stopping`; say where they are on stdout."""
    async with contextlib.AsyncExitStack() as stack:
        ready = [await _start(stack, options, index) for index in range(options.boards)]
        print(json.dumps({"ready": True, "port": ready[0]["port"], "boards": ready}), flush=True)
        await stopping.wait()


async def _start(stack: contextlib.AsyncExitStack, options: argparse.Namespace, index: int) -> dict[str, object]:
    seed = options.seed + index
    maps = options.map.split(",")
    layout_file = map_file(maps[index % len(maps)])
    journal_file = _numbered(options.journal, index, options.boards)
    control = _numbered(options.control, index, options.boards) if options.control else None
    journal = stack.enter_context(Journal(journal_file))
    faults = Faults(parse_plan(options.faults, seed), control)
    board = Board(read_layout(layout_file), Signals(seed), journal, unit=options.unit, faults=faults)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="firmware_sim", description="Simulated devices behind real protocols.")
    board = parser.add_subparsers(required=True).add_parser("board", help="Modbus TCP boards with a journal")
    board.add_argument("--host", default="127.0.0.1", help="address to listen on")
    board.add_argument("--port", type=int, default=0, help="first port; 0 = free ones, told on stdout")
    board.add_argument("--boards", type=int, default=1, help="how many boards, each behind its own port")
    board.add_argument("--unit", type=int, default=1, help="Modbus unit number of each")
    board.add_argument("--seed", type=int, default=1, help="seed of the first board; the next ones count on")
    board.add_argument("--map", default="market-env", help="map files or names, by commas, dealt out in turn")
    board.add_argument("--journal", type=Path, required=True, help="journal file; with several boards NAME-0.EXT ...")
    board.add_argument("--faults", default="none", help="none, random, or fault@start+length,... in seconds")
    board.add_argument("--control", type=Path, help='control file, e.g. {"fault": "stuck"}; numbered like the journal')
    return parser


if __name__ == "__main__":
    sys.exit(main())
