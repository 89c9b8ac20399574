"""Settings of the edge agent: `edge.toml`, and the sources built from it."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, PlainValidator, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from edge.enrolled import identity, with_identity
from edge.enrolment_settings import EnrolmentSettings
from edge.ports import Source
from edge.sources import driver
from edge.sources.box import Box, BoxSettings, Gauge
from edge.sources.settings import (
    File,
    SecretFile,
    SettingsPath,
    SourceSettings,
    Surroundings,
    clash,
    problem,
    settings_folder,
    surroundings,
)
from edge.trust.assess import Assessed, Assessor, Neighbours
from edge.trust.humidity import PmCorrection
from kewang.runtime.broker import BrokerSettings, TlsSettings
from kewang.runtime.clock import ClockTrust, SystemClock
from kewang.runtime.settings import Settings, SettingsError, load
from kewang.wire.names import BOX_SOURCE, is_device
from kewang.wire.timers import Timers

log = logging.getLogger(__name__)


class EdgeTls(TlsSettings):
    """TLS towards the broker. A box with a certificate of its own needs no password."""

    ca_file: File | None = Field(default=None, description="Certificates that are trusted; default: the system's.")
    cert_file: File | None = Field(default=None, description="The box's own certificate chain (PEM).")
    key_file: SecretFile | None = Field(default=None, description="Its private key (PEM), readable by its owner only.")

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise problem("cert_file and key_file go together: give both or none")
        return self


class EdgeBroker(BrokerSettings):
    """Where the broker is and how to log in."""

    password_file: SecretFile | None = Field(
        default=None, description="File with the password, readable by its owner only."
    )
    tls: EdgeTls | None = Field(default=None, description="TLS; without this section the connection is plain.")
    keepalive: int = Field(default=30, ge=5, le=600, description="Seconds after which a silent connection is probed.")


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often readings go to the disk. What was read since is what a power cut takes."""

    flush_s: float
    flush_rows: int
    sparing: bool
    """The card is spared: what is kept is deflated, and versions of before leave it alone; nobody else reads along."""


Profile = Literal["wired", "cellular", "card"]
PROFILES: Final[dict[Profile, Rhythm]] = {
    "wired": Rhythm(10.0, 30, sparing=False),
    "cellular": Rhythm(30.0, 90, sparing=True),
    "card": Rhythm(300.0, 300, sparing=True),
}


class OutboxSettings(Settings):
    """The durable queue on the box's disk."""

    path: SettingsPath = Field(default=Path("/var/lib/kewang/outbox.db"), description="The queue's file (SQLite).")
    budget_mb: float = Field(default=512, ge=1, le=1_000_000, description="Room on disk; the oldest batches make way.")
    profile: Profile = Field(
        default="wired",
        description="How often readings are committed, and so what a power cut takes: `wired` those of the last 10 s, "
        "`cellular` 30 s, `card` 5 min, for a card that should last. The last two keep them deflated.",
    )
    flush_s: float | None = Field(
        default=None, gt=0, le=600, description="Readings are committed at least this often (s); default: by profile."
    )
    flush_rows: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="A source with so many new rows is committed at once; default: by profile, 30, 90 or 300.",
    )

    @property
    def budget_bytes(self) -> int:
        """The budget in bytes."""
        return int(self.budget_mb * 1_000_000)

    @property
    def rhythm(self) -> Rhythm:
        """That of the profile, with what the settings say of their own."""
        given = PROFILES[self.profile]
        return replace(given, flush_s=self.flush_s or given.flush_s, flush_rows=self.flush_rows or given.flush_rows)


class TrustSettings(Settings):
    """Doubtful values get a flag beside them; the value itself is never changed."""

    flags: bool = Field(
        default=True,
        description="Flag values while a sensor warms up, is stuck, jumps or drifts; false: judge and correct nothing.",
    )
    warm_up_s: dict[str, Annotated[float, Field(ge=0, le=604_800)]] = Field(
        default_factory=dict,
        description="Source -> seconds after power-on in which its values are flagged as warming up; default: by "
        "metric.",
    )
    pm_correction: PmCorrection = Field(
        default="none",
        description="`barkjohn-2021`: `pm25_corrected_ugm3` beside the raw value, with this box's humidity. For "
        "Plantower sensors in outdoor air.",
    )


class PowerLevel(Settings):
    """One step of saving."""

    below: float = Field(gt=0, description="It begins where the metric falls below this, and ends 2 % above it.")
    stretch: float = Field(gt=1, le=100, description="Sources are read at so many times their periods.")


