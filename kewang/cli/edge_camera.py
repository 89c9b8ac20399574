"""`kewang edge camera`: look at a camera, watch it, tell the agent that its view is right."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kewang.cli.common import FOUND, UNREACHABLE, USAGE, AsJson, fail, print_json, settings_errors
from kewang.cli.edge_camera_discover import discover
from kewang.wire.cameras import FIRST_STEPS, REASON_WORDS, STATE_WORDS, CameraReason, CameraState
from kewang.wire.catalogue import METRICS, Metric
from kewang.wire.command import ACCEPT_VIEW

if TYPE_CHECKING:
    from edge.cameras.probe import Found, Target
    from edge.cameras.settings import CameraSettings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Cameras: find them, look at them, accept a view.")
app.command()(discover)

_UNANSWERED: Final = frozenset({CameraReason.DNS, CameraReason.REFUSED, CameraReason.TIMEOUT, CameraReason.UNROUTABLE})
_SIGNS: Final = {CameraState.OK: "●", CameraState.DEGRADED: "▲", CameraState.DOWN: "✖", CameraState.UNKNOWN: "◆"}
_COLOURS: Final = {
    CameraState.OK: typer.colors.GREEN,
    CameraState.DEGRADED: typer.colors.YELLOW,
    CameraState.DOWN: typer.colors.RED,
    CameraState.UNKNOWN: None,
}
_WORDS: Final = {
    "state": ("keadaan", "state"),
    "because": ("alasan", "reason"),
    "seen": ("terlihat", "seen"),
    "first": ("langkah pertama", "first step"),
    "unmeasured": ("tidak terukur", "not measured"),
    "changed": ("berubah", "changed"),
    "plain": ("tanpa tepi: tak dapat dinilai", "no edges: can't be judged"),
    "burnt": ("silau", "burnt out"),
    "saved": ("gambar", "picture"),
    "none": ("tidak ada gambar untuk disimpan", "there is no picture to save"),
}
_ON_PICTURE: Final = ("fps", "bitrate_kbps", "loss_pct", "brightness_pct", "clipped_pct", "noise_luma", "change_luma")
_SHOWN_LIVE: Final = ("fps", "bitrate_kbps", "loss_pct", "first_keyframe_ms", "brightness_pct", "sharpness_ratio")

Where = Annotated[str, typer.Argument(metavar="URL", help="Its stream; with --config the name of a source.")]
User = Annotated[str | None, typer.Option(help="User of the camera; best one that may only watch.")]
PasswordFile = Annotated[Path | None, typer.Option(help="File with its password, chmod 600; else it is asked for.")]
Kind = Annotated[str, typer.Option(help="auto, rtsp, mjpeg, snapshot or other.")]
Config = Annotated[Path | None, typer.Option("--config", "-c", help="Look as the agent with these settings does.")]
Language = Annotated[str, typer.Option("--lang", help="Language of the answer: id or en.")]
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
    """Look at a camera for about ten seconds: all that the agent would measure, its state, and what to do first.

    Nothing leaves this machine; a picture is saved only with --picture. Exit codes: 0 the camera is well, or its view
    is still learned; 1 it is degraded, down or was not measured; 2 wrong words; 3 it can't be reached.

    Examples:

        kewang edge camera probe rtsp://192.168.1.64/stream2 --user viewer --password-file camera.password

        kewang edge camera probe cam-1 --config edge.toml --picture cam-1.png
    """
    from edge.cameras.probe import probe as look

    target = _target(where, user, password_file, kind, onvif, config, language)
    found = asyncio.run(look(target))
    saved = _save(picture, found, target, language) if picture else None
    if as_json:
        print_json(_as_json(found, target, saved))
    else:
        typer.echo("\n".join(_told(found, target, saved, language)))
    if found.transport.reason in _UNANSWERED:
        raise typer.Exit(UNREACHABLE)
    raise typer.Exit(0 if found.verdict.state is CameraState.OK or _is_learning(found) else FOUND)


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
    """Look at a camera again and again, a line for each look, until Ctrl-C.

    Example: kewang edge camera watch rtsp://192.168.1.64/stream2 --user viewer --password-file camera.password
    """
    target = _target(where, user, password_file, kind, False, config, language)
    with suppress(KeyboardInterrupt):
        asyncio.run(_watch(target, every_s, language))


@app.command()
def accept(
    name: Annotated[str, typer.Argument(help="Name of the camera's source on this box.")],
    config: Annotated[Path, typer.Option("--config", "-c", help="Settings file (TOML).")],
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
    from kewang.runtime.settings import secret

    if language not in ("id", "en"):
        fail(f"--lang {language!r}: write id or en", USAGE)
    if kind not in ("auto", "rtsp", "mjpeg", "snapshot", "other"):
        fail(f"--kind {kind!r}: write auto, rtsp, mjpeg, snapshot or other", USAGE)
    if config:
        settings, beside = _source(config, where)
        return Target.of_settings(settings, beside)
    if password_file and not user:
        fail("--password-file without --user: give both", USAGE)
    with settings_errors():
        password = secret(password_file) if password_file else _asked(user)
    try:
        return Target.of_url(where, user, password, kind=kind, onvif=onvif)
    except ValueError as error:
        fail(str(error) if "://" in where else f"{error}; the name of a source needs --config", USAGE)


def _source(config: Path, name: str) -> "tuple[CameraSettings, Path]":
    """Settings of the camera `name`, and the folder of the agent's state."""
    from edge.cameras.settings import CameraSettings
    from edge.settings import read_settings

    with settings_errors():
        settings = read_settings(config)
    cameras = {source.name: source for source in settings.sources if isinstance(source, CameraSettings)}
    if name not in cameras:
        fail(f"{config} has no camera {name!r}: name one of {', '.join(cameras) or '(it has none)'}", USAGE)
    return cameras[name], settings.outbox.path.parent


