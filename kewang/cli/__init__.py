"""The `kewang` command: one word a program, imported only when it is called.

Exit codes: 0 done; 1 the command ran and found something wrong (it says what); 2 wrong words or settings, or a library
that an extra brings; 3 a part it needs (broker, database, disk, port) is not there; 130 interrupted.
"""

import importlib
import sys
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

import kewang
from kewang.cli.common import USAGE
from kewang.runtime.extras import PICTURE_LIBRARIES, MissingExtra

_PROGRAMS: Final = {
    "edge": ("kewang.cli.edge", "The agent on a device: run it, check its settings, see how it is doing."),
    "gateway": ("kewang.cli.gateway", "The gateway on the server: set up the database, run it, try a database."),
    "demo": ("kewang.cli.demo", "A whole city on this machine, with a live page, until Ctrl-C."),
    "sim": ("kewang.cli.sim", "Simulated boards behind a real Modbus server, and fleets of devices over MQTT."),
    "placements": ("kewang.cli.placements", "Tell the gateways where the devices are."),
    "provision": ("kewang.cli.provision", "Who the devices are: enrolment, inventory, people, the broker's rules."),
    "command": ("kewang.cli.command", "Tell a device to do something, and hear what became of it."),
    "incidents": ("kewang.cli.incidents", "Outages and other incidents: list them, look at one, take one on."),
    "maintenance": ("kewang.cli.maintenance", "Say where somebody works, so that nothing there alerts."),
    "notify": ("kewang.cli.notify", "Notices: try a channel, see who is told of what, and what would have been sent."),
    "ledger": ("kewang.cli.ledger", "Is every reading accounted for? From the database alone."),
    "quarantine": ("kewang.cli.quarantine", "Refused readings: list them, store them after all, mark them deleted."),
    "backup": (
        "kewang.cli.backup",
        "Copies of all that a server must not lose, in one folder; is such a folder whole?",
    ),
    "rewind": ("kewang.cli.rewind", "After a restore: let the devices send again what the database has lost."),
    "rollup": ("kewang.cli.rollup", "Roll-ups of five minutes and days: how far they are, make them again."),
    "dashboards": ("kewang.cli.dashboards", "Boards for Grafana: write them, check them, send them."),
    "contract": ("kewang.cli.contract", "For an edge of your own: schemas and AsyncAPI, record, check."),
    "bench": ("kewang.cli.bench", "Measure: chaos, ingest, alerts, cameras, attacks and more."),
}
_EXTRAS: Final = {
    "edge": "edge",
    "sim": "sim",
    "demo": "demo",
    "bench": "demo",
    "placements": "provisioning",
    "provision": "provisioning",
    "command": "provisioning",
    "dashboards": "dashboards",
}
"""Extras that bring what a program needs; the others need `gateway`."""
_OURS: Final = frozenset({"kewang", "edge", "gateway", "firmware_sim", "provisioning", "dashboards"})


class Programs(TyperGroup):
    """The programs, each loaded from its module when it is named."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the programs, in the order of a first reading."""
        return list(_PROGRAMS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The program's command. For the overview only its one line, without importing it."""
        if cmd_name not in _PROGRAMS:
            return None
        module, line = _PROGRAMS[cmd_name]
        if ctx.resilient_parsing or cmd_name not in sys.argv[1:]:
            return TyperCommand(cmd_name, help=line, short_help=line)
        return _load(module)


def _load(module: str) -> Any:
    return typer.main.get_command(importlib.import_module(module).app)


app = typer.Typer(cls=Programs, no_args_is_help=True, add_completion=False, help=__doc__)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(kewang.__version__)
        raise typer.Exit


_Version = Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)]


@app.callback()
def _kewang(_: _Version = False) -> None:
    pass


def main(*arguments: Any) -> None:
    """Entry point of the `kewang` command. A library that is not installed is told with the extra that brings it."""
    try:
        app(list(arguments) or None)
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if not library or library in _OURS:
            raise
        program = next((word for word in sys.argv[1:] if word in _PROGRAMS), "")
        extra = "camera" if library in PICTURE_LIBRARIES and program == "edge" else _EXTRAS.get(program, "gateway")
        _end(MissingExtra(library, extra))
    except MissingExtra as error:
        _end(error)


def _end(error: MissingExtra) -> NoReturn:
    typer.echo(f"kewang: {error}", err=True)
    sys.exit(USAGE)