class PowerSettings(Settings):
    """A box on a battery reads its sources more rarely the lower that is."""

    source: str = Field(description="Source that tells of the battery; it and the box itself keep their periods.")
    metric: str = Field(default="supply_v", description="Its metric that does.")
    levels: tuple[PowerLevel, ...] = Field(
        min_length=1,
        max_length=10,
        description="`{ below = 12.4, stretch = 2 }`: below 12.4 twice the periods (stretch > 1); mildest first.",
    )

    @field_validator("levels")
    @classmethod
    def _steps(cls, levels: tuple[PowerLevel, ...]) -> tuple[PowerLevel, ...]:
        if any(later.below >= one.below or later.stretch <= one.stretch for one, later in pairwise(levels)):
            raise problem("each level must begin below the one before it and stretch more: sort them so")
        return levels


class TimerSettings(Settings):
    """The protocol's times, for tests."""

    faster: float = Field(
        default=1.0, gt=0, le=1000, description="Divides the protocol's times. Leave it at 1 in the field."
    )


def _source(item: Any) -> SourceSettings:
    """A `[[sources]]` section, checked by the settings model of its driver."""
    if isinstance(item, SourceSettings):
        return item
    name = item.get("driver") if isinstance(item, dict) else None
    if not isinstance(name, str):
        raise problem('a source needs driver = "..." under [[sources]]: `kewang edge check` lists the installed ones')
    try:
        model = driver(name).Settings
    except SettingsError as error:
        raise problem(str(error)) from None
    return model.model_validate(item)


def _enrolment(values: Any) -> EnrolmentSettings | None:
    """The `[enrolment]` section if it is well; else the field itself tells what is wrong with it."""
    section = values.get("enrolment") if isinstance(values, dict) else None
    if isinstance(section, EnrolmentSettings):
        return section
    try:
        return EnrolmentSettings.model_validate(section) if section else None
    except ValidationError:
        return None


def _usable(item: Any, beside: list[SourceSettings]) -> bool:
    """Whether a source of the office can be read here `beside` the others, which it then joins.

    A wrong one must not silence the whole box.
    """
    try:
        made = _source(item)
        if told := clash([*beside, made]):
            raise problem(told)
        beside.append(made)
    except (ValidationError, PydanticCustomError) as error:
        name = item.get("name") if isinstance(item, dict) else "?"
        log.error("source %s of the office is left out: %s", name, _first_line(error))
        return False
    return True


def _first_line(error: ValidationError | PydanticCustomError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)


AnySource = Annotated[SourceSettings, PlainValidator(_source)]


