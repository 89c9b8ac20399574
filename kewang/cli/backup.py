"""`kewang backup`: copies of all that a server must not lose, in one folder."""

from pathlib import Path
from typing import Annotated

import typer

from kewang.cli.common import FOUND, UNREACHABLE, USAGE, AsJson, Config, fail, print_json, settings_errors

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Copies of all that a server must not lose, in one folder, and whether such a folder is whole. "
    "Another program takes it to another machine: see the page about backup.",
)


@app.callback()
def _backup() -> None:
    pass


@app.command()
def make(
    into: Annotated[
        Path, typer.Argument(help="Folder for the copies; a backup there is replaced by a whole one only.")
    ],
    config: Config = None,
    provisioning: Annotated[
        Path | None, typer.Option("--provisioning", help="Settings file of provisioning: its keys and inventory too.")
    ] = None,
    also: Annotated[list[Path] | None, typer.Option("--also", help="A folder of settings; may be repeated.")] = None,
    influxd: Annotated[
        str | None, typer.Option("--influxd", help="Where InfluxDB 1 gives backups: HOST:PORT; default: port 8088.")
    ] = None,
    without_database: Annotated[
        bool, typer.Option("--without-database", help="The database is saved by its own means (InfluxDB 2).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy database, incidents, keys, inventory and settings into a folder, while everything runs.

    The folder gets its name when all is in it: one that was interrupted is never taken for a backup. It holds keys.

    Exit codes: 0 made; 2 wrong words or settings; 3 something can't be read or written: nothing new was kept.

    Example: kewang backup make /var/backups/kewang/server --config gateway.toml --also /etc/kewang
    """
    from gateway import backup
    from gateway.settings import read_settings

    with settings_errors():
        settings = read_settings(config)
    try:
        with backup.made(into) as folder:
            if not without_database:
                backup.save_database(settings, folder, influxd)
            backup.save_incidents(settings, folder)
            if provisioning is not None:
                _office(provisioning, folder / backup.OFFICE, as_json)
            for each in also or ():
                backup.save_folder(each, folder)
        manifest = backup.read_manifest(into)
    except backup.BackupFailed as error:
        fail(str(error), UNREACHABLE)
    _tell(into, manifest["began"], len(manifest["files"]), as_json)


def _office(config: Path, file: Path, as_json: bool) -> None:
    from kewang.cli.provision_common import opened, who
    from provisioning.backup import backup

    with opened(config, as_json) as here:
        backup(here.inventory, who(), file)


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="Folder that 'make' wrote, wherever it is now.")],
    as_json: AsJson = False,
) -> None:
    """Is every file of a backup there, and as it was made? Ask before a restore.

    Exit codes: 0 whole; 1 not whole; 2 no such folder.

    Example: kewang backup check /var/lib/kewang/restored
    """
    from gateway import backup

    if not folder.is_dir():
        fail(f"{folder} is no folder: name the one with manifest.json", USAGE)
    try:
        manifest = backup.check(folder)
    except backup.BackupFailed as error:
        if as_json:
            print_json({"ok": False, "text": str(error)})
        fail(str(error), FOUND)
    _tell(folder, manifest["began"], len(manifest["files"]), as_json)


def _tell(folder: Path, began: str, files: int, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "folder": str(folder), "began": began, "files": files})
    else:
        typer.echo(f"{folder} is whole: {files} files, begun at {began}")
