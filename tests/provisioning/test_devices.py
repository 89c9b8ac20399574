"""The moves of a device, on both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from provisioning.acts import devices, maintenance, sources, visits
from provisioning.inventory import Actor, Audit, Certificate, Device, Inventory, Source, Work
from provisioning.inventory.placements import placements
from provisioning.keys import seal_key
from provisioning.refusals import Refused
from tests.provisioning.town import ADA, DAY_MS, GUARD, OPI, RUDI, SITI, TONO, Town, box, fingerprint, issued, new_uuid

ONE, TWO, THREE = "amb-cam-one", "amb-cam-two", "amb-cam-three"


def audit_rows(inventory: Inventory) -> int:
    with inventory.reading() as rows:
        return rows.scalar(select(func.count()).select_from(Audit)) or 0


def last_act(inventory: Inventory) -> str:
    with inventory.reading() as rows:
        return rows.scalars(select(Audit.act).order_by(Audit.number.desc()).limit(1)).one()


def refused(town: Town, actor: Actor, act: Callable[[Work], object]) -> Refused:
    """The refusal of `act`, which has changed nothing and left one row that says so."""
    before = audit_rows(town.inventory)
    with pytest.raises(Refused) as caught, town.inventory.writing(actor) as work:
        act(work)
    assert audit_rows(town.inventory) == before + caught.value.audited
    assert not caught.value.audited or last_act(town.inventory).endswith(":refused")
    return caught.value


def test_the_whole_life_leaves_one_row_for_each_move(town: Town) -> None:
    before = audit_rows(town.inventory)
    town.pending(ONE)
    assert town.state(ONE) == "pending"
    town.approved(ONE)
    assert town.state(ONE) == "approved"
    with town.inventory.writing(Actor.device(ONE)) as work:
        devices.certificate_given(work, ONE, issued(ONE))
    assert town.state(ONE) == "active"
    with town.inventory.writing(OPI) as work:
        devices.accept(work, ONE, reason="looks well")
    assert town.state(ONE) == "installed"
    with town.inventory.writing(GUARD) as work:
        devices.quarantine(work, ONE, "flood")
    assert town.state(ONE) == "quarantined"
    with town.inventory.writing(OPI) as work:
        devices.release(work, ONE, "was a test")
    assert town.state(ONE) == "installed"
    with town.inventory.writing(OPI) as work:
        devices.revoke(work, ONE, "stolen")
    assert town.state(ONE) == "revoked"
    with town.inventory.writing(RUDI) as work:
        devices.retire(work, ONE)
    assert town.state(ONE) == "retired"
    assert audit_rows(town.inventory) == before + 8


def test_what_was_done_already_is_not_done_again(town: Town) -> None:
    town.pending(ONE)
    town.installed(ONE)
    before = audit_rows(town.inventory)
    town.pending(ONE)
    town.approved(ONE)
    with town.inventory.writing(Actor.device(ONE)) as work:
        devices.certificate_given(work, ONE, issued(ONE))
    with town.inventory.writing(OPI) as work:
        devices.accept(work, ONE)
    assert (town.state(ONE), audit_rows(town.inventory)) == ("installed", before)
    with town.inventory.writing(OPI) as work:
        devices.revoke(work, ONE, "lost")
        devices.revoke(work, ONE, "lost")
    assert audit_rows(town.inventory) == before + 1


def test_a_preapproved_box_goes_straight_on(town: Town) -> None:
    with town.inventory.writing(OPI) as work:
        devices.add(work, box("amb-cam-pre", site="passo", preapproved=True))
    town.pending("amb-cam-pre")
    assert town.state("amb-cam-pre") == "approved"
    assert placements(town.inventory)["amb-cam-pre"].now.life == "approved"
    no_site = refused(town, OPI, lambda work: devices.add(work, box("amb-cam-x", preapproved=True)))
    assert (no_site.code, no_site.values["field_word"]) == ("P-400", "preapproved")


def test_another_key_or_an_unknown_box_is_not_let_in(town: Town) -> None:
    wrong = refused(town, Actor.device(ONE), lambda work: devices.request_seen(work, ONE, fingerprint("other")))
    assert (wrong.code, wrong.kind) == ("P-403", "key")
    unknown = refused(town, Actor.device("nobody-1"), lambda work: devices.request_seen(work, "nobody-1", "A" * 26))
    assert unknown.code == "P-404"
    assert town.state(ONE) == "new"


@pytest.mark.parametrize("end", ["revoke", "retire"])
def test_who_is_shut_out_is_not_let_in_again(town: Town, end: str) -> None:
    town.installed(ONE)
    with town.inventory.writing(OPI) as work:
        getattr(devices, end)(work, ONE, "gone")
    with town.inventory.reading() as rows:
        assert rows.scalars(select(Certificate.revoked_ms)).all() == [town.clock()]
    for act in (
        lambda work: devices.request_seen(work, ONE, fingerprint(ONE)),
        lambda work: devices.certificate_given(work, ONE, issued(ONE, 2)),
    ):
        assert refused(town, Actor.device(ONE), act).code == "P-403"
    assert refused(town, RUDI, lambda work: devices.approve(work, ONE, "mardika")).kind == "blocked"
    assert refused(town, OPI, lambda work: devices.accept(work, ONE, reason="x")).kind == "blocked"
    assert refused(town, GUARD, lambda work: devices.quarantine(work, ONE, "x")).kind == "blocked"


def test_the_second_technician_is_told_who_has_it_where_and_since_when(town: Town) -> None:
    since_ms = town.clock()
    town.approved(ONE, "batumerah", RUDI)
    town.clock.tick(DAY_MS)
    told = refused(town, SITI, lambda work: devices.approve(work, ONE, "mardika"))
    assert (told.code, told.kind) == ("P-409", "taken")
    assert told.values["site"] == "Pasar Batu Merah"
    assert (told.values["by"], told.values["since_ms"]) == ("Rudi", since_ms)
    assert "Pasar Batu Merah" in told.said("id")
    assert "Rudi" in told.said("id")
    same_person = refused(town, RUDI, lambda work: devices.approve(work, ONE, "mardika"))
    assert same_person.kind == "taken"


def test_a_label_of_another_box_is_refused(town: Town) -> None:
    told = refused(town, RUDI, lambda work: devices.approve(work, ONE, "mardika", label=fingerprint(TWO)))
    assert (told.code, told.kind) == ("P-409", "label")
    with town.inventory.writing(RUDI) as work:
        devices.approve(work, ONE, "mardika", label=fingerprint(ONE).lower())
    assert town.state(ONE) == "approved"


def test_a_technician_stays_in_the_own_district(town: Town) -> None:
    assert refused(town, RUDI, lambda work: devices.approve(work, ONE, "passo")).kind == "district"
    town.installed(ONE, "passo", TONO)
    for act in (
        lambda work: devices.move(work, ONE, "mardika"),
        lambda work: devices.retire(work, ONE),
        lambda work: devices.replace(work, ONE, TWO),
        lambda work: devices.describe(work, ONE, note="mine"),
        lambda work: maintenance.begin(work, ONE),
        lambda work: visits.start(work, new_uuid(), ONE, "check"),
        lambda work: sources.put(work, ONE, sources.NewSource("cam-1", "camera", {}, {})),
    ):
        assert refused(town, RUDI, act).kind == "district"
    with town.inventory.writing(OPI) as work:
        devices.move(work, ONE, "mardika")


def test_a_technician_approves_no_more_than_thirty_within_an_hour(town: Town) -> None:
    with town.inventory.writing(OPI) as work:
        for number in range(32):
            devices.add(work, box(f"amb-cam-n{number}"))
    for number in range(30):
        town.approved(f"amb-cam-n{number}")
        town.clock.tick(60_000)
    late = refused(town, RUDI, lambda work: devices.approve(work, "amb-cam-n30", "mardika"))
    assert (late.code, late.kind) == ("P-429", "too-often")
    town.approved("amb-cam-n30", by=SITI)
    town.clock.tick(31 * 60_000)
    town.approved("amb-cam-n31")


def test_roles(town: Town) -> None:
    town.installed(ONE)
    for actor, act in (
        (RUDI, lambda work: devices.add(work, box("amb-cam-mine"))),
        (RUDI, lambda work: devices.revoke(work, ONE, "I may not")),
        (RUDI, lambda work: devices.quarantine(work, ONE, "I may not")),
        (Actor.device(ONE), lambda work: devices.approve(work, TWO, "mardika")),
        (Actor.device(ONE), lambda work: devices.certificate_given(work, TWO, issued(TWO))),
        (GUARD, lambda work: devices.revoke(work, ONE, "a machine does not revoke")),
        (OPI, lambda work: devices.request_seen(work, TWO, fingerprint(TWO))),
    ):
        assert refused(town, actor, act).kind == "role"


def test_a_technician_accepts_only_after_a_green_visit(town: Town) -> None:
    town.active(ONE)
    assert refused(town, RUDI, lambda work: devices.accept(work, ONE, reason="please")).kind == "not-green"
    assert refused(town, OPI, lambda work: devices.accept(work, ONE)).kind == "not-green"
    red, green, others = new_uuid(), new_uuid(), new_uuid()
    town.active(TWO)
    with town.inventory.writing(RUDI) as work:
        visits.start(work, red, ONE, "install")
        visits.finish(work, red, "red", reason="no picture")
        visits.start(work, others, TWO, "install")
        visits.finish(work, others, "green")
    for visit in (red, others):
        act = lambda work, visit=visit: devices.accept(work, ONE, visit=visit)  # noqa: E731
        assert refused(town, RUDI, act).kind == "not-green"
    with town.inventory.writing(RUDI) as work:
        visits.start(work, green, ONE, "install")
        visits.finish(work, green, "green")
        devices.accept(work, ONE, visit=green)
    assert town.state(ONE) == "installed"


def test_a_replacement_keeps_place_sources_and_history(town: Town) -> None:
    with town.inventory.writing(RUDI) as work:
        devices.approve(work, ONE, "mardika", devices.Spot(-3.6941, 128.1832, 5.0))
        sources.put(
            work, ONE, sources.NewSource("cam-1", "camera", {"url": "rtsp://10.0.0.9/"}, {"password": "s3cret"})
        )
    town.clock.tick()
    with town.inventory.writing(SITI) as work:
        devices.replace(work, ONE, TWO, label=fingerprint(TWO), reason="broken")
    assert (town.state(ONE), town.state(TWO)) == ("revoked", "approved")
    with town.inventory.reading() as rows:
        new = rows.get(Device, TWO)
        assert new
        assert (new.site, new.lat, new.lon, new.replaces) == ("mardika", -3.6941, 128.1832, ONE)
        [source] = sources.opened(rows, TWO, seal_key(town.inventory.folder))
        assert source == sources.NewSource("cam-1", "camera", {"url": "rtsp://10.0.0.9/"}, {"password": "s3cret"})
        assert "s3cret" not in str(rows.scalars(select(Source.secrets)).all())
    told = placements(town.inventory)
    assert [place.life for place in told[ONE].h] == ["approved", "approved", "revoked"]
    assert (told[TWO].now.site, told[TWO].now.sources, told[TWO].now.life) == ("mardika", ("cam-1",), "approved")
    before = audit_rows(town.inventory)
    with town.inventory.writing(SITI) as work:
        devices.replace(work, ONE, TWO)
    assert audit_rows(town.inventory) == before


def test_what_can_not_stand_for_another_is_refused(town: Town) -> None:
    town.installed(ONE)
    with town.inventory.writing(OPI) as work:
        devices.add(work, box("amb-env-one", kind="sensor"))
    assert refused(town, RUDI, lambda work: devices.replace(work, ONE, "amb-env-one")).kind == "kind"
    assert refused(town, RUDI, lambda work: devices.replace(work, ONE, ONE)).kind == "kind"
    assert refused(town, RUDI, lambda work: devices.replace(work, THREE, TWO)).kind == "state"
    town.approved(TWO)
    assert refused(town, SITI, lambda work: devices.replace(work, ONE, TWO)).kind == "taken"
    assert town.state(ONE) == "installed"


def test_a_move_is_a_new_line_of_the_history(town: Town) -> None:
    town.installed(ONE)
    with town.inventory.writing(RUDI) as work:
        devices.move(work, ONE, "batumerah")
    told = placements(town.inventory)[ONE]
    assert [(place.site, place.life) for place in told.h] == [
        ("mardika", "approved"),
        ("mardika", "installed"),
        ("batumerah", "installed"),
    ]
    assert told.now.lat == -3.691
    assert town.state(ONE) == "installed"


def test_only_a_device_that_was_approved_has_a_placement(town: Town) -> None:
    with town.inventory.writing(OPI) as work:
        devices.add(work, box("amb-cam-planned", site="mardika"))
        devices.revoke(work, "amb-cam-planned", "wrong box")
    town.pending(TWO)
    assert placements(town.inventory) == {}


def test_long_histories_keep_their_end(town: Town) -> None:
    town.installed(ONE)
    for number in range(110):
        town.clock.tick()
        with town.inventory.writing(RUDI) as work:
            devices.move(work, ONE, ("mardika", "batumerah")[number % 2 == 0])
    told = placements(town.inventory)[ONE]
    assert len(told.h) == 100
    assert told.now.site == "mardika"
    dates = [place.from_ms for place in told.h]
    assert dates == sorted(set(dates))


def test_maintenance_shows_in_the_placement_and_ends(town: Town) -> None:
    town.installed(ONE)
    with town.inventory.writing(RUDI) as work:
        maintenance.begin(work, ONE, why="cleaning")
        maintenance.begin(work, ONE, why="again")
    assert placements(town.inventory)[ONE].now.life == "maintenance"
    town.clock.tick(60_000)
    with town.inventory.writing(RUDI) as work:
        maintenance.end(work, ONE)
        assert maintenance.end(work, ONE) is None
    assert placements(town.inventory)[ONE].now.life == "installed"
    with town.inventory.writing(RUDI) as work:
        maintenance.begin(work, ONE)
    town.clock.tick(maintenance.LONGEST_MS)
    before = audit_rows(town.inventory)
    with town.inventory.writing(GUARD) as work:
        assert maintenance.end_overdue(work) == [ONE]
        assert maintenance.end_overdue(work) == []
    assert audit_rows(town.inventory) == before + 1
    assert placements(town.inventory)[ONE].now.life == "installed"


def test_a_renewal_keeps_the_state(town: Town) -> None:
    town.installed(ONE)
    with town.inventory.writing(Actor.device(ONE)) as work:
        devices.certificate_given(work, ONE, issued(ONE, 2))
    assert town.state(ONE) == "installed"
    assert refused(town, Actor.device(TWO), lambda work: devices.certificate_given(work, TWO, issued(ONE, 2))).code == (
        "P-400"
    )


def test_a_box_without_approval_gets_no_certificate(town: Town) -> None:
    town.pending(ONE)
    act = lambda work: devices.certificate_given(work, ONE, issued(ONE))  # noqa: E731
    assert refused(town, Actor.device(ONE), act).kind == "state"


def test_ids_and_keys_are_in_the_list_once(town: Town) -> None:
    assert refused(town, OPI, lambda work: devices.add(work, box(ONE))).kind == "listed"
    same_key = box("amb-cam-new", fingerprint=fingerprint(ONE))
    assert refused(town, OPI, lambda work: devices.add(work, same_key)).kind == "listed"


def test_an_act_that_fails_leaves_nothing(town: Town) -> None:
    before = audit_rows(town.inventory)
    with pytest.raises(RuntimeError), town.inventory.writing(RUDI) as work:
        devices.approve(work, ONE, "mardika")
        raise RuntimeError("power cut")
    assert (town.state(ONE), audit_rows(town.inventory)) == ("new", before)


def test_admins_may_do_what_operators_may(town: Town) -> None:
    with town.inventory.writing(ADA) as work:
        devices.add(work, box("amb-cam-ada"))
        devices.approve(work, "amb-cam-ada", "passo")
        devices.revoke(work, "amb-cam-ada", "test")
    assert town.state("amb-cam-ada") == "revoked"
