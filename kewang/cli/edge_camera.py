"""`kewang edge camera`: look at a camera, watch it, tell the agent that its view is right."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kewang.cli import edge_camera_told as told
from kewang.cli.common import FOUND, UNREACHABLE, USAGE, AsJson, check_language, fail, print_json, settings_errors
from kewang.cli.edge_camera_discover import Language, PasswordFile, discover, password_of
from kewang.cli.edge_camera_words import problems
from kewang.wire.cameras import CameraReason
from kewang.wire.command import ACCEPT_VIEW

if TYPE_CHECKING:
    from edge.cameras.probe import Found, Target
    from edge.cameras.settings import CameraSettings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Cameras: find them, look at them, accept a view.")
app.command()(discover)

_UNANSWERED: Final = frozenset({CameraReason.DNS, CameraReason.REFUSED, CameraReason.TIMEOUT, CameraReason.UNROUTABLE})
Where = Annotated[str, typer.Argument(metavar="URL", help="Its stream; with --config the name of a source.")]
User = Annotated[str | None, typer.Option(help="User of the camera; best one that may only watch.")]
Kind = Annotated[str, typer.Option(help="auto, rtsp, mjpeg, snapshot or other.")]
Config = Annotated[
    Path | None, typer.Option("--config", "-c", readable=False, help="Look as the agent with these settings does.")
]
Onvif = Annotated[bool, typer.Option("--onvif", help="Ask it by ONVIF too: clock, uptime, recording.")]


@app.command()
def probe(
    where: Where,
    user: User = None,
    password_file: PasswordFile = None,
    kind: Kind = "auto",
    onvif: Onvif = False,
    config: Config = None,
    picture: Annotated[Path | None, typer.Option(help="Save what it sees here, with what was measured.")] = None,
    language: Language = "id",
    as_json: AsJson = False,
) -> None:
    """Look at a camera for about ten seconds, or up to forty until a fault is certain: all that the agent would
    measure, its state, and what to do first.

    Nothing leaves this machine; a picture is saved only with --picture. Exit codes: 0 the camera is well, or its view
    is still learned; 1 it is degraded, down, suspected of it, or was not measured; 2 wrong words; 3 it can't be
    reached. What is only suspected, such as a covered lens, may be a passing truck: the agent tells it after minutes.

    Examples:

        kewang edge camera probe rtsp://192.168.1.64/stream2 --user viewer --password-file camera.password

        kewang edge camera probe cam-1 --config edge.toml --picture cam-1.png
    """
    from edge.cameras.probe import probe as look

    target = _target(where, user, password_file, kind, onvif, config, language)
    if picture and not picture.parent.is_dir():
        fail(f"{picture}: there is no folder {picture.parent}: create it, or name another with --picture", USAGE)
    found = asyncio.run(
        look(target, lambda suspected, left_s: typer.echo(told.going_on(suspected, left_s, language), err=True))
    )
    saved = _save(picture, found, target, language) if picture else None
    if as_json:
        print_json(told.as_json(found, target, saved))
    else:
        typer.echo("\n".join(told.table(found, target, saved, language)))
    if found.transport.reason in _UNANSWERED:
        raise typer.Exit(UNREACHABLE)
    raise typer.Exit(0 if _is_well(found) else FOUND)


@app.command()
def watch(
    where: Where,
    user: User = None,
    password_file: PasswordFile = None,
    kind: Kind = "auto",
    config: Config = None,
    every_s: Annotated[float, typer.Option(min=1, max=3600, help="Seconds between two looks.")] = 10.0,
    language: Language = "id",
) -> None:
    """Look at a camera again and again, until Ctrl-C: a table of the last looks on a terminal, else a line for each.

    Example: kewang edge camera watch rtsp://192.168.1.64/stream2 --user viewer --password-file camera.password
    """
    target = _target(where, user, password_file, kind, False, config, language)
    with suppress(KeyboardInterrupt):
        asyncio.run(_watch(target, every_s, language))


@app.command()
def accept(
    name: Annotated[str, typer.Argument(help="Name of the camera's source on this box.")],
    config: Annotated[Path, typer.Option("--config", "-c", readable=False, help="Settings file (TOML).")],
    clean: Annotated[bool, typer.Option("--clean", help="Its zones are clean too: nothing lies about.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell the running agent that the camera's present view is the right one, after it was turned or set up.

    Exit codes: 0 done; 1 refused, with the reason; 2 wrong words; 3 no agent answers.

    Example: kewang edge camera accept cam-1 --config edge.toml --clean
    """
    from edge.settings import read_settings
    from edge.status import NotRunning, ask, socket_path

    with settings_errors():
        settings = read_settings(config)
    try:
        args = {"source": name, "clean": clean}
        said = ask(socket_path(settings.outbox.path), {"do": ACCEPT_VIEW, "args": args})
    except NotRunning as error:
        fail(str(error), UNREACHABLE)
    if as_json:
        print_json(said)
    else:
        typer.echo(f"{name}: {said['text']}", err=not said["ok"])
    if not said["ok"]:
        raise typer.Exit(FOUND)


