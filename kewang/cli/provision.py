"""`kewang provision`: set up a city, bring devices into it and out of it, look at what was done."""

import asyncio
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kewang.cli import provision_audit, provision_devices, provision_keys, provision_people
from kewang.cli.common import (
    FOUND,
    UNREACHABLE,
    USAGE,
    AsJson,
    Check,
    Config,
    Verbose,
    fail,
    print_json,
    settings_errors,
)
from kewang.cli.provision_common import check_set_up_told, opened, tell, who
from kewang.runtime.program import run_until_signalled, set_up_logging

if TYPE_CHECKING:
    from provisioning.acts.importing import Report

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Set up a city, bring devices into it, see what was done."
)
_SOCKET = Path("/run/mosquitto/guard.sock")
app.add_typer(provision_audit.app, name="audit")
app.add_typer(provision_people.app, name="people")
provision_devices.add_to(app)
provision_keys.add_to(app)


class What(StrEnum):
    """What a CSV file holds."""

    DEVICES = "devices"
    SITES = "sites"


class Told(StrEnum):
    """Languages."""

    ID = "id"
    EN = "en"


@app.command()
def init(
    config: Config = None,
    login: Annotated[str, typer.Option("--login", help="Login name of the first administrator.")] = "admin",
    name: Annotated[str, typer.Option("--name", help="Name of the first administrator.")] = "Administrator",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask where no settings are given.")] = False,
    as_json: AsJson = False,
) -> None:
    """Set a city up: state folder, keys, inventory, certificate authority, first administrator.

    The administrator's password is shown once and kept nowhere. Stopped half way, run it again. Without settings it
    asks first whether the usual state folder is meant.

    Exit codes: 0 done; 2 set up already, or wrong settings; 3 the disk or database is not there.

    Example: kewang provision init --config provision.toml
    """
    from provisioning.inventory import InventoryError
    from provisioning.refusals import Refused
    from provisioning.settings import read_settings
    from provisioning.setup import set_up

    with settings_errors():
        settings = read_settings(config)
        if not yes and config is None and "state_folder" not in settings.model_fields_set:
            _ask(settings.state_folder)
        try:
            made = set_up(settings, who(), login, name)
        except (InventoryError, OSError) as error:
            fail(str(error), UNREACHABLE)
        except Refused as refused:
            fail(str(refused), USAGE)
    folder = settings.state_folder
    if as_json:
        told = {"state_folder": str(folder), "login": made.login, "password": made.password, "broker": made.broker}
        print_json({"ok": True, **told})
        return
    typer.echo(f"{folder} is set up. First administrator: {made.login}")
    typer.echo(f"Password, shown only now: {made.password}")
    if made.broker:
        typer.echo(
            f"The broker has no files in {settings.guard and settings.guard.folder} yet: {made.broker}", err=True
        )
    typer.echo(f"Move {folder / 'offline'} onto a stick and into a safe: whoever has it can make a CA of this city.")


def _ask(folder: Path) -> None:
    """Go on only if a person says so."""
    told = f"no settings say the state folder: the city would be set up in {folder}"
    if not sys.stdin.isatty():
        fail(f"{told}. Name your settings with --config, or say --yes", USAGE)
    if not typer.confirm(f"kewang: {told}. Do it?"):
        fail("nothing was done", USAGE)


@app.command()
def serve(config: Config = None, check: Check = False, verbose: Verbose = False) -> None:
    """Run the web app, the device API, placements and the broker's guard until SIGTERM or Ctrl-C.

    Exit codes: 0 stopped; 2 wrong settings, or not set up; 3 inventory, keys or a port are not there.

    Example: kewang provision serve --config provision.toml
    """
    from provisioning.authority import AuthorityError
    from provisioning.inventory import InventoryError
    from provisioning.service import serve as run
    from provisioning.settings import read_settings
    from provisioning.setup import check_set_up

    set_up_logging(verbose)
    with settings_errors():
        settings = read_settings(config)
        if check:
            return
        check_set_up_told(check_set_up, settings)
        try:
            code = run_until_signalled(lambda stopping: run(settings, stopping))
        except (AuthorityError, InventoryError, OSError) as error:
            fail(str(error), UNREACHABLE)
    raise typer.Exit(code)


