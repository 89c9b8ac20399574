"""Settings of the gateway: one TOML file, `kewang gateway run --config gateway.toml`."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from gateway.notify.channel_settings import Networks
from gateway.ports import Lives
from kewang.runtime.broker import BrokerSettings
from kewang.runtime.settings import Settings, TimeZone, load
from kewang.wire import topics
from kewang.wire.timers import Timers

_LONGEST_ID = 29
"""Of a gateway with several processes: theirs are some longer, at most 32 characters."""


class StoreSettings(Settings):
    """The database."""

    url: str = Field(
        "sqlite:///kewang.db",
        description="sqlite:///FILE, influx1+http://HOST:PORT/DATABASE or influx2+https://HOST:PORT/ORGANISATION/BUCKET.",
    )
    username: str | None = Field(None, description="User name (InfluxDB 1).")
    secret_file: Path | None = Field(
        None, description="File with the password (InfluxDB 1) or token (InfluxDB 2), readable by its owner only."
    )
    raw_days: int = Field(14, ge=0, le=36500, description="Readings are deleted after so many days; 0 = never.")
    months_days: int = Field(
        180, ge=0, le=36500, description="Roll-ups of five minutes are deleted after so many days; 0 = never."
    )
    years_days: int = Field(
        1826, ge=0, le=36500, description="Roll-ups of days, and incidents, are deleted after so many days; 0 = never."
    )
    writers: int = Field(2, ge=1, le=16, description="Writes to the database at one time.")
    write_rows: int = Field(5000, ge=1, le=50_000, description="Rows of one write, at most.")

    def lives(self) -> Lives:
        """How long points live."""
        return Lives(self.raw_days, self.months_days, self.years_days)


class ConsoleSettings(Settings):
    """The live page, /health, /ready and /metrics."""

    host: str = Field("127.0.0.1", description="Address the page listens on.")
    port: int = Field(8080, ge=0, le=65535, description="Port of the page; 0 = a free one.")
    language: Literal["id", "en"] = Field("id", description="Language of the page until its reader chooses one.")
    time_zone: TimeZone = Field(
        "Asia/Jayapura", description="Time zone of the page's clock, by its name (Asia/Makassar)."
    )
    silent_s: float = Field(
        90.0, ge=1, le=86_400, description="A device is called silent when its newest reading is older (s)."
    )
    stale_s: float = Field(
        60.0, ge=1, le=86_400, description="The page calls itself stale when its newest reading is older (s)."
    )

    service_token_file: Path | None = Field(
        None, description="File with the token with which provisioning asks what is stored, readable by its owner only."
    )
    session_key_file: Path | None = Field(
        None,
        description="File with the key of provisioning's login, readable by its owner only: who is not logged in there "
        "sees nothing. Without it the page is open to everybody who reaches it.",
    )
    login_url: str = Field("", description="Where people log in: address of provisioning's web app.")


class PingSettings(Settings):
    """An address elsewhere, asked while this gateway is proven to be well; its keeper tells people of silence."""

    url_file: Path = Field(description="File with the address, readable by its owner only.")
    every_s: float = Field(60.0, ge=10, le=3600, description="It is asked so often (s).")
    allowed: Networks = Field([], description="Inner networks and addresses it may be in (10.1.2.0/24).")
    plain_http: bool = Field(False, description="http:// is allowed too; for inner networks only.")


class OwnSettings(Settings):
    """What the gateway tells of its own house."""

    disk_pct: float = Field(90.0, gt=0, le=100, description="The disk of the gateway's files fills up from here (%).")
    disk_clear_pct: float = Field(85.0, gt=0, le=100, description="... until it is below this again (%).")
    backup_stamp: Path | None = Field(
        None,
        description="File that a backup touches when it is whole; without it nobody is told of one that is overdue.",
    )
    backup_h: float = Field(26.0, gt=0, le=8760, description="A backup is overdue when the last is older (h).")
    certificate_days: float = Field(
        14.0, ge=0, le=365, description="The gateway's certificate for the broker ends within so long: told (days)."
    )

    @model_validator(mode="after")
    def _clears_below(self) -> Self:
        if self.disk_clear_pct > self.disk_pct:
            raise ValueError("disk_clear_pct lies above disk_pct: it would never end; give a lower one")
        return self


class CanarySettings(Settings):
    """A device that goes silent every day on purpose: the notice of it must arrive."""

    device: str = Field(pattern=r"^[a-z0-9-]{3,32}$", description="The device that is stopped daily as a test.")
    within_min: float = Field(10.0, ge=1, le=1440, description="The notice must have arrived within so long (min).")
    every_h: float = Field(24.0, ge=1, le=168, description="The test comes so often (h); an hour more is waited.")


class IncidentSettings(Settings):
    """The watch for outages. Of several gateways exactly one has it, and that one serves all 16 shards."""

    folder: Path = Field(
        Path("/var/lib/kewang/gateway"), description="Folder of incidents and notices; back it up, it is small."
    )
    rules: Path | None = Field(
        None, description="File with rules about readings that are not ours, or not as ours; default: ours."
    )
    notify: Path | None = Field(
        None, description="File that says who is told of what; without it incidents are on the page alone."
    )
    own: OwnSettings = OwnSettings()
    canary: CanarySettings | None = Field(None, description="The daily test.")
    ping: PingSettings | None = Field(None, description="Who watches this gateway itself, from elsewhere.")


class TimerSettings(Settings):
    """Times of the protocol."""

    faster: float = Field(1.0, ge=1, le=100, description="Divides the protocol's waiting times; for tests only.")


class GatewaySettings(Settings):
    """Settings of the gateway."""

    id: str = Field("gw1", pattern=r"^[a-z0-9-]{3,32}$", description="Name of this gateway; also its MQTT client id.")
    shards: str = Field(
        "0123456789abcdef",
        pattern=r"^[0-9a-f]{1,16}$",
        description="The shards it serves, hex digits; all 16 for one gateway.",
    )
    clock: Literal["kernel", "trusted"] = Field(
        "kernel",
        description="kernel: the clock counts while the kernel calls it synchronised; trusted: always (demo, benches).",
    )
    ingest_processes: int = Field(
        1,
        ge=1,
        le=16,
        description="Processes that take and store readings, each some of the shards; above 1 this one watches them, "
        "and for outages. For what one core can't do: with InfluxDB, at most one for each core.",
    )
    broker: BrokerSettings = BrokerSettings()
    store: StoreSettings = StoreSettings()
    console: ConsoleSettings = ConsoleSettings()
    incidents: IncidentSettings | None = Field(
        None, description="The watch for outages; without this section nobody is told of any."
    )
    timers: TimerSettings = TimerSettings()
    rollups: bool | None = Field(
        None,
        description="Make the whole city's roll-ups, as one of several gateways does; default: the one of all shards.",
    )
    credit: int = Field(20, ge=1, le=1000, description="Batches of its backlog a device may have on the way.")
    queue_batches: int = Field(2000, ge=16, le=100_000, description="Batches waiting for the database, at most.")

    @model_validator(mode="after")
    def _one_watches_all(self) -> Self:
        if self.incidents is not None and set(self.shards) != set(topics.SHARDS):
            raise ValueError("incidents: a gateway that serves only some shards can't watch: take the section out here")
        return self

    @model_validator(mode="after")
    def _processes_can_be(self) -> Self:
        if self.ingest_processes == 1:
            return self
        if self.ingest_processes > len(set(self.shards)):
            raise ValueError(f"ingest_processes: {len(set(self.shards))} shards are for so many processes at most")
        if self.store.url.startswith("sqlite:"):
            raise ValueError("ingest_processes: SQLite takes the writes of one process; take 1, or InfluxDB")
        if len(self.id) > _LONGEST_ID:
            raise ValueError(f"ingest_processes: the id is the start of theirs, {_LONGEST_ID} characters at most")
        return self

    def of_processes(self) -> "list[GatewaySettings]":
        """Those of each ingest process: its own name and shards, nothing to watch, no roll-ups."""
        several, shards = self.ingest_processes, sorted(set(self.shards))
        return [
            self.model_copy(
                update={
                    "id": f"{self.id}-{n + 1}",
                    "shards": "".join(shards[n::several]),
                    "ingest_processes": 1,
                    "incidents": None,
                    "rollups": False,
                }
            )
            for n in range(several)
        ]

    def makes_rollups(self) -> bool:
        """Whether this gateway does it."""
        return set(self.shards) == set(topics.SHARDS) if self.rollups is None else self.rollups

    def times(self) -> Timers:
        """The protocol's times as set."""
        return Timers().faster(self.timers.faster)


def read_settings(file: Path | None, flags: dict[str, object] | None = None) -> GatewaySettings:
    """Settings from `file`, environment and `flags`. Raises SettingsError."""
    return load(GatewaySettings, "gateway", file, flags)
