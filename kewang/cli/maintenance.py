"""`kewang maintenance`: say where somebody works, so that nothing there alerts; see what was; end it."""

import re
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer

from kewang.cli.common import FOUND, USAGE, AsJson, Config, fail, print_json
from kewang.cli.watched import moment, opened_chronicle, posted, watching_settings

if TYPE_CHECKING:
    from gateway.incidents.maintenance import Window
    from gateway.settings import GatewaySettings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Say where somebody works: nothing there alerts.")
_UNITS_S: Final = {"m": 60, "h": 3600, "d": 86_400}
Number = Annotated[int, typer.Argument(min=1, help="Number of the window.")]


class Level(StrEnum):
    """What may be worked on."""

    DEVICE = "device"
    SITE = "site"
    UPLINK = "uplink"
    FEEDER = "feeder"


@app.command()
def add(
    level: Annotated[Level, typer.Argument(help="What is worked on.")],
    name: Annotated[str, typer.Argument(help="Its name in the placements.")],
    for_: Annotated[str, typer.Option("--for", help="How long, 30 days at most: 90m, 2h, 3d.")] = "",
    until: Annotated[str, typer.Option("--until", help="Or until when: 2026-11-29T16:00.")] = "",
    from_: Annotated[str, typer.Option("--from", help="From when; default: now.")] = "",
    note: Annotated[str, typer.Option("--note", help="What is done.")] = "",
    by: Annotated[str, typer.Option("--by", help="Who works; default: who is logged in on this machine.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Plan a window of maintenance. The gateway has to run. Times without an offset are of the console's time zone.

    Exit codes: 0 planned; 1 refused: nothing is called so, or the times make no sense; 2 wrong words or settings, or no
    service token in them; 3 the gateway does not answer.

    Example: kewang maintenance add site mardika --for 2h --note "a new pole" --config gateway.toml
    """
    import getpass

    settings = watching_settings(config)
    if bool(for_) is bool(until):
        fail("give --for or --until, one of them", USAGE)
    wish: dict[str, Any] = {"level": level.value, "name": name, "by": by or getpass.getuser(), "note": note}
    wish |= {"for_s": _duration_s(for_)} if for_ else {"until_s": _time_s(until, "--until", settings)}
    if from_:
        wish["from_s"] = _time_s(from_, "--from", settings)
    answer = posted(settings, "/api/v1/maintenance", wish)
    if not answer.get("ok"):
        fail(str(answer.get("detail")), FOUND)
    if as_json:
        print_json(answer)
    else:
        typer.echo(_line(_window(answer["window"]), settings))


@app.command("list")
def list_(
    config: Config = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=2000, help="So many at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Windows, the newest first, with who was away in them; also while the gateway does not run.

    Exit codes: 0 none is open; 1 some are; 2 wrong settings; 3 the file is not there.

    Example: kewang maintenance list --config gateway.toml
    """
    from dataclasses import asdict

    settings = watching_settings(config)
    with opened_chronicle(settings) as chronicle:
        found: list[Window] = chronicle.windows(limit)
    if as_json:
        print_json({"windows": [asdict(one) | {"missing": one.missing} for one in found]})
    for one in [] if as_json else found:
        typer.echo(_line(one, settings))
    raise typer.Exit(FOUND if any(one.begun and one.ended_s is None for one in found) else 0)


@app.command()
def end(number: Number, config: Config = None, as_json: AsJson = False) -> None:
    """End a window now, or call a planned one off. The gateway has to run. Who is away is told of then.

    Exit codes: 0 done; 1 no window of this number is planned or open; 2 wrong settings, or no service token in them; 3
    the gateway does not answer.

    Example: kewang maintenance end 3 --config gateway.toml
    """
    settings = watching_settings(config)
    if not posted(settings, f"/api/v1/maintenance/{number}/end", {}).get("ok"):
        fail(f"no window {number} is planned or open: see 'kewang maintenance list'", FOUND)
    if as_json:
        print_json({"ok": True, "number": number})
    else:
        typer.echo(f"window {number} is over")


def _duration_s(text: str) -> float:
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([mhd])", text.strip())
    if found is None or float(found[1]) == 0:
        fail(f"--for {text!r}: write minutes, hours or days like 90m, 2h or 3d", USAGE)
    return float(found[1]) * _UNITS_S[found[2]]


def _time_s(text: str, option: str, settings: "GatewaySettings") -> float:
    try:
        told = datetime.fromisoformat(text)
        return (told if told.tzinfo else told.replace(tzinfo=ZoneInfo(settings.console.time_zone))).timestamp()
    except (ValueError, OverflowError):
        fail(f"{option} {text!r}: write a time like 2026-11-29T16:00", USAGE)


def _window(facts: dict[str, Any]) -> "Window":
    from gateway.incidents.maintenance import window_of

    return window_of({name: value for name, value in facts.items() if name != "missing"})


def _line(one: "Window", settings: "GatewaySettings") -> str:
    over = "over" if one.begun else "called off"
    state = over if one.ended_s is not None else "open" if one.begun else "planned"
    span = " to ".join(moment(time_s, settings) for time_s in (one.from_s, one.ended_s or one.until_s))
    note = f": {one.note}" if one.note else ""
    lines = [f"#{one.number} {state}: {one.scope.level} {one.scope.name}, {span}, by {one.by}{note}"]
    for name in [*one.missing, *sorted(one.back)]:
        back = f"back {moment(one.back[name], settings)}" if name in one.back else "not back"
        lines.append(f"  {name}: heard last {moment(one.away[name], settings)}, {back}")
    return "\n".join(lines)
