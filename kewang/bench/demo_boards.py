"""The boards of the demo: their files for a Grafana on this machine, and a history that fills them."""

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from rich.text import Text

from dashboards.files import MOUNTED, built, data_source, write
from dashboards.voice import Voice
from dashboards.yaml_text import yaml_text
from gateway.influx1_sink import Influx1Store
from gateway.ports import Misconfigured
from kewang.bench.ambon import Spot
from kewang.bench.city import City
from kewang.bench.demo_history import DAYS, History
from kewang.bench.houses import DATABASE
from kewang.bench.says import Says, _
from kewang.ui.words import LANGUAGES

ZONE: Final = ZoneInfo("Asia/Jayapura")
_NEEDS_INFLUX: Final = _("Boards for Grafana read InfluxDB: start the demo with --influx to get them.")
_FILLED: Final = _(
    "Boards for Grafana: %(folder)s\n"
    "They show %(days)s days that are simulated (their incidents are numbered demo-1, demo-2 ...) and what happens "
    "now.\n\n"
    "Grafana in a container:\n%(container)s\n\n"
    "Grafana from a Debian package:\n%(debian)s\n\n"
    "Then open http://127.0.0.1:3000/d/kewang-wall-%(language)s\n\n"
    "Without Grafana, ask the database what every panel asks:\n%(check)s"
)
_UNFILLED: Final = _("The boards have no history: %(why)s")
_CONTAINER: Final = (
    "docker run --rm --network host --env-file {0}/grafana.env \\\n"
    "  -v {0}:{1}:ro \\\n"
    "  -v {0}/maps:/usr/share/grafana/public/maps:ro grafana/grafana"
)
"""`--network host`: the demo's database listens on this machine alone."""
_DEBIAN: Final = (
    "sudo cp -rT {0} {1}\n"
    "sudo cp -rT {0}/maps /usr/share/grafana/public/maps\n"
    "grep -v '^#' {0}/grafana.env | sudo tee -a /etc/default/grafana-server\n"
    "sudo systemctl restart grafana-server"
)
_ENVIRONMENT: Final = "GF_SERVER_HTTP_ADDR=127.0.0.1\nGF_AUTH_ANONYMOUS_ENABLED=true\n"
"""Nobody but this machine sees it, and it asks for no login."""


class DemoBoards:
    """Writes the files and, in a thread of its own, the history; then says where they are and how to mount them.

    With another store than InfluxDB it says what to do instead.
    """

    def __init__(self, city: City, spots: Sequence[Spot], says: Says, seed: int) -> None:
        self._city, self._spots, self._says, self._seed = city, spots, says, seed
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.points: int | None = None
        """Of the history; None until all of it is written."""

    def begin(self) -> None:
        """Call it once the demo's first reading is there: it must not wait for this."""
        if self._city.house.part is None:
            self._says(_NEEDS_INFLUX)
            return
        self._thread = threading.Thread(target=self._fill, args=(self._city.house.part.url,), name="boards")
        self._thread.start()

    def end(self) -> None:
        """Give the rest of the history up."""
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def _fill(self, url: str) -> None:
        try:
            folder = self._write_files(url)
            self.points = asyncio.run(self._write_history(url))
        except (OSError, Misconfigured) as error:
            self._says(_UNFILLED, "yellow", why=str(error))
            return
        if self.points is not None:
            self._tell(folder, url)

    def _write_files(self, url: str) -> Path:
        """For a Grafana on this machine: the database has no password here, and alarms stay in Grafana."""
        folder = self._city.folder / "grafana"
        first = self._says.language
        order = sorted(LANGUAGES, key=lambda language: language != first)
        made = built([Voice(language, ZONE.key, self._city.gateway.page.rstrip("/")) for language in order])
        del made["provisioning/alerting/kewang-contacts.yaml"]
        made["provisioning/datasources/kewang.yaml"] = yaml_text(data_source(url))
        made["grafana.env"] = str(made["grafana.env"]) + _ENVIRONMENT
        write(folder, made)
        return folder

    async def _write_history(self, url: str) -> int | None:
        """How many points; None if the demo ends meanwhile."""
        store = Influx1Store(url, DATABASE)
        now_ms = time.time_ns() // 1_000_000
        history = History(self._spots, now_ms, ZONE, self._seed)
        writing = asyncio.create_task(history.write(store, self._city.folder / "history.db"))
        try:
            while not writing.done():
                await asyncio.wait([writing], timeout=0.2)
                if self._stopping.is_set():
                    writing.cancel()
            return None if writing.cancelled() else await writing
        finally:
            await store.close()

    def _tell(self, folder: Path, url: str) -> None:
        commands = {
            "container": _CONTAINER.format(folder, MOUNTED),
            "debian": _DEBIAN.format(folder, MOUNTED),
            "check": f"kewang dashboards check --influx {url}/{DATABASE}",
        }
        text = self._says.filled(_FILLED, folder=folder, days=DAYS, language=self._says.language, **commands)
        # No frame and no wrapping: these lines are to be copied.
        self._says.console.print(Text(f"\n{text}\n"), soft_wrap=True)
