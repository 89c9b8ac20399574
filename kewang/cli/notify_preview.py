"""`kewang notify preview`: what would have been sent, from what the gateway has written down."""

import logging
import sqlite3
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer

from kewang.cli.common import FOUND, UNREACHABLE, USAGE, AsJson, Config, fail, print_json, settings_errors
from kewang.cli.notify_settings import NotifyFile, incident_settings, notify_settings
from kewang.runtime.program import logged_from

if TYPE_CHECKING:
    from gateway.notify.routes import NotifySettings
    from gateway.notify.sent import Sent, Sign
    from gateway.preview import Preview
    from gateway.settings import IncidentSettings

    Lines = list[tuple[Sign, Sent]]

_DAY_S: Final = 86_400.0
_WINDOW_S: Final = 600.0
_NAMED: Final = 20
_SIGNS: Final = {" ": "the same", "+": "more", "-": "fewer", "~": "changed"}


def preview(
    config: Config = None,
    file: NotifyFile = None,
    days: Annotated[float, typer.Option("--days", min=0.01, max=366, help="So many days up to now.")] = 7.0,
    from_: Annotated[str, typer.Option("--from", help="From this time on instead: 2026-11-22, 2026-11-22T06:00.")] = "",
    until: Annotated[str, typer.Option("--until", help="Until this time; default: now.")] = "",
    compare: Annotated[bool, typer.Option("--compare", help="Say what differs from what was really sent.")] = False,
    texts: Annotated[bool, typer.Option("--texts", help="The texts too.")] = False,
    as_json: AsJson = False,
) -> None:
    """What would have been sent under this configuration, from the incidents that the gateway has written down.

    Nothing is sent, no secret is read, and the gateway may run. Budget, routes, quiet hours and texts are the gateway's
    own. With `--compare` a line begins with + if it would be sent too, - if it was sent and would not be, ~ if its time
    or text would be another. Times are local, as in the notices.

    Exit codes: 0 shown; 1 something differs (`--compare`); 2 wrong words or settings; 3 there is no file to look into.

    Examples:

        kewang notify preview --config gateway.toml

        kewang notify preview --config gateway.toml --notify new.toml --days 30 --compare
    """
    incidents, settings = incident_settings(config), notify_settings(config, file)
    zone = ZoneInfo(settings.time_zone)
    until_s = _moment_s(until, "--until", zone) if until else time.time()
    from_s = _moment_s(from_, "--from", zone) if from_ else until_s - days * _DAY_S
    if from_s >= until_s:
        fail("--from is not before --until: swap them", USAGE)
    found = _previewed(incidents, settings, (from_s, until_s))
    since_s = found.since_s
    if since_s is None or since_s > until_s:
        fail("nothing is known of that time: an older gateway ran then, or none", UNREACHABLE)
    lines: Lines = [(" ", one) for one in found.messages]
    if compare:
        lines = _compared(incidents, found, (max(from_s, since_s), until_s))
    told = _Told(lines, found, (from_s, until_s), settings)
    if as_json:
        print_json(told.json(compare=compare))
    else:
        told.show(compare=compare, texts=texts)
    raise typer.Exit(FOUND if any(sign != " " for sign, _ in lines) else 0)


def _moment_s(text: str, option: str, zone: ZoneInfo) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{option} {text!r} is no time: write 2026-11-22 or 2026-11-22T06:00", USAGE)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()


def _previewed(incidents: "IncidentSettings", settings: "NotifySettings", span: tuple[float, float]) -> "Preview":
    from gateway.chronicle import Chronicle
    from gateway.incidents.rules import load_rules
    from gateway.notify.outbox_file import OutboxRefused
    from gateway.preview import preview as previewed
    from gateway.watched import CHRONICLE_FILE, words_of

    path = incidents.folder / CHRONICLE_FILE
    if not path.exists():
        fail(f"{path} is not there: is that the settings file of the gateway, and has it run yet?", UNREACHABLE)
    with settings_errors():
        kinds = words_of(load_rules(incidents.rules))
    unlogged = logged_from(logging.CRITICAL, "gateway.notify")  # what it would log is told below
    try:
        with unlogged, closing(Chronicle(path, read_only=True)) as chronicle, tempfile.TemporaryDirectory() as folder:
            return previewed(chronicle, settings, kinds, Path(folder), span)
    except (OSError, sqlite3.Error, OutboxRefused) as error:
        fail(f"{path}: {error}: may this user read it? Try as the user that the gateway runs as", UNREACHABLE)


def _compared(incidents: "IncidentSettings", found: "Preview", span: tuple[float, float]) -> "Lines":
    from gateway.notify.outbox_file import SCHEMA_VERSION, OutboxRefused, open_to_read
    from gateway.notify.sent import compared, known_since_s, sent
    from gateway.watched import OUTBOX_FILE

    path = incidents.folder / OUTBOX_FILE
    if not path.exists():
        fail(f"{path} is not there, so nothing is known of what was sent: leave --compare out", UNREACHABLE)
    try:
        with closing(open_to_read(path, SCHEMA_VERSION)) as db:
            from_s = max(span[0], known_since_s(db))
            was = list(sent(db, from_s, span[1]))
    except (OSError, sqlite3.Error, OutboxRefused) as error:
        fail(f"{path}: {error}: may this user read it? Try as the user that the gateway runs as", UNREACHABLE)
    return compared((one for one in found.messages if one.created_s >= from_s), was)