class EdgeSettings(Settings):
    """Everything the agent is told: one TOML file; flag > environment > file > default."""

    device: str = Field(
        description="Id of this box: 3 to 32 characters of a-z, 0-9 and '-'; also its MQTT user and certificate name. "
        "With [enrolment] it may be left out: the box makes one at its first start."
    )
    enrolment: EnrolmentSettings | None = Field(
        default=None, description="Where the box gets certificate and sources; without it both are given here."
    )
    broker: EdgeBroker = Field(default_factory=EdgeBroker, description="The broker.")
    outbox: OutboxSettings = Field(default_factory=OutboxSettings, description="The queue on disk.")
    clock: ClockTrust = Field(
        default="kernel",
        description="`kernel`: the clock counts while the kernel says it is synchronised; `trusted`: always, "
        "`untrusted`: never (for benches).",
    )
    wall_offset_ms: int = Field(default=0, description="Shifts the clock, for benches. Leave it at 0 in the field.")
    trust: TrustSettings = Field(default_factory=TrustSettings, description="Whether values can be believed.")
    power: PowerSettings | None = Field(
        default=None, description="Saving of a battery; without this section every source keeps its period."
    )
    timers: TimerSettings = Field(default_factory=TimerSettings, description="The protocol's times, for tests.")
    sources: tuple[AnySource, ...] = Field(
        default=(), description="Cameras and sensors; each with the keys of its driver."
    )

    @model_validator(mode="before")
    @classmethod
    def _enrolled(cls, values: Any) -> Any:
        """What the office gave counts where the file says nothing. A source of it that can't be is left out."""
        found = _enrolment(values)
        if found is None:
            return values
        try:
            own = identity(found.folder)
        except OSError as error:
            raise problem(f"enrolment.folder {found.folder}: {error.strerror}: run as the user that owns it") from None
        merged = with_identity(values, own)
        if not merged.get("device"):
            raise problem("this box has no identity yet: run `kewang edge identity -c FILE`, then `kewang edge enrol`")
        given = len(values.get("sources") or ())
        beside = list[SourceSettings]()
        for each in merged["sources"][:given]:
            # One that is not well is told by its own validation.
            with suppress(ValidationError, PydanticCustomError):
                beside.append(_source(each))
        theirs = [each for each in merged["sources"][given:] if _usable(each, beside)]
        merged["sources"] = [*merged["sources"][:given], *theirs]
        return merged

    @field_validator("device")
    @classmethod
    def _device(cls, device: str) -> str:
        if not is_device(device):
            raise problem(f"{device!r} is not 3 to 32 characters of a-z, 0-9 and '-'")
        return device

    @field_validator("sources")
    @classmethod
    def _names(cls, sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
        twice = [name for name, count in Counter(source.name for source in sources).items() if count > 1]
        if twice:
            raise problem(f"two sources are called {twice[0]!r}: give each its own name")
        if told := clash(sources):
            raise problem(told)
        return sources

    @model_validator(mode="after")
    def _named(self) -> Self:
        """Refuse what is said of a source that is not there. The office may take one away: that must not stop the
        box."""
        names = [source.name for source in self.sources]
        unknown = sorted(set(self.trust.warm_up_s) - set(names))
        told = [f"trust.warm_up_s: no source {unknown[0]!r}"] if unknown else []
        if self.power and self.power.source not in (BOX_SOURCE, *names):
            told.append(f"power.source: no source {self.power.source!r}")
        for each in told:
            whole = f"{each} (there are {', '.join(names) or 'none'})"
            if self.enrolment is None:
                raise problem(whole)
            log.warning("%s", whole)
        return self

    def protocol_times(self) -> Timers:
        """The protocol's times as this box uses them."""
        return Timers(keepalive_s=self.broker.keepalive).faster(self.timers.faster)

    def system_clock(self) -> SystemClock:
        """The clock this box goes by."""
        return SystemClock(self.clock, self.wall_offset_ms)

    def box(self) -> BoxSettings:
        """Settings of the box's own source, which is there whether or not the file names it."""
        given = (source for source in self.sources if isinstance(source, BoxSettings))
        return next(given, BoxSettings())


def read_settings(file: Path | None, flags: Mapping[str, Any] | None = None) -> EdgeSettings:
    """The settings from `file`, environment (`KEWANG_EDGE_...`) and `flags` (dotted key -> value).

    Relative paths start at the folder of `file`. Raises SettingsError: one problem a line, with key and next step.
    """
    token = settings_folder.set(file.resolve().parent if file else Path.cwd())
    try:
        return load(EdgeSettings, "edge", file, flags)
    finally:
        settings_folder.reset(token)


class Start(Settings):
    """What must be known before the box has an identity: the rest of the file is read afterwards."""

    model_config = ConfigDict(extra="ignore")
    device: str | None = None
    clock: ClockTrust = "kernel"
    enrolment: EnrolmentSettings | None = None
    outbox: OutboxSettings = OutboxSettings()


def read_start(file: Path) -> Start:
    """The part of `file` that enrolment needs. Raises SettingsError."""
    token = settings_folder.set(file.resolve().parent)
    try:
        return load(Start, "edge", file)
    finally:
        settings_folder.reset(token)


def build_sources(
    settings: EdgeSettings, *, outbox_bytes: Gauge = lambda: None, sources_failing: Gauge = lambda: None
) -> list[Source]:
    """All sources of the box, its own first. `outbox_bytes`, `sources_failing`: what only the agent knows.

    Raises SettingsError if the source of `power` does not read its metric.
    """
    clock = settings.system_clock()
    box = Box(
        settings.box(),
        outbox_bytes=outbox_bytes,
        sources_failing=sources_failing,
        clock_synced=clock.synchronised,
        certificate=settings.broker.tls.cert_file if settings.broker.tls else None,
    )
    others = [source for source in settings.sources if source.name != BOX_SOURCE]
    token = surroundings.set(Surroundings(settings.outbox.path.parent, clock.synchronised))
    try:
        built = [driver(source.driver)(source) for source in others]
    finally:
        surroundings.reset(token)
    sources = [box, *_assessed(settings, built)]
    _check_power(settings, sources)
    return sources


def _check_power(settings: EdgeSettings, sources: Sequence[Source]) -> None:
    """Refuse a battery that its source says nothing of. As above, the office must not stop the box by it."""
    power = settings.power
    source = next((each for each in sources if power and each.name == power.source), None)
    if power is None or source is None or power.metric in source.metrics:
        return
    told = f"power.metric: source {source.name} reads no {power.metric}: it reads {', '.join(source.metrics)}"
    if settings.enrolment is None:
        raise SettingsError(told)
    log.warning("%s", told)


def _assessed(settings: EdgeSettings, sources: Sequence[Source]) -> list[Source]:
    """The sources, with every environmental sensor's values judged on their way."""
    trust = settings.trust
    if not trust.flags:
        return list(sources)
    neighbours, clock = Neighbours(), settings.system_clock()

    def assessed(source: Source) -> Source:
        warm_up_s = trust.warm_up_s.get(source.name)
        judge = Assessor(source.name, source.metrics, neighbours, warm_up_s=warm_up_s, correction=trust.pm_correction)
        return Assessed(source, judge, clock)

    return [assessed(source) if source.stream == "env" else source for source in sources]
