"""Sources: drivers behind the port `edge.ports.Source`, found by entry point so that others can add theirs.

A driver is a class that is built from its own settings model and then only has to `read`. A package of yours needs
three things; nothing in Kewang changes:

1. Its settings, every key with a description (the documentation is made from them)::

    class DhtSettings(SourceSettings):
        pin: int = Field(ge=0, le=27, description="GPIO pin the sensor's data wire is on.")

2. The driver. `read` gives one value per metric, None for "no value", and raises SourceError with a text that says
   what to look at. It must not block the loop: a blocking library goes through a `Lane`, a thread for each port, so
   that one that hangs holds up no other. Do not judge values: what is out of range is kept and told by the gateway::

    class Dht:
        Settings = DhtSettings
        stream = "env"
        metrics = ("temp_c", "rh_pct")

        def __init__(self, settings: DhtSettings) -> None:
            self.name = settings.name
            self.interval_s = settings.interval_s
            self.timeout_s = settings.timeout_s
            self._pin, self._lane = settings.pin, Lane.at(f"pin {settings.pin}")

        async def read(self) -> Values:
            try:
                return await self._lane.run(dht.read, self._pin)
            except OSError as error:
                raise SourceError(f"no answer on pin {self._pin}: check the wire ({error})") from None

        async def close(self) -> None:
            pass

3. One line in its pyproject.toml, and `pip install` beside Kewang::

    [project.entry-points."kewang.sources"]
    dht = "my_package:Dht"

`kewang edge check` then knows `driver = "dht"`. Libraries that not every box needs are imported where they are used,
not at the top: a box carries in memory only what its own sources need.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Final, Protocol, cast

from edge.ports import Source
from edge.sources.settings import SourceSettings, nearest
from kewang.runtime.extras import PICTURE_LIBRARIES, MissingExtra
from kewang.runtime.settings import SettingsError

GROUP: Final = "kewang.sources"
_OURS: Final = {
    "bme280": "edge.sources.bme280:Bme280",
    "box": "edge.sources.box:Box",
    "camera": "edge.cameras.source:Camera",
    "ds18b20": "edge.sources.onewire:Thermometer",
    "modbus-rtu": "edge.sources.modbus_rtu:ModbusRtu",
    "modbus-tcp": "edge.sources.modbus:ModbusTcp",
    "mqtt": "edge.sources.mqtt:MqttSource",
    "pms5003": "edge.sources.particles:Pms5003",
    "sds011": "edge.sources.particles:Sds011",
    "sht3x": "edge.sources.sht3x:Sht3x",
}
"""The drivers that come with Kewang. No entry points: a checkout knows a new one without being installed anew."""


class Driver(Protocol):
    """The class of a source: its settings model, and built from such settings."""

    Settings: ClassVar[type[SourceSettings]]

    def __call__(self, settings: Any) -> Source: ...


@cache
def installed() -> dict[str, EntryPoint]:
    """The installed drivers by name; none of them is imported yet. Nobody replaces one of ours."""
    ours = [EntryPoint(name, value, GROUP) for name, value in _OURS.items()]
    found = {point.name: point for point in [*entry_points(group=GROUP), *ours]}
    return dict(sorted(found.items()))


@cache
def driver(name: str) -> Driver:
    """The driver called `name`. Raises SettingsError that names the nearest and lists the installed ones."""
    known = installed()
    if name not in known:
        raise SettingsError(f"unknown driver {name!r}{nearest(name, known)} (installed: {', '.join(known) or 'none'})")
    try:
        return cast(Driver, known[name].load())
    except ModuleNotFoundError as error:
        if error.name and error.name in PICTURE_LIBRARIES:
            raise SettingsError(f"driver {name!r}: {MissingExtra(error.name, 'camera')}") from None
        raise SettingsError(f"driver {name!r} can't be loaded: {error}: install its package again") from None
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"driver {name!r} can't be loaded: {error}: install its package again") from None


__all__ = ["Driver", "SourceSettings", "driver", "installed"]
