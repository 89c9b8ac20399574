"""`kewang command`: tell a device to do something, over the broker."""

import asyncio
from enum import StrEnum
from typing import Annotated, Any

import typer

from kewang.cli.broker import HERE, BrokerUrl, CaFile, PasswordFile, Username, broker_settings
from kewang.cli.common import FOUND, UNREACHABLE, USAGE, AsJson, fail, print_json, settings_errors

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Tell a device to do something.")


class Known(StrEnum):
    """Commands that devices know."""

    ACCEPT_VIEW = "accept_view"


@app.callback()
def _command() -> None:
    pass


@app.command()
def send(
    device: Annotated[str, typer.Argument(help="Id of the device.")],
    name: Annotated[Known, typer.Argument(help="What to do. accept_view: the camera's present view is right.")],
    source: Annotated[str, typer.Option(help="Source on the device, for instance cam-1.")],
    clean: Annotated[bool, typer.Option("--clean", help="The view is also clean: nothing lies about in it.")] = False,
    broker: BrokerUrl = HERE,
    username: Username = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    expires_s: Annotated[float, typer.Option(min=1, max=86_000, help="Seconds after which it is refused.")] = 60,
    wait_s: Annotated[float, typer.Option(min=1, max=3600, help="Seconds to wait for the answer.")] = 15,
    as_json: AsJson = False,
) -> None:
    """Tell DEVICE to do NAME, wait for its answer and print it. The device does it once, however often it is asked.

    Exit codes: 0 done; 1 the device refused, and says why; 2 wrong words; 3 no answer, or the broker is not there.

    Example: kewang command send mardika-1 accept_view --source cam-1 --broker mqtt://127.0.0.1:1883
    """
    with settings_errors():
        settings = broker_settings(broker, username, password_file, ca_file)
        told = _send(settings, device, name, {"source": source, "clean": clean}, expires_s, wait_s)
    if as_json:
        print_json({"device": device, "command": name.value} | told)
    else:
        typer.echo(f"{device}: {told['text']}", err=not told["ok"])
    if not told["ok"]:
        raise typer.Exit(FOUND if told["answered"] else UNREACHABLE)


def _send(settings: Any, device: str, name: str, args: dict[str, Any], expires_s: float, wait_s: float) -> Any:
    """The answer as JSON holds it."""
    from kewang.wire.names import is_device, is_source
    from provisioning.commands import new_command
    from provisioning.commands import send as send_command

    if not is_device(device) or not is_source(args["source"]):
        fail(f"{device!r}, {args['source']!r}: device and source are names of a-z, 0-9 and '-'", USAGE)
    command = new_command(name, args, expires_s)
    try:
        result = asyncio.run(send_command(settings, device, command, wait_s=wait_s))
    except OSError as error:
        fail(str(error), UNREACHABLE)
    text = result.text if result else _silence(device, wait_s)
    return {"id": command.id, "answered": result is not None, "ok": bool(result and result.ok), "text": text}


def _silence(device: str, wait_s: float) -> str:
    return (
        f"no answer in {wait_s:g} s. Check: is {device} the right id, and on the live page not silent? "
        "May this user write on x and read x/r (docs/examples/mosquitto.acl)? Then send it again"
    )