def _asked(user: str | None) -> str | None:
    """The password of `user`, typed in by a person; None without one."""
    if user is None or not sys.stdin.isatty():
        return None
    password: str = typer.prompt(f"password of {user}", hide_input=True, default="", show_default=False, err=True)
    return password or None


def _is_learning(found: "Found") -> bool:
    return found.verdict.reason in (CameraReason.LEARNING, CameraReason.NONE)


def _word(name: str, language: str) -> str:
    return _WORDS[name][language != "id"]


def _told(found: "Found", target: "Target", saved: Path | None, language: str) -> Iterator[str]:
    """The answer for people, line by line."""
    english, verdict = language != "id", found.verdict
    state = f"{_SIGNS[verdict.state]} {STATE_WORDS[verdict.state][english]}"
    yield typer.style(target.address.url, bold=True)
    yield f"{_word('state', language):<32} {typer.style(state, fg=_COLOURS[verdict.state], bold=True)}"
    yield f"{_word('because', language):<32} {REASON_WORDS[verdict.reason][english]}"
    if found.detail:
        yield f"{_word('seen', language):<32} {found.detail}"
    if verdict.reason in FIRST_STEPS:
        yield f"{_word('first', language):<32} {FIRST_STEPS[verdict.reason][english]}"
    for metric in METRICS:
        if metric.stream == "cam" and metric.name not in ("camera_state", "camera_reason"):
            value = found.metrics.get(metric.name)
            yield f"  {metric.meaning(language):<40} {_value(metric, value, language)}"
    if saved:
        yield f"{_word('saved', language):<32} {saved}"


def _value(metric: Metric, value: float | None, language: str) -> str:
    if value is None:
        return typer.style(f"{_word('unmeasured', language):>12}", dim=True)
    word = metric.word(value, language)
    return f"{word:>12}" if word else f"{value:>12.{metric.decimals}f} {metric.unit}".rstrip()


def _as_json(found: "Found", target: "Target", saved: Path | None) -> dict[str, Any]:
    verdict = found.verdict
    return {
        "ok": verdict.state is CameraState.OK,
        "url": target.address.url,
        "state": verdict.state.name.lower(),
        "reason": verdict.reason.name.lower(),
        "detail": found.detail,
        "codec": found.transport.codec,
        "width": found.now.width if found.now else None,
        "height": found.now.height if found.now else None,
        "metrics": {name: round(value, 4) for name, value in found.metrics.items()},
        "picture": str(saved) if saved else None,
    }


def _save(path: Path, found: "Found", target: "Target", language: str) -> Path | None:
    """Save the key frame with what was measured over it."""
    from edge.cameras import draw

    transport, now = found.transport, found.now
    if transport.keyframe is None or transport.codec is None or now is None:
        typer.echo(_word("none", language), err=True)
        return None
    try:
        picture = draw.drawn(
            transport.codec,
            transport.keyframe,
            list(_over_picture(found, target, language)),
            [_word(each, language) for each in ("changed", "plain", "burnt")],
            now=now.picture,
            before=found.before.picture if found.before else None,
            zones=target.zones,
        )
        draw.save(picture, path)
    except (OSError, ValueError) as error:
        fail(f"{path}: {getattr(error, 'strerror', None) or error}", USAGE)
    return path


def _over_picture(found: "Found", target: "Target", language: str) -> Iterator[str]:
    english, verdict, now = language != "id", found.verdict, found.now
    yield target.address.url
    yield f"{STATE_WORDS[verdict.state][english]}: {REASON_WORDS[verdict.reason][english]}"
    if now:
        yield f"{found.transport.codec} {now.width} x {now.height}"
    for metric in METRICS:
        if metric.name in _ON_PICTURE and metric.name in found.metrics:
            yield f"{metric.meaning(language)}: {_value(metric, found.metrics[metric.name], language).strip()}"


async def _watch(target: "Target", every_s: float, language: str) -> None:
    from edge.cameras.probe import Prober

    prober, loop = Prober(target), asyncio.get_running_loop()
    typer.echo(typer.style(target.address.url, bold=True))
    while True:
        began_s = loop.time()
        typer.echo(_line(await prober.look(), language))
        await asyncio.sleep(max(0.0, began_s + every_s - loop.time()))


def _line(found: "Found", language: str) -> str:
    """One look on one line."""
    import time

    verdict, english = found.verdict, language != "id"
    state = typer.style(
        f"{_SIGNS[verdict.state]} {STATE_WORDS[verdict.state][english]:<16}", fg=_COLOURS[verdict.state]
    )
    values = [
        f"{metric.meaning(language)} {_value(metric, found.metrics[metric.name], language).strip()}"
        for metric in METRICS
        if metric.name in _SHOWN_LIVE and metric.name in found.metrics
    ]
    told = "; ".join(filter(None, [REASON_WORDS[verdict.reason][english], found.detail]))
    return f"{time.strftime('%H:%M:%S')} {state} {told:<28} {', '.join(values)}"
