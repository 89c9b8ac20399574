"""To whom a notice goes, by which channel and when: the routes of `notify.toml`, and the office's contacts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from gateway.incidents.canary import CANARY
from gateway.incidents.model import Incident, Severity
from gateway.notify.budget import SEVERITIES, BudgetRules, Notice
from gateway.notify.channel_settings import ChannelSettings
from gateway.notify.contacts import Contacts, OfficeSettings, RecipientSettings
from gateway.notify.delivery import DeliveryRules
from gateway.notify.escalation import EscalationSettings
from gateway.notify.message import Message
from gateway.notify.texts import LinkSettings, Surroundings, Texts
from kewang.runtime.settings import Settings, TimeZone, load

HOUR_S = 3600.0


class RouteSettings(Settings):
    """Who is told of what. Every route that fits counts; the same notice goes to an address once."""

    to: list[str] = Field(min_length=1, description="Recipients.")
    by: list[str] = Field(min_length=1, description="Channels; each but the first only when the one before it fails.")
    sites: list[str] = Field(["*"], min_length=1, description="Sites by name; * stands for any part.")
    kinds: list[str] = Field(["*"], min_length=1, description="Kinds of incidents; * stands for any part.")
    at_least: Severity = Field("info", description="The least severity: info, warning or critical.")

    escalation: bool = Field(False, description="Only what nobody has taken on for too long, and nothing else.")

    def fits(self, incident: Incident) -> bool:
        """Whether `incident` is one of this route; one without sites concerns everybody."""
        sites = incident.sites or ({incident.scope.name} if incident.scope.level == "site" else set())
        return (
            SEVERITIES.index(incident.severity) >= SEVERITIES.index(self.at_least)
            and self._names(incident.kind)
            and (not sites or any(fnmatchcase(site, known) for site in sites for known in self.sites))
        )

    def _names(self, kind: str) -> bool:
        """A test goes to nobody who did not ask for it by its name."""
        return kind in self.kinds or (kind != CANARY and any(fnmatchcase(kind, known) for known in self.kinds))


class QuietSettings(Settings):
    """Hours in which what is not urgent waits for the morning."""

    channels: list[str] = Field(["*"], min_length=1, description="Channels that are quiet; * stands for any part.")
    below: Severity = Field("critical", description="What is less severe than this waits.")
    begin: time = Field(time(22), description="When quiet begins, local time.")
    end: time = Field(time(6), description="When it ends.")

    def until_s(self, channel: str, severity: Severity, now_s: float, zone: ZoneInfo) -> float:
        """When a message may go: now, or when quiet ends."""
        less = SEVERITIES.index(severity) < SEVERITIES.index(self.below)
        if not less or not any(fnmatchcase(channel, known) for known in self.channels):
            return now_s
        now = datetime.fromtimestamp(now_s, zone)
        over_night = self.begin >= self.end
        after, before = now.time() >= self.begin, now.time() < self.end
        if not (after or before if over_night else after and before):
            return now_s
        ends = datetime.combine(now.date() + timedelta(days=int(over_night and after)), self.end, zone)
        return max(now_s, ends.timestamp())


class NotifySettings(Settings):
    """Settings of notices."""

    time_zone: TimeZone = Field("Asia/Jayapura", description="Time zone of texts and quiet hours, by its name.")
    templates: Path | None = Field(None, description="Folder with templates that replace ours.")
    second_after_s: float = Field(120.0, ge=1, le=86_400, description="The next channel is tried after so long (s).")
    expires_h: float = Field(12.0, gt=0, le=168, description="A notice that did not get through for so long ends (h).")
    links: LinkSettings = LinkSettings()
    budget: BudgetRules = BudgetRules()
    escalation: EscalationSettings = EscalationSettings()
    delivery: DeliveryRules = DeliveryRules()
    channels: dict[str, ChannelSettings] = Field({}, description="Channels by name.")
    recipients: dict[str, RecipientSettings] = Field({}, description="Recipients by name.")
    routes: list[RouteSettings] = Field([], description="Who is told of what.")
    quiet: list[QuietSettings] = Field([], description="Quiet hours.")
    office: OfficeSettings | None = Field(
        None, description="Provisioning's office page, whose contacts are told; without this section they are not."
    )

    @property
    def escalates(self) -> bool:
        """Whether anybody is named for what nobody takes on."""
        return any(route.escalation for route in self.routes) or bool(self.office and self.office.escalation)

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> Self:
        for n, route in enumerate(self.routes):
            for channel in route.by:
                if channel not in self.channels:
                    raise ValueError(f"routes.{n}: no channel is called {channel!r}: name one of [channels]")
            for name in route.to:
                if name not in self.recipients:
                    raise ValueError(f"routes.{n}: no recipient is called {name!r}: name one of [recipients]")
                if not set(route.by) & self.recipients[name].addresses.keys():
                    raise ValueError(f"routes.{n}: {name!r} has no address on {', '.join(route.by)}: give one")
        for word, names in (self.office.by if self.office else {}).items():
            if unknown := [name for name in names if name not in self.channels]:
                raise ValueError(f"office.by.{word}: no channel is called {unknown[0]!r}: name one of [channels]")
        return self


@dataclass(slots=True)
class _Way:
    """A recipient with channels in order, and the incidents to be told there."""

    recipient: RecipientSettings
    by: list[str]
    incidents: dict[int, Incident]


def read_notify_settings(file: Path | None, flags: Mapping[str, object] | None = None) -> NotifySettings:
    """Settings from `file`, environment and `flags`. Raises SettingsError."""
    return load(NotifySettings, "notify", file, flags)


class Routes:
    """Makes messages of notices. `kept`: what earlier ones kept of who was told."""

    def __init__(self, settings: NotifySettings, kept: Sequence[Any] = ()) -> None:
        self._settings, self._zone = settings, ZoneInfo(settings.time_zone)
        self.contacts = Contacts(settings.office, kept)
        self._texts = Texts(settings.links, settings.time_zone, settings.templates)
        self.failed: str | None = None
        """Why the last template that failed did."""

    def messages(
        self, notice: Notice, incidents: Mapping[int, Incident], around: Surroundings, now_s: float
    ) -> list[Message]:
        """What is put into the outbox for `notice`. Every one of its incidents must be among `incidents`."""
        ways = self._ways(notice, incidents, around)
        return [self._message(notice, way, around, now_s) for way in ways]

    def nobody(self, notice: Notice, incidents: Mapping[int, Incident], around: Surroundings) -> list[int]:
        """Its incidents that nobody is told of."""
        told = {number for way in self._ways(notice, incidents, around) for number in way.incidents}
        return [number for number in notice.incidents if number not in told]

    def _ways(self, notice: Notice, incidents: Mapping[int, Incident], around: Surroundings) -> list[_Way]:
        """One for each address that is the first on its way."""
        ways: dict[tuple[str, str], _Way] = {}
        for number in notice.incidents:
            one, reached = incidents[number], False
            for recipient, by in self._on_file(one, escalated=notice.kind == "escalated"):
                _go(ways, recipient, by, one)
                reached = True
            test = one.kind == CANARY
            called = (
                [] if test else self.contacts.of(notice, one, around.roster, reached=reached, ahead_s=around.ahead_s)
            )
            if notice.kind != "maintenance":  # its numbers are windows
                self.contacts.note(number, called)
            for each in called:
                _go(ways, each.recipient(), each.by, one)
        return list(ways.values())

    def _on_file(self, incident: Incident, *, escalated: bool) -> Iterator[tuple[RecipientSettings, Sequence[str]]]:
        """Who is told by the file, and by which channels."""
        for route in self._settings.routes:
            for name in route.to if route.escalation is escalated and route.fits(incident) else ():
                recipient = self._settings.recipients[name]
                yield recipient, [channel for channel in route.by if channel in recipient.addresses]

    def _message(self, notice: Notice, way: _Way, around: Surroundings, now_s: float) -> Message:
        order = [way.incidents[number] for number in notice.incidents if number in way.incidents]
        severity = max((one.severity for one in order), key=SEVERITIES.index)
        text = self._texts.written(notice, order, around, way.recipient.language)
        self.failed = text.failed or self.failed
        chain = [
            Message(
                key=notice.key,
                channel=channel,
                recipient=way.recipient.addresses[channel],
                subject=text.subject,
                text=text.body,
                severity=severity,
                created_s=now_s,
                due_s=(due_s := self._due_s(channel, severity, now_s, around.ahead_s)),
                expires_s=due_s + self._settings.expires_h * HOUR_S,
                about=str(order[0].number) if len(order) == 1 and notice.kind != "maintenance" else "",
                facts=text.facts,
                patience_s=self._settings.second_after_s,
            )
            for channel in way.by
        ]
        return _chained(chain)

    def _due_s(self, channel: str, severity: Severity, now_s: float, ahead_s: float) -> float:
        quiet = (one.until_s(channel, severity, now_s + ahead_s, self._zone) for one in self._settings.quiet)
        return max(quiet, default=now_s + ahead_s) - ahead_s


def _go(ways: dict[tuple[str, str], _Way], recipient: RecipientSettings, by: Sequence[str], incident: Incident) -> None:
    """`incident` goes to `recipient` as well; to the same address once."""
    way = ways.setdefault((by[0], recipient.addresses[by[0]]), _Way(recipient, list(by), {}))
    way.incidents[incident.number] = incident
    way.by += [channel for channel in by if channel not in way.by and channel in way.recipient.addresses]


def _chained(chain: Sequence[Message]) -> Message:
    """The first, which knows the others."""
    first, *rest = chain
    return Message(**{name: getattr(first, name) for name in Message.__slots__ if name != "then"}, then=tuple(rest))
