"""Every field of every act against the corpus: refused with a sentence, or kept harmlessly; never half done, never an
error of the program; on both databases."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import inspect, select, text

from kewang.ui.words import LANGUAGES
from provisioning.acts import contacts, devices, exporting, maintenance, once, people, sites, sources, tasks, visits
from provisioning.acts.csv_files import harmless
from provisioning.inventory import Actor, Base, Person, Work
from provisioning.inventory.placements import placements
from provisioning.inventory.verify import verify
from provisioning.refusals import Refused
from tests.provisioning import corpus
from tests.provisioning.town import ADA, OPI, RUDI, Town, box, fingerprint, issued, new_uuid

ONE, TWO = "amb-cam-one", "amb-cam-two"
SITE = sites.NewSite("new-site", "New", -3.7, 128.2, "isp-1", "feeder-1", "wired", "sirimau")
PERSON = people.NewPerson("newbie", "New", "technician", "+62 812 345", "sirimau", "id")
CONTACT = contacts.NewContact("Jaga", "sms", "+628123456789", "id", "sirimau")
SHIFT = contacts.NewShift("12345", 0, 720)
SOURCE = sources.NewSource("cam-9", "camera", {"url": "rtsp://10.0.0.1"}, {"password": "x"})
PICTURE = visits.Picture("ab" * 32, "mounted", 0, "cam-1")


@dataclass(frozen=True)
class Field:
    """One field of one act: `fill(work, value)` does the act with `value` in that field."""

    name: str
    actor: Actor
    fill: Callable[[Work, Any], object]


def of(name: str, actor: Actor, act: Callable[..., object], thing: Any) -> Iterator[Field]:
    """Each field of the dataclass `thing` that `act(work, thing)` takes."""
    for key in sorted(set(thing.__dataclass_fields__) - {"expires_ms"}):  # our own figure, nobody types it
        yield Field(f"{name}.{key}", actor, lambda work, value, key=key: act(work, replace(thing, **{key: value})))  # type: ignore[misc]


def _visit_at(work: Work, spot: devices.Spot) -> object:
    return visits.start(work, new_uuid(), ONE, "check", spot=spot)


FIELDS: list[Field] = [
    *of("device.add", OPI, devices.add, box("amb-cam-fresh")),
    *of("site.put", OPI, sites.put, SITE),
    *of("person.add", ADA, people.add, PERSON),
    *of("contact.add", OPI, contacts.add, CONTACT),
    *of("shift", OPI, lambda work, shift: contacts.add(work, CONTACT, (shift,)), SHIFT),
    *of("source.put", RUDI, lambda work, source: sources.put(work, ONE, source), SOURCE),
    *of("photo.add", RUDI, lambda work, picture: visits.add_photo(work, ONE, picture), PICTURE),
    Field("certificate.serial", Actor.device(ONE), lambda work, v: _given(work, replace(issued(ONE, 5), serial=v))),
    Field("certificate.key", Actor.device(ONE), lambda work, v: _given(work, replace(issued(ONE, 5), fingerprint=v))),
    *of("visit.spot", RUDI, _visit_at, devices.Spot(1, 2, 3)),
    *of("person.change", ADA, lambda work, change: people.change(work, "rudi", change), people.PersonChange("R")),
    Field("source.secret", RUDI, lambda work, v: sources.put(work, ONE, replace(SOURCE, secrets={"password": v}))),
    Field("source.setting", RUDI, lambda work, v: sources.put(work, ONE, replace(SOURCE, settings={"url": v}))),
    Field("request.device", Actor.device(TWO), lambda work, v: devices.request_seen(work, v, fingerprint(TWO))),
    Field("request.fingerprint", Actor.device(TWO), lambda work, v: devices.request_seen(work, TWO, v)),
    Field("request.hw", Actor.device(TWO), lambda work, v: devices.request_seen(work, TWO, fingerprint(TWO), hw=v)),
    Field("approve.device", RUDI, lambda work, v: devices.approve(work, v, "mardika")),
    Field("approve.site", RUDI, lambda work, v: devices.approve(work, TWO, v)),
    Field("approve.label", RUDI, lambda work, v: devices.approve(work, TWO, "mardika", label=v)),
    Field("accept.reason", OPI, lambda work, v: devices.accept(work, ONE, reason=v)),
    Field("accept.visit", RUDI, lambda work, v: devices.accept(work, ONE, visit=v)),
    Field("revoke.reason", OPI, lambda work, v: devices.revoke(work, ONE, v)),
    Field("quarantine.reason", OPI, lambda work, v: devices.quarantine(work, ONE, v)),
    Field("retire.reason", RUDI, lambda work, v: devices.retire(work, ONE, v)),
    Field("replace.old", RUDI, lambda work, v: devices.replace(work, v, TWO)),
    Field("replace.new", RUDI, lambda work, v: devices.replace(work, ONE, v)),
    Field("move.site", RUDI, lambda work, v: devices.move(work, ONE, v)),
    Field("describe.note", RUDI, lambda work, v: devices.describe(work, ONE, note=v)),
    Field("describe.model", RUDI, lambda work, v: devices.describe(work, ONE, model=v)),
    Field("maintenance.why", RUDI, lambda work, v: maintenance.begin(work, ONE, why=v)),
    Field("visit.id", RUDI, lambda work, v: visits.start(work, v, ONE, "check")),
    Field("visit.kind", RUDI, lambda work, v: visits.start(work, new_uuid(), ONE, v)),
    Field("visit.started", RUDI, lambda work, v: visits.start(work, new_uuid(), ONE, "check", started_ms=v)),
    Field("visit.step", RUDI, lambda work, v: visits.step(work, _visit(work), v, 0)),
    Field("visit.step.ms", RUDI, lambda work, v: visits.step(work, _visit(work), "photo", v)),
    Field("visit.finish", RUDI, lambda work, v: visits.finish(work, _visit(work), v)),
    Field("visit.reason", RUDI, lambda work, v: visits.finish(work, _visit(work), "red", reason=v)),
    Field("password", RUDI, lambda work, v: people.set_password(work, "rudi", v)),
    Field("person.login", ADA, people.disable),
    Field("language", RUDI, people.set_language),
    Field("task.text", OPI, tasks.assign),
    Field("task.device", OPI, lambda work, v: tasks.assign(work, "look", device=v)),
    Field("task.assignee", OPI, lambda work, v: tasks.assign(work, "look", assignee=v)),
    Field("task.number", RUDI, tasks.take),
    Field("contact.number", OPI, contacts.remove),
    Field("site.name", OPI, sites.remove),
    Field("once.request", RUDI, lambda work, v: once.once(work, v, {}, dict)),
    Field("once.content", RUDI, lambda work, v: once.once(work, new_uuid(), {"x": v}, dict)),
]


def _given(work: Work, one: devices.Issued) -> object:
    return devices.certificate_given(work, ONE, one)


def _visit(work: Work) -> str:
    return visits.start(work, new_uuid(), ONE, "check").id


def counts(town: Town) -> dict[str, int]:
    with town.inventory.reading() as rows:
        return {
            name: rows.execute(text(f"SELECT count(*) FROM {name}")).scalar() or 0
            for name in Base.metadata.tables
            if name != "audit"
        }


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_field_takes_or_refuses_whatever_is_in_it(town: Town, field: Field) -> None:
    """All values in one transaction, each undone again, so that every value meets the same town."""
    town.active(ONE)
    refusals, before = [], counts(town)
    with pytest.raises(_ThrownAway), town.inventory.writing(field.actor) as work:
        for value in corpus.EVERYTHING:
            point = work.rows.begin_nested()
            with suppress(_ThrownAway):
                try:
                    field.fill(work, value)
                except Refused as refused:
                    refusals.append(refused)
            point.rollback()
            work.rows.expire_all()
        raise _ThrownAway
    assert refusals or field.name in _TAKE_EVERYTHING
    for told in refusals:
        assert told.code in ("P-400", "P-403", "P-404", "P-409", "P-413"), told
        for language in LANGUAGES:
            assert told.said(language).isprintable()
            assert len(told.said(language)) < 500
    assert counts(town) == before


_TAKE_EVERYTHING = ("once.content", "visit.started", "visit.step.ms", "photo.add.taken_ms", "device.add.preapproved")


class _ThrownAway(Exception):
    """What was done is not kept."""


def test_refusals_of_anything_are_in_the_log_and_the_log_is_whole(town: Town) -> None:
    town.active(ONE)
    for value in corpus.TEXTS[:55]:
        with suppress(Refused), town.inventory.writing(RUDI) as work:
            devices.approve(work, value, value, label=value)
        with suppress(Refused), town.inventory.writing(RUDI) as work:
            devices.describe(work, ONE, model=value * 65)
    assert verify(town.inventory).ok


def test_what_is_kept_is_kept_as_it_was_written_and_harmless_in_exports(town: Town) -> None:
    town.installed(ONE)
    kept = []
    for value in corpus.TEXTS:
        try:
            with town.inventory.writing(RUDI) as work:
                kept.append(devices.describe(work, ONE, note=value).note)
        except Refused:
            continue
        with town.inventory.reading() as rows:
            assert rows.execute(text("SELECT note FROM device WHERE id = :id"), {"id": ONE}).scalar() == kept[-1]
        with town.inventory.writing(OPI) as work:
            exported = exporting.inventory_csv(work, "id", ZoneInfo("Asia/Jayapura"))
        lines = csv.reader(io.StringIO(exported.removeprefix("\ufeff")), delimiter=";")
        [row] = [line for line in lines if line[0] == ONE]
        assert row[-1] == harmless(kept[-1])
        assert not row[-1].lstrip().startswith(("=", "+", "-", "@"))
    assert {"=1+1", "'; DROP TABLE device; --", "<script>alert(1)</script>"} <= set(kept)
    with town.inventory.reading() as rows:
        assert set(Base.metadata.tables) <= set(inspect(rows.connection()).get_table_names())
        assert len(rows.scalars(select(Person)).all()) == 5
    assert set(placements(town.inventory)) == {ONE}
    assert verify(town.inventory).ok
