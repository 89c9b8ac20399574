"""How notices read, in both languages; that nothing makes them fail."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.incidents.maintenance import Window
from gateway.incidents.model import Acknowledged, Incident, Level, Scope, Severity
from gateway.notify import phrases
from gateway.notify.budget import Kind, Notice
from gateway.notify.telegram import LIMIT_UNITS
from gateway.notify.texts import LinkSettings, Surroundings, Text, Texts, duration
from kewang.ui.words import LANGUAGES, Language
from kewang.wire.placement import Place

ZONE = ZoneInfo("Asia/Jayapura")
NOW_S = datetime(2026, 11, 29, 14, 5, tzinfo=ZONE).timestamp()
LINKS = LinkSettings(console="https://pantau.example/", runbook="https://docs.example/runbook#{kind}-{level}")
TEXTS = Texts(LINKS, "Asia/Jayapura")
PLACES = {
    f"ambon-m{n}": Place.model_validate({"from": 0, "site": "pasar", "lat": -3.7 - n / 100, "lon": 128.2})
    for n in (1, 2)
}
AROUND = Surroundings(PLACES, {"pasar": "Pasar Mardika"}, {"pm25": {"id": "Udara tidak sehat", "en": "Unhealthy air"}})


def incident(number: int = 12, level: Level = "site", devices: int = 12, **more: object) -> Incident:
    """Of the site `pasar`, twelve devices, three minutes ago."""
    heard = {f"ambon-m{n}": NOW_S - 180 for n in range(1, devices + 1)}
    made = Incident(
        number, "outage", Scope(level, "pasar"), "critical", NOW_S - 180, NOW_S - 60, heard, sites={"pasar"}
    )
    return replace(made, **more)  # type: ignore[arg-type]


def notice(kind: Kind = "opened", *numbers: int, severity: Severity = "critical", over: tuple[int, ...] = ()) -> Notice:
    return Notice(f"{numbers or 12}-{kind}", kind, numbers or (12,), severity, NOW_S, over)


def written(kind: Kind, language: Language, *incidents: Incident) -> Text:
    told = notice(kind, *(one.number for one in incidents))
    return TEXTS.written(told, incidents, AROUND, language)


def test_an_opening_in_indonesian() -> None:
    text = written("opened", "id", incident())
    assert text.failed is None
    assert text.subject == "[KRITIS] Lokasi Pasar Mardika tidak terdengar (#12)"
    assert text.body.split("\n") == [
        "[KRITIS] Lokasi Pasar Mardika tidak terdengar (#12)",
        "Di mana: Pasar Mardika",
        "Peta: https://www.openstreetmap.org/?mlat=-3.71500&mlon=128.20000#map=17/-3.71500/128.20000",
        "Sejak: 2026-11-29 14:02 WIT (3 menit)",
        "Sebab: belum diketahui",
        "12 alat: ambon-m1, ambon-m10, ambon-m11, ambon-m12, ambon-m2, ambon-m3, ambon-m4, ambon-m5 dan 4 lagi",
        "Langkah pertama: Tanyakan di lokasi apakah listrik menyala, lalu periksa router-nya.",
        "Panduan: https://docs.example/runbook#outage-site",
        "Tangani: https://pantau.example/incidents/12",
    ]


def test_a_closing_in_english_names_the_cause_and_who_is_not_back() -> None:
    back = {f"ambon-m{n}": NOW_S for n in range(1, 12)}
    text = written(
        "resolved", "en", incident(cause="power", back=back, ended_s=NOW_S + 7200, stragglers=("ambon-m12",))
    )
    assert text.body.split("\n") == [
        "[CRITICAL] Over: Site Pasar Mardika is not heard (#12)",
        "Where: Pasar Mardika",
        "Map: https://www.openstreetmap.org/?mlat=-3.71500&mlon=128.20000#map=17/-3.71500/128.20000",
        "Since: 2026-11-29 14:02 WIT (2 hours)",
        "Until: 2026-11-29 16:05 WIT",
        "Cause: the power was away",
        "12 devices: ambon-m12 and 11 more",
        "1 device is not back: ambon-m12",
    ]


@pytest.mark.parametrize(
    ("language", "subject", "line"),
    [
        (
            "en",
            "[WARNING] No longer measured: Unhealthy air at Pasar Mardika (#12)",
            "1 source sends nothing any more, nobody knows how it is there: ambon-m1/env-1",
        ),
        (
            "id",
            "[PERINGATAN] Tidak diukur lagi: Udara tidak sehat di Pasar Mardika (#12)",
            "1 sumber tidak mengirim lagi, keadaan di sana tidak diketahui: ambon-m1/env-1",
        ),
    ],
)
def test_a_rule_whose_source_is_silent_is_not_said_to_be_over(language: Language, subject: str, line: str) -> None:
    air = incident(kind="pm25", value=80.0, ended_s=NOW_S, stragglers=("ambon-m1/env-1",))
    text = TEXTS.written(notice("resolved", severity="warning"), [air], AROUND, language)
    assert (text.subject, text.body.split("\n")[-1]) == (subject, line)
    several = TEXTS.written(notice("resolved", 12, 13, severity="warning"), [air, incident(13)], AROUND, language)
    assert ("no longer measured" in several.body) is (language == "en")
    assert ("tidak diukur lagi" in several.body) is (language == "id")


def test_an_acknowledgement_says_who_and_asks_nobody_else() -> None:
    text = written("acknowledged", "en", incident(acknowledged=Acknowledged("Rina", NOW_S, "on my way")))
    assert "Taken on by Rina: on my way" in text.body
    assert "Take it on" not in text.body


def test_a_digest_lists_as_many_as_fit_and_counts_the_rest() -> None:
    many = [incident(number) for number in range(1, 51)]
    text = TEXTS.written(notice("digest", *range(1, 51), over=(2,)), many, AROUND, "en")
    lines = text.body.split("\n")
    assert lines[0] == "[CRITICAL] 50 incidents"
    assert len(lines) == 43
    assert lines[2] == "- Site Pasar Mardika is not heard (#2), since 2026-11-29 14:02 WIT, 12 devices, over already"
    assert lines[-2:] == ["and 10 more", "All of them: https://pantau.example/"]


def test_several_closings_in_one() -> None:
    assert written("resolved", "id", incident(1), incident(2)).subject == "[KRITIS] 2 gangguan selesai"


def test_a_part_of_a_larger_one_is_not_called_over() -> None:
    told = replace(notice("resolved"), part_of=((12, 40),))
    text = TEXTS.written(told, [incident()], AROUND, "en")
    assert text.subject == "[CRITICAL] Part of #40: Site Pasar Mardika is not heard (#12)"
    assert text.body.endswith("It goes on as part of #40, which tells when it is over.")
    assert "Until" not in text.body
    both = replace(notice("resolved", 12, 13), part_of=((12, 40),))
    assert "(#12), since 2026-11-29 14:02 WIT, 12 devices, part of #40" in (
        TEXTS.written(both, [incident(), incident(13)], AROUND, "en").body
    )


def window(level: Level = "site", back: int = 2, away: int = 3) -> Incident:
    """What is told of a window of two hours; `back` of the `away` are back."""
    made = Window(3, Scope(level, "pasar"), NOW_S - 7200, NOW_S, "Ina", "a new pole", True, ("pasar",))
    made.away = {f"ambon-m{n}": NOW_S - 6000 for n in range(away)}
    made.back = {f"ambon-m{n}": NOW_S - 1800 for n in range(back)}
    made.ended_s = NOW_S
    return made.report()


def test_the_end_of_maintenance_says_who_was_away_and_who_is_not_back() -> None:
    text = TEXTS.written(notice("maintenance", 3, severity="warning"), [window()], AROUND, "id")
    assert text.body.split("\n") == [
        "[PERINGATAN] Pemeliharaan lokasi Pasar Mardika selesai, 1 alat belum kembali",
        "Di mana: Pasar Mardika",
        "Dari 2026-11-29 12:05 WIT sampai 2026-11-29 14:05 WIT (2 jam)",
        "Direncanakan oleh Ina: a new pole",
        "3 alat sempat senyap:",
        "- ambon-m2: terakhir terdengar 2026-11-29 12:25 WIT, belum kembali",
        "- ambon-m0: terakhir terdengar 2026-11-29 12:25 WIT, kembali 2026-11-29 13:35 WIT",
        "- ambon-m1: terakhir terdengar 2026-11-29 12:25 WIT, kembali 2026-11-29 13:35 WIT",
        "Yang belum kembali menjadi gangguan tersendiri bila tetap senyap.",
        "Panduan: https://docs.example/runbook#maintenance-site",
        "Semuanya: https://pantau.example/maintenance",
    ]
    assert text.facts["link"] == "https://pantau.example/maintenance"
    well = TEXTS.written(notice("maintenance", 3, severity="info"), [window(away=0, back=0)], AROUND, "en")
    assert well.subject == "[NOTE] Maintenance of site Pasar Mardika is over"
    assert "No device fell silent." in well.body


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_end_of_much_maintenance_fits_into_one_message(language: Language) -> None:
    for level in LEVELS[1:5]:
        many = [replace(window(level, 9, 1000), number=number) for number in range(1, 40)]
        text = TEXTS.written(notice("maintenance", *range(1, 40), severity="warning"), many, AROUND, language)
        assert text.failed is None
        assert "39" in text.subject
        assert len(text.body) <= LIMIT_UNITS


def test_our_own_trouble_is_told_in_words() -> None:
    text = written("opened", "id", incident(kind="self", scope=Scope("gateway", "broker")))
    assert "Gateway bermasalah: tidak terhubung ke broker" in text.subject


def test_a_rule_is_called_as_people_call_it() -> None:
    text = written("opened", "id", incident(kind="pm25", level="device", value=180.5, metric="pm25_ugm3"))
    assert text.subject == "[KRITIS] Udara tidak sehat di Pasar Mardika (#12)"
    assert "Nilai terburuk: 180,5 µg/m³" in text.body
    assert "Panduan: https://docs.example/runbook#pm25-device" in text.body
    assert "Langkah pertama" not in text.body


def test_without_a_link_a_rule_names_the_place_in_the_runbook() -> None:
    links = LinkSettings(console="https://pantau.example/")
    text = Texts(links, "Asia/Jayapura").written(notice(), [incident(kind="pm25", level="site")], AROUND, "en")
    assert "First step: Look under pm25-site in the runbook (docs/en/runbook.md)." in text.body


@pytest.mark.parametrize(
    ("metric", "value", "language", "shown"),
    [
        ("water_level_cm", 212.0, "id", "212,0 cm"),
        ("outbox_bytes", 523e6, "en", "523 MB"),
        ("camera_state", 3.0, "en", "down"),
        ("clock_synced", 0.0, "id", "tidak"),
        (None, 1.5, "en", "1.5"),
        ("gone_metric", 1.5, "en", "1.5"),
    ],
)
def test_a_value_has_its_unit_or_word(metric: str | None, value: float, language: Language, shown: str) -> None:
    assert phrases.value(incident(value=value, metric=metric), language) == shown


def test_the_runbook_is_linked_in_the_reader_s_language() -> None:
    links = LinkSettings(runbook="https://docs.example/{language}/runbook.md#{kind}-{level}")
    for language in LANGUAGES:
        text = Texts(links, "Asia/Jayapura").written(notice(), [incident()], AROUND, language)
        assert f"https://docs.example/{language}/runbook.md#outage-site" in text.body


LEVELS: tuple[Level, ...] = ("source", "device", "site", "uplink", "feeder", "city", "gateway")
KINDS: tuple[Kind, ...] = ("opened", "worsened", "acknowledged", "resolved", "digest")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("about", ["outage", "sources", "unstable", "self", "two-boxes", "some-rule"])
def test_everything_can_be_said_in_both_languages_and_fits_into_one_message(about: str, language: Language) -> None:
    for level in LEVELS:
        for kind in KINDS:
            long = incident(level=level, devices=1000, kind=about, scope=Scope(level, "x" * 64))
            for one in (long, Incident(12, about, Scope(level, ""), "info", 0.0, 0.0)):
                text = TEXTS.written(notice(kind), [one], Surroundings(), language)
                assert text.failed is None, (level, kind, text.failed)
                assert len(text.body.encode("utf-16-le")) // 2 <= LIMIT_UNITS
                assert "\n\n" not in text.body
                assert "{" not in text.body


def test_the_longest_digest_fits_into_one_message() -> None:
    many = [
        incident(n, level="source", scope=Scope("source", "d" * 64 + "/" + "s" * 32)) for n in range(10_000, 10_500)
    ]
    body = TEXTS.written(notice("digest", *(one.number for one in many)), many, Surroundings(), "id").body
    assert len(body) <= LIMIT_UNITS


@pytest.mark.parametrize(
    "template",
    ["{{ nobody_knows }}", "{% broken", "{{ incidents[0].nothing }}", "{{ 1 / 0 }}", "{{ ''.__class__.__mro__ }}"],
)
def test_a_template_that_fails_is_replaced_by_plain_text_that_says_so(tmp_path: Path, template: str) -> None:
    (tmp_path / "one.txt").write_text(template)
    text = Texts(LINKS, "Asia/Jayapura", tmp_path).written(notice(), [incident()], AROUND, "id")
    assert text.failed is not None
    assert text.subject == "[opened] Lokasi Pasar Mardika tidak terdengar (#12), 2026-11-29 14:02 WIT"
    assert text.body.startswith(text.subject)
    assert "Templat pemberitahuan ini gagal" in text.body


def test_a_citys_own_template_is_used(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("AWAS {{ incidents[0].title }}")
    text = Texts(LINKS, "Asia/Jayapura", tmp_path).written(notice(), [incident()], AROUND, "id")
    assert (text.body, text.failed) == ("AWAS Lokasi Pasar Mardika tidak terdengar", None)


def test_durations() -> None:
    found = [duration(s, "en") for s in (0, 10.2, 59.4, 59.6, 90, 3600, 7140, 7200, 170_000, 172_800)]
    assert found == [
        "1 second",
        "10 seconds",
        "59 seconds",
        "1 minute",
        "2 minutes",
        "60 minutes",
        "119 minutes",
        "2 hours",
        "47 hours",
        "2 days",
    ]
