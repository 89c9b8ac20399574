"""`kewang dashboards`: the boards for Grafana, as files."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from kewang.cli.common import UNREACHABLE, USAGE, AsJson, fail, print_json

if TYPE_CHECKING:
    from dashboards.voice import Voice

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Boards for Grafana, written as files. Exit codes: 0 done; 2 wrong words; 3 the folder can't be written.",
)


class Lang(StrEnum):
    """Languages of boards."""

    ID = "id"
    EN = "en"


Zone = Annotated[str, typer.Option("--zone", help="The city's time zone.")]
Console = Annotated[str, typer.Option("--console", help="Address of the live page, for links out of the boards.")]
First = Annotated[Lang, typer.Option("--lang", help="Language of alarms and of the wall; boards come in both.")]


@app.callback()
def _dashboards() -> None:
    pass


@app.command()
def build(
    out: Annotated[Path, typer.Option("--out", help="Folder for the files; it may hold an older build.")],
    zone: Zone = "Asia/Jayapura",
    console: Console = "http://localhost:8080",
    lang: First = Lang.ID,
    as_json: AsJson = False,
) -> None:
    """Write everything Grafana needs below OUT: boards in both languages, data source, alert rules, map, playlist.

    Mount it at /etc/grafana/kewang, its maps at /usr/share/grafana/public/maps, and give Grafana the environment of
    OUT/grafana.env. No file holds a secret.

    Example: kewang dashboards build --out /srv/kewang/grafana --console https://SERVER:8080
    """
    from dashboards.files import built, write

    made = built(voices(lang, zone, console))
    try:
        paths = write(out, made)
    except OSError as error:
        fail(f"{error.filename or out}: {error.strerror}; choose a folder that this user may write", UNREACHABLE)
    if as_json:
        print_json({"ok": True, "out": str(out), "files": [str(path.relative_to(out)) for path in paths]})
    else:
        typer.echo(f"{len(paths)} files in {out}")


def voices(lang: Lang, zone: str, console: str) -> "list[Voice]":
    """Both languages, the chosen one first. Wrong words end the program."""
    from dashboards.voice import Voice

    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        fail(f"--zone {zone!r} is no time zone: write Asia/Jayapura (WIT) or Asia/Makassar (WITA)", USAGE)
    if not console.startswith(("http://", "https://")) or set(console) & set("\"'<>{}$ \n\\"):
        fail(f"--console {console!r} is no address: write https://SERVER:8080", USAGE)
    order = sorted(Lang, key=lambda one: one is not lang)
    return [Voice(one.value, zone, console.rstrip("/")) for one in order]
