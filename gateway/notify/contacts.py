"""Which of the office's contacts are told of an incident: their district fits and they are on duty then. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from gateway.incidents.model import Incident, Severity
from gateway.notify.budget import SEVERITIES, Notice
from kewang.runtime.settings import Settings
from kewang.ui.words import Language
from kewang.wire.roster import Contact, ContactChannel, Roster

_OURSELVES = ("localhost", "127.0.0.1", "::1")


class RecipientSettings(Settings):
    """Somebody who is told: a person, a shift, a group."""

    language: Language = Field("id", description="Language of the notices: id or en.")
    addresses: dict[str, str] = Field(min_length=1, description="Address on each channel: chat, mail address, number.")


class OfficeSettings(Settings):
    """Provisioning's office page: its list of who gets alerts, and its tasks for technicians."""

    url: str = Field(description="Address of provisioning's web app.")
    token_file: Path = Field(description="File with the token that both have, readable by its owner only.")
    ca_file: Path | None = Field(None, description="Certificate that its own is signed by, if that is your own.")
    by: dict[ContactChannel, list[str]] = Field(
        {}, description="Channels for contacts of telegram, whatsapp, email, sms, webhook; the next if one fails."
    )
    at_least: Severity = Field("info", description="The least severity they are told of: info, warning or critical.")
    escalation: bool = Field(
        False, description="What nobody has taken on for too long goes to all contacts there, on duty or not."
    )
    every_s: float = Field(60.0, ge=1, le=3600, description="The list is asked for in this time (s).")

    @field_validator("by")
    @classmethod
    def _lead_somewhere(cls, by: dict[ContactChannel, list[str]]) -> dict[ContactChannel, list[str]]:
        if empty := [word for word, names in by.items() if not names]:
            raise ValueError(f"{', '.join(empty)}: name a channel of [channels], or take it out")
        return by

    @model_validator(mode="after")
    def _token_not_in_the_open(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _OURSELVES):
            raise ValueError("url: write https://SERVER:8443; http:// only for provisioning on this machine")
        return self


@dataclass(frozen=True, slots=True)
class Called:
    """A contact as it is told: at `address`, by the first channel of `by` that works."""

    language: Language
    address: str
    by: tuple[str, ...]

    def recipient(self) -> RecipientSettings:
        """The same as the file's recipients are."""
        return RecipientSettings(language=self.language, addresses=dict.fromkeys(self.by, self.address))


class Contacts:
    """Says whom to call, and remembers it until the closing. `kept`: what an earlier one remembered."""

    def __init__(self, settings: OfficeSettings | None, kept: Sequence[Any] = ()) -> None:
        self._settings = settings
        self._told = {n: [Called(lang, at, tuple(by)) for lang, at, by in called] for n, called in kept}

    def of(
        self, notice: Notice, incident: Incident, roster: Roster | None, *, reached: bool, ahead_s: float = 0.0
    ) -> list[Called]:
        """Who is told by `notice` of `incident`; `reached`: somebody else is told of it anyway. `ahead_s`: of the clock
        by which they are on duty.

        Who was told of its beginning is told of its end, on duty or not; of an escalation all are told, or none.
        """
        escalated = notice.kind == "escalated"
        if self._settings is None or (escalated and not self._settings.escalation):
            return []
        severe = SEVERITIES.index(incident.severity) >= SEVERITIES.index(self._settings.at_least)
        at_s = None if escalated else notice.created_s + ahead_s
        now = self._on_call(incident, roster, at_s, reached=reached) if severe and roster else []
        before = self._told.get(incident.number, []) if notice.kind == "resolved" else []
        return list(dict.fromkeys([*now, *before]))

    def note(self, incident: int, called: Iterable[Called]) -> None:
        """They are told of this incident."""
        self._told[incident] = list(dict.fromkeys([*self._told.get(incident, []), *called]))

    def forget(self, known: Iterable[int]) -> None:
        """Only `known` incidents are spoken of again."""
        self._told = {number: self._told[number] for number in known if self._told.get(number)}

    def kept(self) -> list[Any]:
        """JSON-able."""
        return [[n, [[one.language, one.address, one.by] for one in called]] for n, called in self._told.items()]

    def _on_call(self, incident: Incident, roster: Roster, at_s: float | None, *, reached: bool) -> list[Called]:
        """The contacts of its districts on duty; nobody is: all of those districts; there are none: everybody.

        `at_s` None: whoever is on duty.
        """
        able, here = [one for one in roster.contacts if self._by(one)], _districts(incident, roster)
        near = [one for one in able if one.district is None or one.district in here]
        chosen = _on_duty(near, roster, at_s)
        if not chosen and not reached:
            chosen = _on_duty(able, roster, at_s)
        return [Called(one.language, one.address, self._by(one)) for one in chosen]

    def _by(self, contact: Contact) -> tuple[str, ...]:
        return () if self._settings is None else tuple(self._settings.by.get(contact.channel, ()))


def unreachable(roster: Roster, by: Mapping[ContactChannel, Sequence[str]]) -> dict[str, int]:
    """How many contacts no channel serves, by the channel they wish."""
    wished = [one.channel for one in roster.contacts if not by.get(one.channel)]
    return {channel: wished.count(channel) for channel in dict.fromkeys(wished)}


def _on_duty(contacts: list[Contact], roster: Roster, at_s: float | None) -> list[Contact]:
    """Those of them who are on duty by the city's clock; all if nobody is."""
    if at_s is None:
        return contacts
    date = datetime.fromtimestamp(at_s, ZoneInfo(roster.time_zone))
    return [one for one in contacts if one.on_duty(date.isoweekday(), date.hour * 60 + date.minute)] or contacts


def _districts(incident: Incident, roster: Roster) -> set[str]:
    sites = incident.sites or ({incident.scope.name} if incident.scope.level == "site" else set())
    return {roster.districts[site] for site in sites if site in roster.districts}
