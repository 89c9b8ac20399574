"""`kewang sim`: simulated boards and cameras behind real protocols, and fleets of devices over MQTT."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from kewang.cli.common import USAGE, fail
from kewang.runtime.program import set_up_logging

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Simulated devices behind real protocols.")

Seed = Annotated[int, typer.Option("--seed", help="Seed of what they say; the next boards count on.")]


@app.command()
def board(
    journal: Annotated[Path, typer.Option(help="File for every value given out; several: NAME-0.EXT ...")],
    boards: Annotated[int, typer.Option(min=1, help="How many boards, each behind its own port.")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="First port; 0 = free ones, told on output.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    map_: Annotated[str, typer.Option("--map", help="Map files, or market-env, bin, river; by commas.")] = "market-env",
    faults: Annotated[str, typer.Option(help="none, random, or fault@start+length,... in seconds.")] = "none",
    control: Annotated[Path | None, typer.Option(help="File that switches faults while it runs.")] = None,
    seed: Seed = 1,
) -> None:
    """Serve simulated Modbus TCP boards with signals of Ambon until Ctrl-C; one JSON line says where they are.

    Example: kewang sim board --journal journal.jsonl --port 1502 --faults random
    """
    told = ["--boards", str(boards), "--port", str(port), "--host", host, "--map", map_, "--faults", faults]
    told += ["--seed", str(seed), "--journal", str(journal), *(["--control", str(control)] if control else [])]
    _run("board", *told)


@app.command()
def camera(
    cameras: Annotated[int, typer.Option(min=1, help="How many cameras, each behind its own ports.")] = 1,
    scene: Annotated[
        str, typer.Option(help="market, street, filmed, pattern; by commas, dealt out in turn.")
    ] = "market",
    port: Annotated[int, typer.Option(min=0, max=65535, help="First RTSP port; 0 = free ones, told on output.")] = 0,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="First HTTP port (MJPEG, ONVIF); 0 = free.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    codec: Annotated[str, typer.Option(help="h264 or h265; by commas, dealt out in turn.")] = "h264",
    size: Annotated[str, typer.Option(help="Width and height of the picture.")] = "640x360",
    fps: Annotated[float, typer.Option(min=0.5, max=60, help="Pictures a second.")] = 10.0,
    keyframe_interval_s: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds between key frames.")] = 1.0,
    loop_s: Annotated[float, typer.Option(min=0, max=60, help="Repeat one clip of this length; 0 = live.")] = 0.0,
    hour: Annotated[
        float | None, typer.Option(min=0, max=24, help="Local time at the start; default: Ambon's.")
    ] = None,
    path: Annotated[str, typer.Option(help="Path of the stream.")] = "/stream",
    auth: Annotated[
        str | None, typer.Option(help="none, basic, digest, digest-sha256; digest with a password.")
    ] = None,
    user: Annotated[str, typer.Option(help="User name.")] = "admin",
    password_file: Annotated[Path | None, typer.Option(help="File with the password.")] = None,
    max_sessions: Annotated[int, typer.Option(min=1, help="Sessions at one time; one more gets 453.")] = 8,
    lingers: Annotated[bool, typer.Option("--lingers", help="Sessions outlive their connection, as of old.")] = False,
    discoverable: Annotated[bool, typer.Option("--discoverable", help="Answer probes of WS-Discovery.")] = False,
    faults: Annotated[
        list[str] | None, typer.Option(help="fault[=value]@start+length,...; again: next camera.")
    ] = None,
    control: Annotated[Path | None, typer.Option(help="File that switches faults while it runs.")] = None,
    statistics: Annotated[Path | None, typer.Option(help="File that tells every second what the cameras did.")] = None,
    video: Annotated[Path | None, typer.Option(help="Film for the scene `filmed`.")] = None,
    seed: Seed = 1,
) -> None:
    """Serve simulated cameras over RTSP, MJPEG and ONVIF until Ctrl-C; one JSON line says where they are.

    Examples:

        kewang sim camera --scene market,street --cameras 2 --port 8554

        kewang sim camera --faults black@60+300 --control camera.json
    """
    given = {**locals()}
    _run("camera", *(word for name, value in given.items() for word in _words(name, value)))


def _words(name: str, value: object) -> list[str]:
    """An option as words of the command line; none when it was not given."""
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [option] if value else []
    values = value if isinstance(value, list) else [value]
    return [word for each in values if each is not None for word in (option, str(each))]


@app.command()
def switch(
    control: Annotated[Path, typer.Argument(help="Its control file.")],
    fault: Annotated[str, typer.Argument(help="stuck, out_of_range, black, loss=0.05,401 ...; plan = as planned.")],
) -> None:
    """Switch the fault of a board or camera that was started with --control; a wrong word lists them all.

    Example: kewang sim switch control.json out_of_range
    """
    _run("switch", str(control), fault)


@app.command()
def fleet(
    host: Annotated[str, typer.Option(help="Broker.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 1883,
    username: Annotated[str | None, typer.Option(help="User name at the broker.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File with the password.")] = None,
    devices: Annotated[int, typer.Option(min=1, help="How many devices.")] = 100,
    connections: Annotated[int, typer.Option(min=1, help="Connections that carry them.")] = 4,
    batches: Annotated[int, typer.Option(min=0, help="Batches of each device; 0 = until Ctrl-C.")] = 0,
    rows: Annotated[int, typer.Option(min=1, max=1000, help="Rows of a batch.")] = 30,
    interval_s: Annotated[float, typer.Option(min=0, help="Seconds between batches; 0 = as fast as it goes.")] = 10.0,
    prefix: Annotated[str, typer.Option(help="Devices are called PREFIX-00001 and so on.")] = "fleet",
    seed: Seed = 1,
) -> None:
    """Many devices that speak the protocol over MQTT, for load; ends with a report as JSON.

    Exit codes: 0 every batch was named as stored; 1 some were not; 2 wrong words or broker.

    Example: kewang sim fleet --devices 1000 --batches 10 --interval-s 5
    """
    told = ["--host", host, "--port", str(port), "--devices", str(devices), "--connections", str(connections)]
    told += ["--batches", str(batches), "--rows", str(rows), "--interval-s", str(interval_s), "--seed", str(seed)]
    told += ["--prefix", prefix]
    told += ["--username", username] if username else []
    told += ["--password-file", str(password_file)] if password_file else []
    _run("fleet", *told)


def _run(*told: str) -> None:
    from firmware_sim.__main__ import main

    set_up_logging()
    try:
        code = main(told)
    except OSError as error:
        fail(str(error), USAGE)
    sys.stdout.flush()
    raise typer.Exit(code)