@app.command()
def attend(
    command: Annotated[list[str], typer.Argument(help="The broker's program and its words.")],
    socket: Annotated[Path, typer.Option("--socket", help="Where the guard says what to do.")] = _SOCKET,
    verbose: Verbose = False,
) -> None:
    """Run the broker and do what the guard says on a socket, where it can't send signals to it: in containers.

    Exit codes: 0 stopped; 3 the program or the socket can't be used; the broker's own if it ends by itself.

    Example: kewang provision attend -- mosquitto -c /etc/mosquitto/kewang/mosquitto.conf
    """
    from provisioning.guard.attendant import Attendant

    set_up_logging(verbose)
    code = 0

    async def run(stopping: asyncio.Event) -> None:
        nonlocal code
        attendant = Attendant(command)
        await attendant.run(socket, stopping)
        code = attendant.code

    try:
        run_until_signalled(run)
    except OSError as error:
        fail(str(error), UNREACHABLE)
    raise typer.Exit(code)


@app.command()
def proxy(config: Config = None, as_json: AsJson = False) -> None:
    """Write HAProxy's file from section guard.proxy, once HAProxy itself has called it good.

    HAProxy takes it when it is reloaded.

    Exit codes: 0 written, or as it should be already; 2 wrong settings, or no section guard.proxy; 3 no HAProxy,
    or it refuses the file, or the file can't be written.

    Example: kewang provision proxy --config provision.toml
    """
    from provisioning.guard.haproxy import install
    from provisioning.settings import read_settings

    with settings_errors():
        guard = read_settings(config).guard
    if guard is None or guard.proxy is None:
        fail("no section [guard.proxy] in the settings: HAProxy is not wanted", USAGE)
    try:
        changed = install(guard.proxy, guard.devices, guard.max_devices)
    except OSError as error:
        fail(str(error), UNREACHABLE)
    text = "written: reload HAProxy ('systemctl reload haproxy')" if changed else "as it should be already"
    tell(as_json, f"{guard.proxy.file}: {text}", file=str(guard.proxy.file), changed=changed)


