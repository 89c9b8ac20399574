"""`kewang edge identity` and `kewang edge enrol`: who a box is, and how it gets its certificate."""

import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from kewang.cli.common import FOUND, UNREACHABLE, USAGE, AsJson, Verbose, fail, print_json, settings_errors
from kewang.runtime.program import set_up_logging

NeededConfig = Annotated[Path, typer.Option("--config", "-c", readable=False, help="Settings file (TOML).")]
_MAX_FRAME_BYTES = 16_000_000


def identity(
    config: NeededConfig,
    label: Annotated[bool, typer.Option("--label", help="Show the label's QR code in the terminal.")] = False,
    png: Annotated[Path | None, typer.Option("--png", help="Write the QR code into this picture.")] = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Add the box to this list, for the office's import; many boxes, one file."),
    ] = None,
    request: Annotated[
        Path | None, typer.Option("--request", help="Write the certificate request here, for a bundle on a stick.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the box's id and the fingerprint of its key; both are made at the first call."""
    from edge.enrol import label as labels

    box, settings = _box(config)
    key = box.key
    host = settings.label_host or urlsplit(settings.url).hostname or ""
    shown = {"device": box.device, "fingerprint": key.fingerprint}
    try:
        if png:
            labels.save_png(png, host, box.device, key.fingerprint)
        if csv:
            labels.append_csv(csv, box.device, settings.kind, key.fingerprint)
        if request:
            request.write_text(key.request(box.device))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}: give a path that can be written", UNREACHABLE)
    if label:
        typer.echo(labels.qr_terminal(host, box.device, key.fingerprint))
    if as_json:
        print_json(shown)
    elif not label:
        typer.echo(f"{box.device}  {key.fingerprint}")


def enrol(
    config: NeededConfig,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, and end.")] = False,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="Take the identity from this file: for a box without a network.")
    ] = None,
    thumbnail: Annotated[
        str | None, typer.Option("--thumbnail", help="Show the office the key frame on standard input, of this source.")
    ] = None,
    codec: Annotated[str, typer.Option("--codec", help="Codec of that key frame.")] = "h264",
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Get the box's certificate from the office and keep it; waits until somebody has approved the box."""
    from edge.enrol import work
    from edge.enrol.errors import Refusing, Unreachable, Unusable

    set_up_logging(verbose)
    box, settings = _box(config)
    try:
        if bundle:
            _take_bundle(box, settings, config, bundle)
        elif thumbnail:
            _show(box, settings, thumbnail, codec)
        elif not once:
            work.until_enrolled(box, lambda: work.talk(settings, box))
        report = work.report(box) if bundle or thumbnail else work.once(box, lambda: work.talk(settings, box))
    except Refusing as error:
        fail(str(error), FOUND)
    except (Unreachable, Unusable, OSError) as error:
        fail(str(error), UNREACHABLE)
    typer.echo(report.json() if as_json else f"{report.device}: {report.state}. {report.trouble}".strip())
    raise typer.Exit(FOUND if report.trouble else 0)


def _box(config: Path) -> tuple[Any, Any]:
    """The box and its `[enrolment]` settings."""
    from edge.enrol import work
    from edge.enrol.box import Box
    from edge.settings import read_start
    from kewang.wire.errors import WireError

    with settings_errors():
        start = read_start(config)
    if start.enrolment is None:
        fail(f"{config}: there is no [enrolment] section: write url and ca_file into it", USAGE)
    try:
        with work.alone(start.enrolment.folder):
            box = Box(start.enrolment.folder)
            box.begin(start.device, start.enrolment.city, start.enrolment.kind)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}: run as the user that owns enrolment.folder", UNREACHABLE)
    except WireError as error:
        fail(f"device: {error}", USAGE)
    return box, start.enrolment


def _take_bundle(box: Any, settings: Any, config: Path, file: Path) -> None:
    from edge.enrol import bundle, work
    from edge.settings import read_start
    from kewang.runtime.clock import SystemClock

    clock = SystemClock(read_start(config).clock)
    with work.alone(box.folder):
        wall_ms = clock.wall_ms() if clock.synchronised() else None
        bundle.take(box, file.read_bytes(), box.roots(settings.ca_file), wall_ms)


def _show(box: Any, settings: Any, source: str, codec: str) -> None:
    from edge.cameras.decode import DecodeError
    from edge.cameras.thumbnail import thumbnail
    from edge.enrol import work
    from edge.enrol.errors import Unusable

    frame = sys.stdin.buffer.read(_MAX_FRAME_BYTES)
    try:
        jpeg = thumbnail(codec, frame, blur=settings.blur)
    except DecodeError as error:
        raise Unusable(f"source {source}: {error}") from None
    with work.talk(settings, box) as office:
        office.thumbnail(box.device, box.key, source, jpeg)
