"""`kewang demo`: a whole city on this machine, with a live page."""

import signal
import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kewang.cli.common import UNREACHABLE, AsJson, fail
from kewang.runtime import extras
from kewang.ui.words import as_language

if TYPE_CHECKING:
    from kewang.bench.demo import DemoOptions

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    seconds: Annotated[float | None, typer.Option(min=5, help="End by itself after so long.")] = None,
    influx: Annotated[bool, typer.Option("--influx", help="Store in Debian's InfluxDB 1 instead of SQLite.")] = False,
    chaos: Annotated[bool, typer.Option("--chaos", help="Kill a part every few seconds while you watch.")] = False,
    devices: Annotated[int, typer.Option(min=4, max=60, help="Devices, this machine among them.")] = 5,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the page; default 8080 or a free one.")
    ] = None,
    lang: Annotated[
        str, typer.Option(help="Language of notices, and of the page until its reader chooses: id or en.")
    ] = "id",
    secure: Annotated[
        bool, typer.Option("--secure", help="With certificates, a guarded broker and the technician's page.")
    ] = False,
    outage: Annotated[
        bool, typer.Option("--outage", help="Switch a site off and on by itself: what the key s does in a terminal.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of what the boards say and of what is killed.")] = 1,
    as_json: AsJson = False,
) -> None:
    """A whole city on this machine: broker, simulated boards, devices (this machine is one), gateway and live page.

    With --influx the boards for Grafana are written too, with a simulated history, and how to mount them is said.

    The key s switches a site off, and on again: one alert and its end arrive at a webhook of the demo's own and are
    shown. Waiting times are a tenth of a city's. Needs no root and no server, runs until q or Ctrl-C, leaves nothing
    behind, and ends with the proof that nothing is missing. Exit code 0: nothing was lost, doubled or wrong; 1:
    something was; 2: wrong words, or a library is missing; 3: a part is missing.
    """
    from kewang.bench.demo import DemoOptions
    from kewang.bench.demo_end import show_end
    from kewang.bench.envelope import emit

    if (language := as_language(lang)) is None:
        raise typer.BadParameter("id or en", param_hint="--lang")
    if secure and chaos:
        raise typer.BadParameter("--chaos and --secure do not go together", param_hint="--secure")
    extras.check("demo", but=["amqtt"])
    options = DemoOptions(seconds, influx, chaos, devices, port, language, seed, secure, outage)
    emit(_run(options), as_json, lambda result: show_end(result, options.language))


def _run(options: "DemoOptions") -> dict[str, Any]:
    """The demo's result. The first Ctrl-C ends it in order, a second one leaves at once; the guard cleans up."""
    from kewang.bench.demo import Demo, PortTaken
    from kewang.bench.process import MissingPart, PartFailed

    stopping = threading.Event()
    try:
        demo = Demo(options, stopping)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: demo.leave() if stopping.is_set() else stopping.set())
        return demo.run()
    except (MissingPart, PartFailed, PortTaken, TimeoutError) as error:
        fail(str(error), UNREACHABLE)
