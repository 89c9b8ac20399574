"""The whole line: a change becomes a Telegram message, over restarts and a full disk, each once."""

import asyncio
import json
import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.incidents.facts import facts_of, incident_of
from gateway.incidents.model import Acknowledged, Assigned, Change, Incident, Scope, What
from gateway.notify.channels import channels
from gateway.notify.delivery import Delivery, DeliveryRules
from gateway.notify.notifier import Notifier
from gateway.notify.outbox import Outbox
from gateway.notify.routes import NotifySettings, read_notify_settings
from gateway.notify.texts import Surroundings
from kewang.wire.placement import Place
from tests.gateway.notify.messengers import NOW_S, messenger, until

AROUND = Surroundings({"ambon-m1": Place.model_validate({"from": 0, "site": "pasar", "lat": -3.7, "lon": 128.2})})


def change(what: What, number: int = 1, at_s: float = NOW_S, **why: str) -> Change:
    devices = {"ambon-m1": at_s - 100}
    return Change(
        what,
        Incident(number, "outage", Scope("site", "pasar"), "critical", at_s - 100, at_s, devices, sites={"pasar"}),
        at_s,
        why,
    )


def settings_for(folder: Path, url: str) -> NotifySettings:
    secret = folder / "token"
    secret.write_text("123:AAtoken")
    secret.chmod(0o600)
    file = folder / "notify.toml"
    file.write_text(
        f"""
        [channels.bot]
        kind = "telegram"
        token_file = "{secret}"
        base_url = "{url}"
        [recipients.duty]
        addresses = {{ bot = "-100" }}
        [[routes]]
        to = ["duty"]
        by = ["bot"]
        """
    )
    return read_notify_settings(file)


async def test_a_change_becomes_a_telegram_message_and_its_end_another(tmp_path: Path) -> None:
    async with messenger(["500"]) as server:
        settings = settings_for(tmp_path, server.url)
        outbox = Outbox(tmp_path / "notices.db")
        notifier = Notifier(settings, outbox, time.time())
        delivery = Delivery(outbox, channels(settings.channels), DeliveryRules(first_wait_s=0.01), time.time)
        running = asyncio.create_task(delivery.run())
        notifier.take([change("opened", at_s=time.time())], AROUND, time.time())
        delivery.wake()
        await until(lambda: server.taken)
        notifier.take([change("resolved", at_s=time.time())], AROUND, time.time())
        delivery.wake()
        await until(lambda: len(server.taken) == 2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        outbox.close()
        opened, closed = (request.body["text"].split("\n")[0] for request in server.taken.values())
        assert opened == "[KRITIS] Lokasi pasar tidak terdengar (#1)"
        assert closed == "[KRITIS] Selesai: Lokasi pasar tidak terdengar (#1)"


def test_a_restart_amid_fifty_open_incidents_repeats_and_forgets_nothing(tmp_path: Path) -> None:
    settings, now_s = settings_for(tmp_path, "http://127.0.0.1:9"), NOW_S
    whole = Outbox(tmp_path / "notices.db")
    for number in range(1, 51):
        notifier = Notifier(settings, whole, now_s)
        notifier.take([change("opened", number, now_s)], AROUND, now_s, {"engine": number})
        now_s += 1
    assert whole.kept("engine") == 50
    notifier = Notifier(settings, whole, now_s)
    while notifier.next_s < now_s + 3600:
        now_s = max(now_s, notifier.next_s)
        notifier.due(AROUND, now_s)
        notifier = Notifier(settings, whole, now_s)
    for number in range(1, 51):
        notifier = Notifier(settings, whole, now_s)
        notifier.take([change("resolved", number, now_s)], AROUND, now_s)
    while notifier.next_s < now_s + 3600:
        now_s = max(now_s, notifier.next_s)
        notifier.due(AROUND, now_s)
    texts = [text for (text,) in whole._db.execute("SELECT content FROM message")]
    told = Counter(number for number in range(1, 51) for text in texts if f"(#{number})" in json.loads(text)["text"])
    assert told == dict.fromkeys(range(1, 51), 2)
    whole.close()


def test_a_full_disk_delays_a_notice_and_loses_none(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "notices.db")
    notifier = Notifier(settings_for(tmp_path, "http://127.0.0.1:9"), outbox, NOW_S)
    (pages,) = outbox._db.execute("PRAGMA page_count").fetchone()
    outbox._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        for number in range(1, 8):
            notifier.take([change("opened", number)], AROUND, NOW_S)
    stored = len(outbox.rows())
    outbox._db.execute("PRAGMA max_page_count = 1000000")
    notifier.due(AROUND, NOW_S + 1)
    assert len(outbox.rows()) == stored + 1
    outbox.close()


def test_who_is_told_nothing_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    outbox = Outbox(tmp_path / "notices.db")
    Notifier(NotifySettings(), outbox, NOW_S).take([change("opened", 7)], AROUND, NOW_S)
    assert "no route sends incidents 7 to anybody" in caplog.text
    outbox.close()


@given(
    st.builds(
        Incident,
        st.integers(1),
        st.text(),
        st.builds(Scope, st.sampled_from(["site", "city"]), st.text()),
        st.sampled_from(["info", "critical"]),
        st.floats(0, 1e10),
        st.floats(0, 1e10),
        st.dictionaries(st.text(), st.floats(0, 1e10), max_size=3),
        st.dictionaries(st.text(), st.floats(0, 1e10), max_size=3),
        st.sets(st.text(), max_size=3),
        st.dictionaries(st.sampled_from(["power", "link"]), st.integers(0, 9), max_size=2),
        st.sampled_from([None, "power"]),
        st.none() | st.floats(0, 1e5),
        st.none() | st.text(),
        st.none() | st.builds(Acknowledged, st.text(), st.floats(0, 1e10), st.text()),
        st.none() | st.floats(0, 1e10),
        st.lists(st.text(), max_size=3).map(tuple),
        st.none() | st.builds(Assigned, st.integers(1), st.text(), st.text(), st.floats(0, 1e10), st.text()),
    )
)
def test_incidents_are_kept_as_they_are(incident: Incident) -> None:
    assert incident_of(json.loads(json.dumps(facts_of(incident)))) == incident