@app.command("import")
def import_(
    what: Annotated[What, typer.Argument(help="What the file holds.")],
    file: Annotated[Path, typer.Argument(help="CSV file (UTF-8; ';', ',' or tab).")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look through it.")] = False,
    language: Annotated[Told, typer.Option("--language", help="Language of what is wrong.")] = Told.EN,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Import devices or sites from a CSV file: all of it, or nothing when a line is wrong.

    Columns of devices: id, fingerprint; may have kind, model, serial, site, preapproved, note.
    Columns of sites: id, name; may have lat, lon, uplink, feeder, link, district. Indonesian headers are known too.

    Exit codes: 0 imported (or well, with --dry-run); 1 problems, one a line; 2 wrong words; 3 no inventory.

    Example: kewang provision import devices boxes.csv --dry-run --config provision.toml
    """
    from provisioning.acts.importing import ImportRefused, examine, import_csv

    with opened(config, as_json) as here:
        data = _content(file)
        try:
            if dry_run:
                with here.inventory.reading() as rows:
                    report = examine(rows, what.value, data)
            else:
                with here.inventory.writing(who()) as work:
                    report = import_csv(work, what.value, data)
        except ImportRefused as refused:
            report = refused.report
    _show(report, language, dry_run, as_json)


@app.command()
def labels(
    into: Annotated[Path, typer.Argument(help="File to write: .pdf or .png.")],
    device: Annotated[list[str] | None, typer.Option("--device", help="Only these; default: all that are new.")] = None,
    note: Annotated[str, typer.Option("--note", help="A line below the code, the office's telephone say.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write a sheet of labels (A4, 24 a page) with QR code, id and code to type.

    Exit codes: 0 written; 1 a device is not in the list; 2 wrong words; 3 no inventory, or no room for the file.

    Example: kewang provision labels labels.pdf --note '0911 123456' --config provision.toml
    """
    from provisioning.acts.rows import device_row
    from provisioning.inventory.queries import new_devices
    from provisioning.labels import Printed, write_sheets

    with opened(config, as_json) as here:
        with here.inventory.reading() as rows:
            found = [device_row(rows, one) for one in device] if device else list(new_devices(rows))
        host = here.settings.web.public_url.partition("://")[2]
        try:
            files = write_sheets([Printed(one.id, one.fingerprint, note) for one in found], host, into)
        except ValueError as error:
            fail(str(error), USAGE)
        except OSError as error:
            fail(f"{into}: {error.strerror}", UNREACHABLE)
    tell(
        as_json, f"{len(found)} labels in {', '.join(map(str, files))}", labels=len(found), files=list(map(str, files))
    )


@app.command()
def backup(
    into: Annotated[Path, typer.Argument(help="New file; it will hold keys: keep it as well as the server.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write inventory, keys and photos into one file (mode 600), while everything runs. The roots' keys are not in it.

    Exit codes: 0 written; 2 wrong words; 3 no inventory, no room, or the file is there already.

    Example: kewang provision backup /backup/kewang-2026-11-28.tar --config provision.toml
    """
    from provisioning.backup import backup as make

    with opened(config, as_json) as here:
        try:
            manifest = make(here.inventory, who(), into)
        except OSError as error:
            fail(f"{into}: {error.strerror or error}", UNREACHABLE)
    tell(as_json, f"{into}: {len(manifest['files'])} files", file=str(into), files=len(manifest["files"]))


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="File that 'backup' wrote.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Bring a backup back: into a state folder and a database that are empty. Every file and the audit log are checked.

    The database may be of the other kind: from SQLite to PostgreSQL, or back.

    Exit codes: 0 restored; 2 wrong words; 3 no whole backup, or the places are not empty: nothing is left behind.

    Example: kewang provision restore /backup/kewang-2026-11-28.tar --config provision.toml
    """
    from provisioning.backup import restore as bring_back
    from provisioning.inventory import InventoryError
    from provisioning.settings import read_settings

    with settings_errors():
        settings = read_settings(config)
        try:
            manifest = bring_back(source, settings.inventory_url(), settings.state_folder)
        except (InventoryError, OSError) as error:
            fail(str(error), UNREACHABLE)
    tell(as_json, f"{settings.state_folder} is restored", made_ms=manifest["made_ms"], files=len(manifest["files"]))


def _content(file: Path) -> bytes:
    """At most a byte more than is taken."""
    from provisioning.acts.csv_files import LIMIT_BYTES

    try:
        with file.open("rb") as opened_file:
            return opened_file.read(LIMIT_BYTES + 1)
    except OSError as error:
        fail(f"{file}: {error.strerror}", USAGE)


def _show(report: "Report", language: Told, dry_run: bool, as_json: bool) -> None:
    problems = [
        {"line": one.line, "column": one.column, "code": one.refused.code, "text": one.said(language.value)}
        for one in report.problems
    ]
    if as_json:
        count = 0 if dry_run or problems else report.count
        print_json({"ok": not problems, "rows": report.count, "imported": count, "problems": problems})
    else:
        for problem in problems:
            typer.echo(problem["text"], err=True)
        done = "nothing was imported" if problems else "well" if dry_run else "imported"
        typer.echo(f"{report.count} {report.what} well, {len(problems)} problems: {done}")
    if problems:
        raise typer.Exit(FOUND)
