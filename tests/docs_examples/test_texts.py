"""What the pages quote is said by the code: topics, limits, times, words on the live page, errors, reasons."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import get_args

import pytest

from gateway.console.facts import Options
from gateway.registry import MAX_SOURCES
from kewang.ui.words import LOCALE, read_po
from kewang.wire import topics
from kewang.wire.ack import MAX_ACK_BYTES, MAX_LABELS, MAX_RANGES
from kewang.wire.batch import (
    MAX_DATE_MS,
    MAX_INFLATED_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_METRICS,
    MAX_NAMES,
    MAX_ROWS,
    MIN_DATE_MS,
)
from kewang.wire.cameras import STATE_WORDS
from kewang.wire.enrolment import Code
from kewang.wire.tally import MAX_TALLIES
from kewang.wire.timers import Timers
from provisioning.authority.making import DAY_MS, Lifetimes
from provisioning.guard.report import AlarmCode
from tests.docs_examples.pages import CHECKOUT, DOCS, LANGUAGES, prose, tables


def test_every_topic_is_documented() -> None:
    text = (DOCS / "dev" / "protocol.md").read_text()
    assert f"`{topics.ROOT}/{{shard}}/{{device}}/{{channel}}`" in text
    assert f"`{topics.gateway('some-id').replace('some-id', '{id}')}`" in text
    rows = documented_channels()
    assert rows == set(topics.CHANNELS)


def documented_channels() -> set[str]:
    (rows,) = [rows for heading, rows in tables(DOCS / "dev" / "protocol.md") if heading == "Topics"]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row[0])}


@pytest.mark.parametrize(("language", "heading"), [("en", "The live page"), ("id", "Halaman pantauan")])
def test_words_said_to_be_on_the_page_are(language: str, heading: str) -> None:
    catalogue = read_po(LOCALE / "id.po")
    texts = catalogue.keys() if language == "en" else catalogue.values()
    known = [re.sub(r"%\(\w+\)s", "...", part) for text in texts for part in text.split("\0")]
    known += [words[language == "en"] for words in STATE_WORDS.values()]
    (rows,) = [rows for above, rows in tables(DOCS / language / "operate.md") if above == heading]
    quoted = [re.sub(r"\*", "", part).strip() for row in rows for part in row[0].split("·")]
    assert len(quoted) > 12
    assert [text for text in quoted if text not in known] == QUOTED_ELSEWHERE[language]


QUOTED_ELSEWHERE = {"en": ["the clock in the corner"], "id": ["jam di sudut"]}
"""What the page shows without words."""


FOREIGN_TEXTS = {
    *("Connection refused", "timed out", "No route to host", "Not authorized", "Bad user name or password"),
    *("Name or service not known", "Temporary failure in name resolution", "Connection reset by peer"),
    *(
        "certificate verify failed",
        "401",
        "403",
        "404",
        "not found",
        "disk is full",
        "no space left",
        "shard is disabled",
    ),
}
"""What brokers, databases and the system say; ours is looked for in the code."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_in_troubleshooting_are_said_by_the_code(language: str) -> None:
    said = "".join(
        path.read_text() for folder in ("edge", "gateway", "kewang") for path in CHECKOUT.joinpath(folder).rglob("*.py")
    )
    shown = [rows for _, rows in tables(DOCS / language / "troubleshooting.md")][1:]
    texts = {text for rows in shown for row in rows for text in re.findall(r"`([^`]+)`", row[0])}
    ours = {part.strip() for text in texts - FOREIGN_TEXTS for part in re.split(r"\.\.\.|\d+$|s$", text)}
    assert len(ours) > 10
    assert {part for part in ours if part not in said} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_of_the_quarantine_is_explained(language: str) -> None:
    heading = {"en": "Quarantine", "id": "Karantina"}[language]
    (rows,) = [rows for above, rows in tables(DOCS / language / "operate.md") if above == heading]
    explained = {name for row in rows for name in re.findall(r"`([^`]+)`", row[0])} - {"-"}
    sources = [CHECKOUT / "gateway" / f"{name}.py" for name in ("judge", "intake", "quarantine")]
    written = {reason for file in sources for reason in re.findall(r'f?"([a-z ]+): ', file.read_text())}
    assert explained == written - {"unexpected", "dropped"}


