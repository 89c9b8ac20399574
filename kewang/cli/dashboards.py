"""`kewang dashboards`: the boards for Grafana, as files."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from kewang.cli.common import UNREACHABLE, USAGE, AsJson, fail, print_json

if TYPE_CHECKING:
    from dashboards.voice import Voice
    from kewang.bench.boards_check import Found

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Boards for Grafana: written as files, checked against a real database, or sent to a Grafana. "
    "Exit codes: 0 done; 1 something is wrong with the boards, or Grafana refuses them; 2 wrong words; "
    "3 the folder can't be written, or the database or Grafana is not there.",
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
    influx2: Annotated[
        bool, typer.Option("--influx2", help="The database is an InfluxDB 2: a token, no user.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write everything Grafana needs below OUT: boards in both languages, data source, alert rules, map, playlist.

    Mount it at /etc/grafana/kewang, its maps at /usr/share/grafana/public/maps, and give Grafana the environment of
    OUT/grafana.env. No file holds a secret.

    Example: kewang dashboards build --out /srv/kewang/grafana --console https://SERVER:8080
    """
    from dashboards.files import built, write

    made = built(voices(lang, zone, console), influx2=influx2)
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


@app.command()
def check(
    devices: Annotated[
        int, typer.Option(min=1, max=50_000, help="Devices of the city that the database holds.")
    ] = 10_000,
    drop: Annotated[
        str | None, typer.Option("--drop", help="Take this measurement away first: the check must fail and say where.")
    ] = None,
    influx: Annotated[
        str | None, typer.Option("--influx", help="A database that is there, instead: http://HOST:8086/kewang.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="User name, with --influx.")] = None,
    secret_file: Annotated[
        Path | None, typer.Option("--secret-file", help="File with the password, with --influx; mode 600.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="With --influx: the device whose board is asked.")
    ] = None,
    zone: Zone = "Asia/Jayapura",
    seed: Annotated[int, typer.Option("--seed", help="Seed of the city's values.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Check the boards: Grafana's own types, our rules, and every query on a real influxd with a city's data.

    Empty answers, queries that no database takes and slow ones of the wall are named with their panel. It takes some
    minutes with 10,000 devices; the influxd is a part of its own (`make parts`) and gone afterwards. With --influx a
    panel that finds nothing and says in words that this is well (no incident is open) is quiet, not empty.

    Example: kewang dashboards check --devices 1000
    """
    import time

    from kewang.bench.boards_check import Plan, read_by_boards, seeded
    from kewang.bench.envelope import emit, envelope
    from kewang.bench.process import MissingPart, PartFailed

    if drop is not None and drop not in (known := read_by_boards()):
        fail(f"--drop {drop!r}: no board reads it; write one of {', '.join(known)}", USAGE)
    if influx is None and (user is not None or secret_file is not None or device is not None):
        fail("--user, --secret-file and --device go with --influx: the other database is of this command's own", USAGE)
    if influx is not None and drop is not None:
        fail("--drop goes without --influx: nothing is taken away from a database that is in use", USAGE)
    voices(Lang.ID, zone, "http://localhost")
    started_s = time.monotonic()
    try:
        if influx is not None:
            found = _standing(influx, user, secret_file, device, zone)
        else:
            found = seeded(Plan(devices, seed, drop, zone), lambda line: typer.echo(line, err=True))
    except (MissingPart, PartFailed) as error:
        fail(str(error), UNREACHABLE)
    parts = [] if influx else ["influxd"]
    figures = {"devices": devices if influx is None else None} | found.figures()
    result = envelope(
        "dashboards check", seed=seed, parts=parts, started_s=started_s, failed=found.failed(), figures=figures
    )
    emit(result, as_json)


def _standing(url: str, user: str | None, secret_file: Path | None, device: str | None, zone: str) -> "Found":
    import base64

    from kewang.bench.boards_ask import Influx, NoDatabase
    from kewang.bench.boards_check import standing
    from kewang.cli.common import settings_errors
    from kewang.runtime.settings import secret

    address, _, database = url.rpartition("/")
    headers = {}
    if secret_file is not None:
        with settings_errors():
            login = f"{user or ''}:{secret(secret_file)}"
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    try:
        return standing(Influx(address, database, headers), device, zone)
    except ValueError as error:
        fail(str(error), USAGE)
    except NoDatabase as error:
        fail(f"{address} does not answer: {error}", UNREACHABLE)


@app.command()
def push(
    url: Annotated[str, typer.Option("--url", help="Address of the Grafana: https://SERVER:3000.")],
    token_file: Annotated[Path, typer.Option("--token-file", help="File with a service account's token; mode 600.")],
    ca_file: Annotated[Path | None, typer.Option("--ca-file", help="Certificate of a CA of your own.")] = None,
    zone: Zone = "Asia/Jayapura",
    console: Console = "http://localhost:8080",
    lang: First = Lang.ID,
    alerts: Annotated[
        bool, typer.Option("--alerts", help="Send the alert rules too; those of ours that are there are replaced.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send the boards to a Grafana that is already there, in a folder for each language; again after every upgrade.

    It must have a data source for InfluxQL with the uid kewang. The map goes by files (`build`); where alarms go, you
    choose there: a notification policy for the label source=kewang. A board that somebody saves at the same moment is
    not overwritten.

    Example: kewang dashboards push --url https://SERVER:3000 --token-file /etc/kewang/grafana.token
    """
    from kewang.cli.common import settings_errors
    from kewang.runtime.settings import secret

    if not url.startswith(("http://", "https://")):
        fail(f"--url {url!r} is no address: write https://SERVER:3000", USAGE)
    both = voices(lang, zone, console)
    with settings_errors():
        token = secret(token_file)
    version, places, rules = _pushed(both, url, token, ca_file, alerts)
    if as_json:
        print_json({"ok": True, "grafana": version, "boards": places, "alert_rules": rules})
    else:
        typer.echo(f"{len(places)} boards, {rules} alert rules in Grafana {version}: {url.rstrip('/')}{places[0]}")


def _pushed(
    both: "list[Voice]", url: str, token: str, ca_file: Path | None, alerts: bool
) -> tuple[str, list[str], int]:
    """Grafana's version, where the boards are there, how many alert rules. Leaves the program if it does not work."""
    import kewang
    from dashboards.alerts import rules
    from dashboards.boards import all_boards
    from dashboards.push import Grafana, Refused, Unreachable, client
    from kewang.cli.common import FOUND

    try:
        with client(url, token, str(ca_file) if ca_file else None) as connection:
            grafana = Grafana(connection)
            places = grafana.push(all_boards(both), f"kewang {kewang.__version__}")
            sent = grafana.push_rules(rules(both[0]), both[0].language) if alerts else 0
            return grafana.version, places, sent
    except Refused as error:
        fail(str(error), FOUND)
    except Unreachable as error:
        fail(str(error), UNREACHABLE)
    except OSError as error:
        fail(f"--ca-file {ca_file}: {error}", USAGE)
