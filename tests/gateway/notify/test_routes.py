"""To whom a notice goes and when: routes, quiet hours, and settings that lead nowhere."""

from datetime import datetime
from pathlib import Path

import pytest

from gateway.incidents.model import Incident, Scope, Severity
from gateway.notify.budget import Notice
from gateway.notify.message import Message
from gateway.notify.routes import NotifySettings, Routes, read_notify_settings
from gateway.notify.texts import Surroundings
from kewang.runtime.settings import SettingsError
from tests.gateway.notify.test_texts import AROUND, NOW_S, ZONE, incident, notice

TOML = """
second_after_s = 60
[channels.bot]
kind = "telegram"
token_file = "/run/secrets/bot"
[channels.mail]
kind = "mail"
host = "mail.example"
sender = "kewang@kota.example"
[channels.sms]
kind = "apprise"
url_file = "/run/secrets/sms"
[recipients.duty]
addresses = { bot = "-100", mail = "noc@kota.example", sms = "+62811" }
[recipients.market]
language = "en"
addresses = { mail = "pasar@kota.example" }
[[routes]]
to = ["duty"]
by = ["bot", "sms"]
at_least = "warning"
[[routes]]
to = ["market", "duty"]
by = ["mail"]
sites = ["pasar*"]
kinds = ["outage", "pm25"]
[[quiet]]
channels = ["mail"]
begin = "22:00:00"
end = "06:00:00"
"""


@pytest.fixture
def settings(tmp_path: Path) -> NotifySettings:
    file = tmp_path / "notify.toml"
    file.write_text(TOML)
    return read_notify_settings(file)


def sent(settings: NotifySettings, told: Notice, *incidents: Incident, now_s: float = NOW_S) -> list[Message]:
    return Routes(settings).messages(told, {one.number: one for one in incidents}, AROUND, now_s)


def test_a_notice_goes_to_everybody_whose_route_fits_each_in_their_language(settings: NotifySettings) -> None:
    bot, market, duty = sent(settings, notice(), incident())
    assert (bot.channel, bot.recipient, bot.about, bot.patience_s) == ("bot", "-100", "12", 60)
    assert [(one.channel, one.recipient) for one in bot.then] == [("sms", "+62811")]
    assert (market.recipient, market.then, duty.recipient) == ("pasar@kota.example", (), "noc@kota.example")
    assert "Site Pasar Mardika" in market.subject
    assert "Lokasi Pasar Mardika" in duty.subject
    assert {one.key for one in (bot, market, duty, *bot.then)} == {notice().key}


def test_site_kind_and_severity_choose(settings: NotifySettings) -> None:
    def told(**more: object) -> set[str]:
        one = incident(**more)  # type: ignore[arg-type]
        return {made.channel for made in sent(settings, notice(), one)}

    assert told(sites={"pelabuhan"}) == {"bot"}
    assert told(severity="info") == {"mail"}
    assert told(kind="unstable") == {"bot"}
    assert told(kind="unstable", severity="info") == set()
    assert told(sites=set(), scope=Scope("city", "")) == {"bot", "mail"}


def test_a_digest_tells_each_only_what_is_theirs(settings: NotifySettings) -> None:
    market, port = incident(1), incident(2, sites={"pelabuhan"}, scope=Scope("site", "pelabuhan"))
    messages = sent(settings, notice("digest", 1, 2), market, port)
    assert ["#1" in one.text for one in messages] == [True, True, True]
    assert ["#2" in one.text for one in messages] == [True, False, False]


def test_who_is_told_of_nothing_is_known(settings: NotifySettings) -> None:
    lost = incident(kind="unstable", severity="info")
    assert Routes(settings).nobody(notice(), {12: lost}, Surroundings()) == [12]
    assert Routes(settings).nobody(notice(), {12: incident()}, Surroundings()) == []


def test_two_routes_to_one_address_are_one_message_with_all_of_both(settings: NotifySettings) -> None:
    changed = settings.model_copy(
        update={"routes": [one.model_copy(update={"to": ["duty"], "by": ["mail"]}) for one in settings.routes]}
    )
    (one,) = sent(changed, notice("digest", 1, 2), incident(1, severity="info"), incident(2, sites={"pelabuhan"}))
    assert "#1" in one.text
    assert "#2" in one.text


@pytest.mark.parametrize(
    ("hour", "severity", "due"),
    [
        (14, "warning", None),
        (22, "warning", 30),
        (3, "warning", 29),
        (5.99, "info", 29),
        (6, "info", None),
        (3, "critical", None),
    ],
)
def test_quiet_hours_hold_mail_until_the_morning_unless_it_is_urgent(
    settings: NotifySettings, hour: float, severity: Severity, due: int | None
) -> None:
    now_s = datetime(2026, 11, 29, tzinfo=ZONE).timestamp() + hour * 3600
    messages = sent(settings, notice(severity=severity), incident(severity=severity), now_s=now_s)
    mails = [one for one in messages if one.channel == "mail"]
    morning_s = datetime(2026, 11, due, 6, tzinfo=ZONE).timestamp() if due else now_s
    assert {one.due_s for one in mails} == {morning_s}
    assert {one.expires_s for one in mails} == {morning_s + 12 * 3600}
    assert all(one.due_s == now_s for one in messages if one.channel == "bot")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('by = ["mail"]', 'by = ["fax"]', "no channel is called 'fax'"),
        ('to = ["duty"]', 'to = ["nobody"]', "no recipient is called 'nobody'"),
        ('by = ["bot", "sms"]\n', 'by = ["bot"]\n', ""),
        ('to = ["duty"]\nby = ["bot", "sms"]', 'to = ["market"]\nby = ["bot"]', "'market' has no address on bot"),
        ("second_after_s = 60", "secnd_after_s = 60", "did you mean"),
        ('at_least = "warning"', 'at_least = "loud"', "at_least"),
        ('kind = "telegram"', 'kind = "pigeon"', "telegram"),
        ("second_after_s = 60", 'time_zone = "Asia/Ambon"', "is no time zone"),
    ],
)
def test_settings_that_lead_nowhere_are_refused(tmp_path: Path, before: str, after: str, said: str) -> None:
    file = tmp_path / "notify.toml"
    assert before in TOML
    file.write_text(TOML.replace(before, after))
    if not said:
        read_notify_settings(file)
        return
    with pytest.raises(SettingsError, match=said):
        read_notify_settings(file)
