"""`kewang contract`: for people who write an edge of their own: get the contract, record a conversation, check it."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from kewang.cli.broker import HERE, BrokerUrl, CaFile, PasswordFile, Username, broker_settings
from kewang.cli.common import FOUND, UNREACHABLE, USAGE, AsJson, fail, print_json, settings_errors

app = typer.Typer(no_args_is_help=True, add_completion=False, help="For an edge of your own: the contract and a judge.")


@app.command()
def write(folder: Annotated[Path, typer.Argument(help="Where to; made if it is not there.")]) -> None:
    """Write JSON Schemas of all messages, the AsyncAPI document and the list of metrics into FOLDER.

    Example: kewang contract write contract
    """
    from kewang.wire.contract.files import files

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files().items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{folder}: {error.strerror}: name a folder you may write to", USAGE)
    typer.echo(f"{folder}: {len(files())} files")


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Recorded conversations (JSON lines).")], as_json: AsJson = False
) -> None:
    """Say what is wrong with recorded conversations, a sentence each. Exit code 1 if the protocol is broken.

    Rows that the gateway would put into quarantine are told too, but break nothing.

    Example: kewang contract check own-edge.jsonl
    """
    from kewang.wire.contract.judge import Finding, findings

    found: dict[Path, list[Finding]] = {}
    for file in files:
        try:
            found[file] = findings(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            fail(f"{file}: {error}: name a file of JSON lines, as `kewang contract record` writes it", USAGE)
    faults = sum(each.fault for several in found.values() for each in several)
    if as_json:
        told = {str(file): [_told(each) for each in several] for file, several in found.items()}
        print_json({"ok": not faults, "faults": faults, "files": told})
    else:
        for file, several in found.items():
            _show(file, several)
    if faults:
        raise typer.Exit(FOUND)


def _told(finding: Any) -> dict[str, Any]:
    return {"line": finding.line, "fault": finding.fault, "text": finding.text}


def _show(file: Path, found: list[Any]) -> None:
    for each in found:
        typer.echo(f"{file}:{each.line}: {'' if each.fault else 'note: '}{each.text}")
    if not any(each.fault for each in found):
        typer.echo(f"{file}: well")


@app.command()
def record(
    file: Annotated[Path, typer.Argument(help="File to write (JSON lines).")],
    device: Annotated[str, typer.Option(help="Id of the device to listen to.")],
    seconds: Annotated[float, typer.Option(min=1, max=86_400, help="How long.")] = 60,
    broker: BrokerUrl = HERE,
    username: Username = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
) -> None:
    """Record what a device and its gateway say to each other. The user must be allowed to read all of its topics.

    Example: kewang contract record own-edge.jsonl --device own-edge-1 --seconds 60
    """
    from kewang.bench.record import Recorder
    from kewang.wire.names import is_device
    from kewang.wire.topics import everything_of

    if not is_device(device):
        fail(f"--device {device!r}: write 3 to 32 characters of a-z, 0-9 and '-'", USAGE)
    recorder = Recorder({"conversation": device, "about": "recorded by kewang contract record"})
    with settings_errors():
        settings = broker_settings(broker, username, password_file, ca_file)
        try:
            with recorder.listening(settings, everything_of(device)):
                typer.echo(f"listening to {device} for {seconds:g} s; Ctrl-C ends it earlier", err=True)
                _wait(seconds)
            file.write_text(recorder.conversation().text(), encoding="utf-8")
        except OSError as error:
            fail(f"{error}: check --broker and {file}", UNREACHABLE)
    typer.echo(f"{file}: {len(recorder.messages)} messages; now: kewang contract check {file}")


def _wait(seconds: float) -> None:
    """Until it is over, or somebody at the terminal has enough."""
    try:
        time.sleep(seconds)
    except KeyboardInterrupt:
        typer.echo("", err=True)
