"""The guard on a real Mosquitto: a change holds, or it is undone, or nobody gets in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from kewang.bench.provisioned import Identity, ProvisionedBroker, now_ms
from kewang.wire import topics
from provisioning.authority import AuthorityError
from provisioning.authority.making import DAY_MS
from provisioning.guard import Denied, Guard, Revocation, Wanted, conf
from provisioning.guard.client import Refused
from provisioning.guard.guard import _Steps
from provisioning.guard.signals import Calls

BOX = "amb-box-one"
OTHER = "amb-box-two"


def refused(identity: Identity, why: Denied = "revoked") -> Wanted:
    serials = frozenset() if why == "quarantined" else frozenset({Revocation(identity.serial, now_ms())})
    return Wanted({identity.name: why}, serials)


def speaks(broker: ProvisionedBroker, identity: Identity) -> bool:
    """Whether a box is let in and may say what it must."""
    try:
        with broker.box(identity) as box:
            return box.publish(topics.build(identity.name, topics.STATE), b"")
    except Refused:
        return False


def codes(broker: ProvisionedBroker) -> set[str]:
    return {alarm.code for alarm in broker.guard.alarms()}


def test_revoking_one_cuts_it_off_and_nobody_else(broker: ProvisionedBroker) -> None:
    one, other = broker.enrol(BOX), broker.enrol(OTHER)
    with broker.box(one) as revoked, broker.box(other) as bystander:
        report = broker.guard.apply(refused(one))
        assert report.ok
        assert report.kicked == (BOX,)
        with pytest.raises(Refused):
            revoked.publish(topics.build(BOX, topics.STATE), b"still here")
        assert bystander.publish(topics.build(OTHER, topics.STATE), b"still here")
    assert not speaks(broker, one)
    assert not broker.guard.alarms()


def test_a_second_proof_cuts_nobody_off_again(broker: ProvisionedBroker) -> None:
    one = broker.enrol(BOX)
    assert broker.guard.apply(refused(one)).kicked == (BOX,)
    assert broker.guard.apply(refused(one)).kicked == ()


def test_a_quarantined_box_comes_back(broker: ProvisionedBroker) -> None:
    one = broker.enrol(BOX)
    assert broker.guard.apply(refused(one, "quarantined")).ok
    assert not speaks(broker, one)
    assert broker.guard.apply(Wanted()).ok
    assert speaks(broker, one)


def test_a_revoked_service_is_refused(broker: ProvisionedBroker) -> None:
    serial = broker.authority.serial("provisioning")
    assert broker.guard.apply(Wanted(services=frozenset({Revocation(serial, now_ms())}))).ok
    with pytest.raises(Refused), broker.service("provisioning"):
        pass
    with broker.service("gateway"):
        pass


def spoiling(broker: ProvisionedBroker) -> Guard:
    """A guard whose every reload finds the access list spoilt, as on a broken disk: Mosquitto falls open."""

    def reload() -> None:
        (broker.settings.folder / conf.DEVICES_ACL).write_text("topic half a li")
        broker.part.hang_up()

    settings = broker.settings.model_copy(update={"limit_s": 1.0})
    return Guard(settings, broker.authority, replace(broker.signal, reloading=reload), broker.folder / "guard")


def test_a_broker_that_can_t_be_closed_otherwise_is_stopped(broker: ProvisionedBroker) -> None:
    one = broker.enrol(BOX)
    report = spoiling(broker).apply(refused(one))
    assert report.outcome == "stopped"
    assert "stopped" in codes(broker)
    assert not broker.part.is_running


def test_who_starts_a_stopped_broker_lets_nobody_speak(broker: ProvisionedBroker) -> None:
    one = broker.enrol(BOX)
    guard = Guard(broker.settings, broker.authority, broker.signal, broker.folder / "guard")
    guard._closed([], _Steps(lambda step: None))
    assert not broker.part.is_running
    broker.part.start()
    assert not speaks(broker, one)
    with broker.service("provisioning") as service:
        assert not service.publish(topics.build(BOX, topics.PLACEMENT), b"")


def test_a_change_that_the_broker_never_reads_is_undone(broker: ProvisionedBroker) -> None:
    one = broker.enrol(BOX)
    settings = broker.settings.model_copy(update={"limit_s": 0.5})
    deaf = Guard(settings, broker.authority, replace(broker.signal, reloading=lambda: None), broker.folder / "guard")
    before = (broker.settings.folder / conf.DEVICES_ACL).read_bytes()
    report = deaf.apply(refused(one))
    assert report.outcome == "restored"
    assert codes(broker) == {"restored"}
    assert (broker.settings.folder / conf.DEVICES_ACL).read_bytes() == before
    assert broker.guard.apply(refused(one)).ok
    assert not speaks(broker, one)


def test_a_reload_that_fails_once_is_undone_and_the_old_rules_hold(broker: ProvisionedBroker) -> None:
    one, other = broker.enrol(BOX), broker.enrol(OTHER)
    calls: list[str] = []

    def reload() -> None:
        calls.append("reload")
        if len(calls) == 1:
            raise OSError("not today")
        broker.part.hang_up()

    signal = Calls(reload, broker.part.stop, broker.part.start)
    guard = Guard(broker.settings, broker.authority, signal, broker.folder / "guard")
    report = guard.apply(refused(one))
    assert report.outcome == "restored"
    assert "restored" in codes(broker)
    assert speaks(broker, other)
    assert guard.apply(refused(one)).ok
    assert not guard.alarms()
    assert not speaks(broker, one)


def test_a_stopped_broker_is_started_by_the_next_good_change(broker: ProvisionedBroker) -> None:
    one = broker.enrol(BOX)
    assert spoiling(broker).apply(Wanted()).outcome == "stopped"
    report = broker.guard.apply(Wanted())
    assert report.ok, report
    assert speaks(broker, one)
    assert not broker.guard.alarms()


def test_a_broker_that_does_not_run_gets_its_files_and_an_alarm(broker: ProvisionedBroker) -> None:
    one = broker.enrol(BOX)
    broker.part.stop()
    assert broker.guard.apply(refused(one)).outcome == "written"
    assert codes(broker) == {"silent"}
    broker.part.start()
    assert not speaks(broker, one)
    report = broker.guard.apply(refused(one))
    assert report.ok
    assert report.kicked == (BOX,), "whoever connected before it was proven is cut off"


def test_without_a_signer_nothing_is_touched(broker: ProvisionedBroker) -> None:
    key = broker.authority.folder / "device-ca.key"
    key.rename(key.with_suffix(".away"))
    before = (broker.settings.folder / conf.DEVICES_CRL).read_bytes()
    with pytest.raises(AuthorityError):
        broker.guard.apply(Wanted())
    assert codes(broker) == {"signer"}
    assert (broker.settings.folder / conf.DEVICES_CRL).read_bytes() == before
    assert broker.guard.reload().ok
    key.with_suffix(".away").rename(key)
    assert broker.guard.apply(Wanted()).ok
    assert not broker.guard.alarms()


def test_lists_that_end_soon_are_told(broker: ProvisionedBroker) -> None:
    broker.guard.watch_dates(now_ms())
    assert not broker.guard.alarms()
    broker.guard.watch_dates(now_ms() + 4 * DAY_MS + 60_000)
    assert codes(broker) == {"lists-end"}
    broker.guard.watch_dates(now_ms())
    assert not broker.guard.alarms()


def test_certificates_are_renewed_and_the_broker_shows_the_new_one(broker: ProvisionedBroker) -> None:
    soon_ms = now_ms() + 61 * DAY_MS
    before = (broker.settings.folder / conf.CERTIFICATE).read_bytes()
    assert "broker" in broker.guard.renew(soon_ms)
    assert broker.authority.service("broker").certificate.read_bytes() != before
    assert broker.guard.renew(soon_ms) == []


def test_a_broker_without_the_password_of_the_guard_is_not_kicked(broker: ProvisionedBroker) -> None:
    (broker.folder / "guard" / "kick.password").write_text("another-one")
    report = broker.guard.apply(Wanted())
    assert report.ok, "the password file is written anew with every change"


def test_two_guards_wait_for_each_other(broker: ProvisionedBroker, tmp_path: Path) -> None:
    others = [Guard(broker.settings, broker.authority, broker.signal, broker.folder / "guard") for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda guard: guard.apply(Wanted()), others))
    assert [each.outcome for each in reports] == ["proven"] * 3


def test_what_a_revoked_box_left_retained_is_not_served(broker: ProvisionedBroker) -> None:
    one = broker.enrol(BOX)
    topic = topics.build(BOX, topics.STATE)
    with broker.box(one) as box:
        assert box.publish(topic, b"on", retain=True)
    assert retained(broker, topic) == [(topic, b"on")]
    assert broker.guard.apply(refused(one)).ok
    assert retained(broker, topic) == []


def retained(broker: ProvisionedBroker, topic: str) -> list[tuple[str, bytes]]:
    """What the gateway is served on `topic`; its own word closes the listening."""
    fence = topics.build("amb-box-fence", topics.PLACEMENT)
    with broker.service("gateway", "gw-late") as ear, broker.service("provisioning", "fence") as other:
        ear.subscribe(topic, fence)
        other.publish(fence, b"fence")
        ear.wait(lambda: (fence, b"fence") in ear.received)
        return [each for each in ear.received if each[0] != fence]


def test_altered_files_are_put_right(broker: ProvisionedBroker) -> None:
    file = broker.settings.folder / conf.DEVICES_ACL
    whole = file.read_bytes()
    assert broker.guard.look() is None
    file.write_text("user canary-good\ntopic readwrite #\n")
    broker.signal.reload()
    report = broker.guard.look()
    assert report
    assert report.outcome == "healed"
    assert file.read_bytes() == whole
    assert codes(broker) == {"altered"}
    assert broker.guard.look() is None
