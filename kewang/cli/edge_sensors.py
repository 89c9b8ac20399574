"""`kewang edge discover` and `kewang edge try`: what hangs on the box, and what it says."""

import asyncio
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from kewang.cli.common import FOUND, UNREACHABLE, USAGE, AsJson, fail, print_json, settings_errors

_HEADINGS: Final = {"serial": "Serial ports", "i2c": "I2C buses", "onewire": "1-Wire thermometers"}


def discover(
    port: Annotated[list[Path] | None, typer.Option("--port", help="Look only at this port; repeatable.")] = None,
    modbus: Annotated[
        int, typer.Option("--modbus", min=0, max=247, help="Ask Modbus units 1 to this too; 0 = send nothing.")
    ] = 0,
    baud: Annotated[int, typer.Option("--baud", help="Bits per second of the Modbus units.")] = 9600,
    as_json: AsJson = False,
) -> None:
    """List serial ports, I2C buses and 1-Wire thermometers, and what answers there.

    A port that the running agent uses is told as used: stop the agent first.

    Exit codes: 0 something was found; 1 nothing at all.

    Example: kewang edge discover --modbus 16
    """
    from edge.sources import discover as looking
    from edge.sources.serial_port import Manner

    look = looking.Look(tuple(port or ()), range(1, modbus + 1), Manner(baud))
    found = asyncio.run(looking.discover(look))
    anything = any(found.values())
    if as_json:
        print_json({"ok": anything, **found})
    else:
        _show(found)
    raise typer.Exit(0 if anything else FOUND)


def _show(found: dict[str, list[dict[str, Any]]]) -> None:
    for kind, heading in _HEADINGS.items():
        typer.echo(f"{heading}: {'' if found[kind] else 'none'}")
        for each in found[kind]:
            about = f"  {each['about']}" if each["about"] else ""
            typer.echo(f"  {each['port']}{about}")
            for answer in each["answers"]:
                typer.echo(f"    kewang edge try {answer}")
            if each["trouble"]:
                typer.echo(f"    TROUBLE: {each['trouble']}")
            elif not each["answers"]:
                typer.echo("    nothing known answers")


def try_(
    what: Annotated[str, typer.Argument(metavar="DRIVER", help="Driver; with --config the name of a source in it.")],
    keys: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Its settings.")] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", readable=False, help="Settings file (TOML).")] = None,
    as_json: AsJson = False,
) -> None:
    """Read one sensor once and show what it says.

    Exit codes: 0 read; 1 a value is out of range; 2 wrong words or settings; 3 the sensor does not answer.

    Examples:

        kewang edge try pms5003 port=/dev/ttyUSB0

        kewang edge try modbus-rtu port=/dev/ttyUSB0 unit=2 map=rain-gauge.toml

        kewang edge try env-1 --config /etc/kewang/edge.toml
    """
    from edge.ports import SourceError
    from edge.sources.trial import from_file, source_of, try_once

    if config and keys:
        fail("KEY=VALUE is for a driver: with --config the file says all", USAGE)
    with settings_errors():
        source = from_file(config, what) if config else source_of(what, keys or ())
    try:
        trial = asyncio.run(try_once(source))
    except SourceError as error:
        if as_json:
            print_json({"ok": False, "error": str(error)})
        fail(str(error), UNREACHABLE)
    doubtful = trial.doubtful()
    if as_json:
        values = dict(zip(trial.metrics, trial.values, strict=True))
        print_json({"ok": not doubtful, "values": values, "doubtful": doubtful, "took_s": trial.took_s})
    else:
        _show_values(trial.metrics, trial.values, trial.took_s)
        for each in doubtful:
            typer.echo(f"OUT OF RANGE: {each}")
    raise typer.Exit(FOUND if doubtful else 0)


def _show_values(metrics: tuple[str, ...], values: tuple[float | None, ...], took_s: float) -> None:
    from kewang.wire.catalogue import BY_NAME

    for name, value in zip(metrics, values, strict=True):
        known = BY_NAME[name]
        shown = "no value" if value is None else f"{value:.{known.decimals}f} {known.unit}"
        typer.echo(f"  {name:<16} {shown:<16} {known.meaning_en}")
    typer.echo(f"read in {took_s:g} s")
