"""`kewang edge upgrade`: another version of the agent, and the way back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from kewang.cli.common import FOUND, UNREACHABLE, USAGE, AsJson, fail, print_json, settings_errors


def upgrade(
    config: Annotated[Path, typer.Option("--config", "-c", readable=False, help="Settings file (TOML).")],
    wheel: Annotated[Path | None, typer.Argument(help="The new version's wheel.")] = None,
    sha256: Annotated[str | None, typer.Option(help="The wheel's SHA-256, from who made it.")] = None,
    key: Annotated[Path | None, typer.Option(help="Public key (PEM) of who signed WHEEL.sig.")] = None,
    wheels: Annotated[Path | None, typer.Option(help="Folder with the packages it needs, without network.")] = None,
    within_s: Annotated[float, typer.Option(min=1, help="Each source must have a reading stored by then.")] = 600,
    settle_s: Annotated[float, typer.Option(min=0, help="And it must live so long after that.")] = 120,
    status: Annotated[bool, typer.Option("--status", help="Only tell how things stand.")] = False,
    back: Annotated[bool, typer.Option("--back", help="Start the version before this one again.")] = False,
    settle: Annotated[bool, typer.Option("--settle", help="For systemd, before each start: move the link.")] = False,
    restart: Annotated[bool, typer.Option(help="End the agent, so that systemd starts it anew.")] = True,
    home: Annotated[Path, typer.Option(help="Folder with versions/ and the link current.")] = Path("/opt/kewang"),
    as_json: AsJson = False,
) -> None:
    """Try another version of the agent: it stays if readings of every source are stored, else the old one goes on.

    Run by root. Exit codes: 0 done, or asked for; 1 refused or failed, and why; 2 wrong words; 3 the disk.

    Examples:

        kewang edge upgrade kewang-0.2.0-py3-none-any.whl --sha256 HEX -c /etc/kewang/edge.toml

        kewang edge upgrade --status -c /etc/kewang/edge.toml

        kewang edge upgrade --back -c /etc/kewang/edge.toml
    """
    if sum((wheel is not None, status, back, settle)) != 1:
        fail("name a wheel, or one of --status, --back, --settle", USAGE)
    with settings_errors(), _refused():
        box = _box(home, config)
        if wheel is not None:
            _try(box, wheel, sha256, key, wheels, within_s, settle_s)
        elif back:
            typer.echo(f"version {_steps().back(box)} starts from now on", err=True)
        elif settle:
            _steps().settle(box)
        if restart and not status and not settle and not _steps().restart(box.outbox):
            typer.echo("no agent was running: it goes on at its next start", err=True)
    _tell(_steps().status(box), as_json, quiet=settle)


def _steps() -> Any:
    from edge.upgrade import steps

    return steps


def _box(home: Path, config: Path) -> Any:
    from edge.settings import read_start
    from edge.upgrade.home import Home

    return _steps().Box(Home(home), config.absolute(), read_start(config).outbox.path)


@contextmanager
def _refused() -> Iterator[None]:
    from edge.upgrade.install import Refused

    try:
        yield
    except Refused as error:
        fail(str(error), FOUND)
    except OSError as error:
        fail(f"{error}: is this run by root, has the disk room?", UNREACHABLE)


def _try(
    box: Any, wheel: Path, sha256: str | None, key: Path | None, wheels: Path | None, within_s: float, settle_s: float
) -> None:
    from edge.upgrade import install

    if (sha256 is None) == (key is None):
        fail("give --sha256 or --key: who made this wheel?", USAGE)
    if sha256 is not None:
        install.check_digest(wheel, sha256)
    if key is not None:
        install.check_signature(wheel, key)
    typer.echo(f"building {wheel.name} beside the others; this may take some minutes", err=True)
    _steps().upgrade(box, wheel.absolute(), wheels and wheels.absolute(), within_s, settle_s)


def _tell(told: dict[str, Any], as_json: bool, *, quiet: bool) -> None:
    if as_json:
        print_json(told)
    elif not quiet:
        typer.echo(f"current   {told['current'] or 'none'}; there are {', '.join(told['versions']) or 'none'}")
        last = told["upgrade"]
        if last:
            typer.echo(f"upgrade   {last['before']} -> {last['version']}: {last['state']}, {last['tries']} tries")
            typer.echo(f"          {last['why']}" if last["why"] else "", nl=bool(last["why"]))
    if told["upgrade"] and told["upgrade"]["state"] == "failed" and not quiet:
        raise typer.Exit(FOUND)