class _Told:
    """The result for people and programs."""

    def __init__(self, lines: "Lines", found: "Preview", span: tuple[float, float], settings: "NotifySettings") -> None:
        self._lines, self._found, self._span = lines, found, span
        self._zone = ZoneInfo(settings.time_zone)
        self._names = {
            (channel, address): name
            for name, one in settings.recipients.items()
            for channel, address in one.addresses.items()
        }
        by = settings.office.by if settings.office else {}
        for contact in found.roster.contacts if found.roster else ():
            self._names |= {(channel, contact.address): contact.name for channel in by.get(contact.channel, ())}

    def json(self, *, compare: bool) -> dict[str, Any]:
        """All of it."""
        shown = [{"recipient_name": self._name(one), **asdict(one)} for _, one in self._lines]
        if compare:
            shown = [{"sign": sign, **row} for (sign, _), row in zip(self._lines, shown, strict=True)]
        unheard = [{"number": n, "kind": one.kind, "severity": one.severity} for n, one in self._found.unheard.items()]
        times = {"from_s": self._span[0], "until_s": self._span[1], "since_s": self._found.since_s}
        told = {**times, "messages": shown, "totals": list(self._totals()), "unheard": unheard}
        return told | {"trouble": self._found.trouble} | ({"compared": self._signs()} if compare else {})

    def show(self, *, compare: bool, texts: bool) -> None:
        """As tables and sentences."""
        typer.echo(f"{self._moment(self._span[0])} to {self._moment(self._span[1])}, {self._zone.key}")
        if self._found.since_s is not None and self._found.since_s > self._span[0]:
            typer.echo(f"What happened before {self._moment(self._found.since_s)} is not known")
        rows = [self._row(sign, one) for sign, one in self._lines]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row, (_, one) in zip(rows, self._lines, strict=True):
            typer.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
            if texts:
                typer.echo(indent(one.text, "      ") + "\n")
        self._sum_up(compare=compare)

    def _sum_up(self, *, compare: bool) -> None:
        typer.echo(f"\n{len(self._found.messages)} messages")
        for one in self._totals():
            held = f", {one['held']} held back by quiet hours" if one["held"] else ""
            worst = f"at most {one['worst_10min']} in 10 minutes ({self._moment(one['worst_from_s'])})"
            typer.echo(f"  {one['recipient']} by {one['channel']}: {one['messages']}, {worst}{held}")
        if unheard := self._found.unheard:
            kinds = Counter(f"{one.kind} ({one.severity})" for one in unheard.values())
            typer.echo(f"Nobody is told of these {len(unheard)} incidents:")
            for kind, count in kinds.most_common():
                typer.echo(f"  {kind}: {count}, " + ", ".join(self._some(kind)))
        if self._found.trouble:
            typer.echo(f"A template fails, a plain text would be sent instead: {self._found.trouble}")
        if compare:
            told = ", ".join(f"{count} {word}" for word, count in self._signs().items())
            typer.echo(f"Beside what was really sent: {told}")

    def _some(self, kind: str) -> list[str]:
        found = [f"#{n}" for n, one in self._found.unheard.items() if f"{one.kind} ({one.severity})" == kind]
        return found[:_NAMED] + (["..."] if len(found) > _NAMED else [])

    def _row(self, sign: str, one: "Sent") -> tuple[str, ...]:
        held = f"  (waits until {self._moment(one.due_s)})" if one.due_s > one.created_s else ""
        about = f"#{one.about}" if one.about else "" if one.kind == "maintenance" else "several"
        return sign, self._moment(one.created_s), one.channel, self._name(one), one.kind, about, one.subject + held

    def _totals(self) -> Iterator[dict[str, Any]]:
        """By recipient and channel: how many, and how many in the worst 10 minutes."""
        ways: defaultdict[tuple[str, str], list[Sent]] = defaultdict(list)
        for one in self._found.messages:
            ways[self._name(one), one.channel].append(one)
        for (name, channel), messages in sorted(ways.items()):
            worst, from_s = most_within([one.due_s for one in messages], _WINDOW_S)
            held = sum(one.due_s > one.created_s for one in messages)
            told = {"recipient": name, "channel": channel, "messages": len(messages), "held": held}
            yield told | {"worst_10min": worst, "worst_from_s": from_s}

    def _signs(self) -> dict[str, int]:
        counted = Counter[str](sign for sign, _ in self._lines)
        return {word: counted[sign] for sign, word in _SIGNS.items()}

    def _name(self, one: "Sent") -> str:
        return self._names.get((one.channel, one.recipient), one.recipient)

    def _moment(self, at_s: float) -> str:
        return datetime.fromtimestamp(at_s, self._zone).strftime("%Y-%m-%d %H:%M")


def most_within(times_s: Sequence[float], window_s: float) -> tuple[int, float]:
    """The most of them in any window, both ends included, and when it begins."""
    ordered, most, first = sorted(times_s), (0, 0.0), 0
    for last, at_s in enumerate(ordered):
        while ordered[first] < at_s - window_s:
            first += 1
        if last - first + 1 > most[0]:
            most = last - first + 1, ordered[first]
    return most
