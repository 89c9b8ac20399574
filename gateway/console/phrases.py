"""Words for what the gateway and its store say: lives, streams, reasons of refusal, troubles of the database."""

import re
from collections.abc import Mapping
from typing import Final

from gateway.ports import Refused
from kewang.ui.words import Language, words
from kewang.wire.names import NO_SOURCE


def word_of(table: dict[str, str], key: str, language: Language) -> str:
    """The word for `key`, in `language`; the key itself if it has none."""
    return words(language).gettext(table[key]) if key in table else key


def reason_of(row: Refused, language: Language) -> str:
    """Why a row was refused: the kind in words, then the detail, in words where it is one of ours."""
    if row.series.source == NO_SOURCE:
        return f"{word_of(REASONS, NO_SOURCE, language)}: {_detail(row.reason, language)}"
    kind, colon, rest = row.reason.partition(":")
    if kind == "empty":
        return word_of(REASONS, kind, language)
    detail = rest.strip() if kind == "store" else _detail(rest.strip(), language)
    return word_of(REASONS, kind, language) + (f"{colon} {detail}" if colon else "")


def kind_of(row: Refused, language: Language) -> str:
    """Why a row was refused, without details."""
    kind = NO_SOURCE if row.series.source == NO_SOURCE else row.reason.partition(":")[0]
    return word_of(REASONS, kind, language)


def trouble_of(why: str, language: Language) -> str:
    """What is wrong with the database: for who reads no English the kind in words first, then as it was said."""
    kind = next((phrase for part, phrase in TROUBLES.items() if part in why), None)
    return why if kind is None or language == "en" else f"{words(language).gettext(kind)} ({why})"


def lasting(minutes: int, language: Language) -> str:
    """How long: `45 min`, `1 h 20 min`."""
    hours, minutes = divmod(minutes, 60)
    whole = [words(language).gettext("%(n)s h") % {"n": hours}] if hours else []
    rest = [words(language).gettext("%(n)s min") % {"n": minutes}] if minutes or not hours else []
    return " ".join(whole + rest)


def _detail(text: str, language: Language) -> str:
    for pattern, phrase in DETAILS.items():
        if found := re.fullmatch(pattern, text):
            return words(language).gettext(phrase) % found.groupdict()
    return text


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


LIVES: Final = {
    "approved": _("approved"),
    "installed": _("installed"),
    "maintenance": _("in maintenance"),
    "quarantined": _("set apart"),
    "revoked": _("revoked"),
    "retired": _("retired"),
}
"""What a placement says of a device's life."""

CHANGES: Final = {
    "opened": _("opened"),
    "worsened": _("got worse"),
    "cause": _("the cause became known"),
    "acknowledged": _("taken on"),
    "assigned": _("given to a technician"),
    "taken": _("the technician took it"),
    "done": _("the technician says it is done"),
    "noted": _("note"),
    "resolved": _("ended"),
}
"""What happens to an incident."""

TASK_STATES: Final = {
    "open": _("not taken yet"),
    "taken": _("being done"),
    "done": _("done"),
}
"""How far a technician's task is."""

STREAM_WORDS: Final = {
    "env": _("environment"),
    "cam": _("camera"),
    "sys": _("the box itself"),
    "evt": _("events"),
}

SHORT: Final = {
    "cpu_pct": _("processor"),
    "box_temp_c": _("box"),
    "mem_pct": _("memory"),
    "disk_pct": _("disk"),
}
"""Short names for the line of a card that is about the box itself."""

REASONS: Final = {
    "range": _("out of range"),
    "unknown metric": _("unknown metric"),
    "type": _("wrong type"),
    "length": _("wrong length"),
    "date": _("wrong date"),
    "empty": _("no value"),
    "store": _("refused by the database"),
    "source": _("too many sources"),
    NO_SOURCE: _("unreadable message"),
}
"""Kinds of refusal: what stands before the colon of a reason."""

DETAILS: Final[Mapping[str, str]] = {
    "ahead of the gateway's clock": _("ahead of the gateway's clock"),
    "older than what is kept": _("older than what is kept"),
    "twice in one batch": _("twice in one batch"),
    r"(?P<values>\d+) values for (?P<metrics>\d+) metrics": _("%(values)s values for %(metrics)s metrics"),
    r"more than (?P<sources>\d+) sources": _("more than %(sources)s sources"),
    r"(?P<metric>\w+) is too large": _("%(metric)s is too large"),
    r"not JSON(?P<why>.*)": _("not JSON%(why)s"),
    r"broken zlib(?P<why>.*)": _("broken zlib%(why)s"),
    "neither JSON nor zlib": _("neither JSON nor zlib"),
    "not a JSON object": _("not a JSON object"),
    "a key is there twice": _("a key is there twice"),
    r"unknown version (?P<version>.*)": _("unknown version %(version)s"),
    r"inflates past (?P<bytes>\d+) bytes": _("inflates past %(bytes)s bytes"),
    r"message of (?P<bytes>\d+) bytes, the limit is (?P<most>\d+)": _(
        "message of %(bytes)s bytes, the limit is %(most)s"
    ),
    r"(?P<metrics>\d+) metrics, the limit is (?P<most>\d+)": _("%(metrics)s metrics, the limit is %(most)s"),
    r"(?P<rows>\d+) rows, the limit is (?P<most>\d+)": _("%(rows)s rows, the limit is %(most)s"),
    "a date outside the years 2000 to 2200": _("a date outside the years 2000 to 2200"),
}
"""What stands after the colon of a reason, or is all of an unreadable message's."""

TROUBLES: Final[Mapping[str, str]] = {
    "has not answered yet": _("it has not answered yet"),
    "no answer within": _("it does not answer in time"),
    "does not answer": _("it does not answer"),
    "disk is full": _("the disk is full"),
    "secret file": _("user or password are wrong"),
    "not found": _("there is no such database"),
    "InfluxDB answered": _("it answers with an error"),
    "may not": _("it may not be written"),
    "refuses a row": _("it refuses a row"),
    "mend": _("it is not set up well"),
}
"""Kinds of trouble by a part of what the store's code says; the first that fits."""