def test_limits_of_the_protocol_are_those_of_the_code() -> None:
    (rows,) = [rows for above, rows in tables(DOCS / "dev" / "protocol.md") if above == "Limits"]
    kib = 1024
    assert dict(rows) == {
        "message": f"{MAX_MESSAGE_BYTES // kib} KiB, inflated {MAX_INFLATED_BYTES // kib // kib} MiB",
        "rows in a batch": f"{MAX_ROWS:,}",
        "metrics in a batch": f"{MAX_METRICS}, their names {MAX_NAMES:,} characters in all",
        "dates": f"{year(MIN_DATE_MS)} to {year(MAX_DATE_MS)}",
        "entries in `tl`": str(MAX_TALLIES),
        "ack": f"{MAX_ACK_BYTES // kib} KiB: {MAX_RANGES} ranges, {MAX_LABELS} labels",
        "sources of a device": str(MAX_SOURCES),
    }


def year(date_ms: int) -> int:
    return datetime.fromtimestamp(date_ms / 1000, UTC).year


def test_times_of_the_protocol_are_those_of_the_code() -> None:
    text = " ".join((DOCS / "dev" / "protocol.md").read_text().split())
    timers = Timers()
    for said in (
        f"keep-alive of {timers.keepalive_s:g} s",
        f"at least every {timers.heartbeat_s:g} s",
        f"Not named after {timers.resend_s:g} s: again, each time doubled",
        f"± 20 %, up to {timers.resend_max_s / 60:g} min",
        f"less than {timers.live_s / 60:g} min ago",
        f"after {timers.credit_life_s / 60:g} min without one",
        f"before its first write and every {timers.rewind_poll_s:g} s",
        f"at most {timers.anchor_fresh_s:g} s old",
        f"repeats its birth every {timers.birth_repeat_s:g} s",
        f"correction of more than {timers.correction_s:g} s",
        f"a step back of up to {timers.step_back_s / 60:g} min",
        f"more than {timers.ahead_s / 60:g} min ahead",
    ):
        assert said in text, said


def test_a_device_is_silent_after_what_the_page_says() -> None:
    assert f"not heard for {Options().silent_s:g} s" in (DOCS / "en" / "operate.md").read_text()
    assert f"selama {Options().silent_s:g} detik" in (DOCS / "id" / "operate.md").read_text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_said_to_be_on_the_technicians_page_are(language: str) -> None:
    catalogue = read_po(LOCALE / "id.po")
    known = set(catalogue if language == "en" else catalogue.values())
    page = re.sub(r"\s+", " ", prose(DOCS / language / "technician.md"))
    quoted = re.findall(r"\*\*([^*]+)\*\*", page)
    assert len(quoted) > 20
    assert [text for text in quoted if text not in known] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_is_explained_to_the_technician(language: str) -> None:
    rows = [row for _, rows in tables(DOCS / language / "technician.md") for row in rows]
    explained = {code for row in rows for code in re.findall(r"`(P-[A-Z0-9]+)", row[0])}
    files = CHECKOUT.joinpath("provisioning").rglob("*.py")
    said = {code for file in files for code in re.findall(r'"(P-[A-Z0-9]+)["-]', file.read_text())}
    assert len(said) > 10
    assert explained == said | set(Code)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_alarm_of_the_guard_is_explained(language: str) -> None:
    rows = [row for _, rows in tables(DOCS / language / "security.md") for row in rows]
    explained = {row[0].strip("`") for row in rows if re.fullmatch(r"`[a-z-]+`", row[0])}
    assert explained == set(get_args(AlarmCode))


@pytest.mark.parametrize("language", LANGUAGES)
def test_lifetimes_are_those_of_the_authority(language: str) -> None:
    rows = next(
        rows
        for _, rows in tables(DOCS / language / "security.md")
        if any("API" in row[0] and "90" in row[1] for row in rows)
    )
    told = [int(number[0]) if (number := re.match(r"\d+", row[1])) else None for row in rows]
    life = Lifetimes()
    day = [life.device_ms, life.service_ms, life.service_ms, life.crl_ms, life.ca_ms / 365.25, life.root_ms / 365.25]
    assert told == [*(round(each / DAY_MS) for each in day), None]