def _target(
    where: str,
    user: str | None,
    password_file: Path | None,
    kind: str,
    onvif: bool,
    config: Path | None,
    language: str,
) -> "Target":
    """What to look at. Wrong words end the program."""
    from edge.cameras.probe import Target

    check_language(language)
    if kind not in ("auto", "rtsp", "mjpeg", "snapshot", "other"):
        fail(f"--kind {kind!r}: write auto, rtsp, mjpeg, snapshot or other", USAGE)
    if config:
        settings, beside = _source(config, where, language)
        return Target.of_settings(settings, beside)
    password = password_of(user, password_file, language)
    try:
        return Target.of_url(where, user, password, kind=kind, onvif=onvif)
    except ValueError as error:
        text = str(error) if "://" in where else f"{error}; the name of a source needs --config"
        fail(problems(text, language), USAGE)


def _source(config: Path, name: str, language: str) -> "tuple[CameraSettings, Path]":
    """Settings of the camera `name`, and the folder of the agent's state."""
    from edge.cameras.settings import CameraSettings
    from edge.settings import read_settings

    with settings_errors(lambda text: problems(text, language)):
        settings = read_settings(config)
    cameras = {source.name: source for source in settings.sources if isinstance(source, CameraSettings)}
    if name not in cameras:
        fail(f"{config} has no camera {name!r}: name one of {', '.join(cameras) or '(it has none)'}", USAGE)
    return cameras[name], settings.outbox.path.parent


def _is_well(found: "Found") -> bool:
    """Whether nothing is wrong, as far as its view is known."""
    return {found.verdict.reason, found.suspected} <= {CameraReason.LEARNING, CameraReason.NONE}


def _save(path: Path, found: "Found", target: "Target", language: str) -> Path | None:
    """Save the key frame with what was measured over it."""
    from edge.cameras import draw

    transport, now = found.transport, found.now
    if transport.keyframe is None or transport.codec is None or now is None:
        typer.echo(told.word("none", language), err=True)
        return None
    try:
        picture = draw.drawn(
            transport.codec,
            transport.keyframe,
            list(told.beside_picture(found, target, language)),
            [told.word(each, language) for each in ("changed", "plain", "burnt")],
            now=now.picture,
            before=found.before.picture if found.before else None,
            zones=target.zones,
        )
        draw.save(picture, path)
    except (OSError, ValueError) as error:
        fail(f"{path}: {getattr(error, 'strerror', None) or error}: name a file where you may write", USAGE)
    return path


async def _watch(target: "Target", every_s: float, language: str) -> None:
    from edge.cameras.probe import Prober

    prober, loop = Prober(target), asyncio.get_running_loop()
    with _shown(target.address.url, language) as show:
        while True:
            began_s = loop.time()
            show(await prober.look())
            await asyncio.sleep(max(0.0, began_s + every_s - loop.time()))


@contextmanager
def _shown(url: str, language: str) -> "Iterator[Callable[[Found], None]]":
    """How a look is shown: in the table of a terminal, or by a line."""
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        from kewang.cli.edge_camera_live import shown

        with shown(url, language) as show:
            yield show
    else:
        typer.echo(url)
        yield lambda found: typer.echo(told.line(found, language))
