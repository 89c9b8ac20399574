"""Devices and sites from a CSV file: looked through first, then all of it or nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, Final, Literal

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from kewang.ui.words import Language, words
from provisioning.acts import csv_files, fields
from provisioning.acts.csv_files import Line
from provisioning.acts.rights import must
from provisioning.acts.sites import NewSite, write_row
from provisioning.inventory import Device, Site, Work
from provisioning.inventory.audit import record
from provisioning.refusals import Refused, unknown

What = Literal["devices", "sites"]
PROBLEMS_LIMIT: Final = 1000
"""Problems that are told of one file, at most."""
_YES: Final = frozenset({"yes", "ya", "y", "true", "1", "x", "benar"})
_NO: Final = frozenset({"no", "tidak", "n", "false", "0", "", "salah"})
_LINKS: Final = {"wired": "wired", "kabel": "wired", "": "wired", "cellular": "cellular", "seluler": "cellular"}


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class Problem:
    """What is wrong on a line (1 is the first of the file), in a column as the file calls it ("": the whole line)."""

    line: int
    column: str
    refused: Refused

    def said(self, language: Language, zone: tzinfo = UTC) -> str:
        """As one sentence."""
        known = words(language)
        where = _("line %(line)s, column %(column)s: %(what)s") if self.column else _("line %(line)s: %(what)s")
        values = {"line": self.line, "column": self.column, "what": self.refused.said(language, zone)}
        return known.gettext(where) % values


@dataclass
class Report:
    """What a file would bring: `count` rows that are well, and every problem."""

    what: What
    count: int = 0
    problems: list[Problem] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list, repr=False)


class ImportRefused(Refused):
    """P-400: the file has problems; nothing was imported."""

    def __init__(self, report: Report) -> None:
        super().__init__(
            "P-400",
            "import",
            _("The file has %(problems)s problems; nothing was imported."),
            _("Correct them, then import it again."),
            problems=len(report.problems),
        )
        self.report = report


def examine(rows: Session, what: What, data: bytes) -> Report:
    """Look through a file without changing anything (dry run). Raises Refused for what is no CSV file of ours."""
    lines = csv_files.read(data)
    report = Report(what)
    columns = _columns(lines[0], what, report)
    if report.problems:
        return report
    judge = _Judge(rows, what)
    for line in lines[1:]:
        found = judge.row(line, columns, report)
        if len(report.problems) >= PROBLEMS_LIMIT:
            break
        if found is not None:
            report.rows.append(found)
    report.count = len(report.rows)
    return report


def import_csv(work: Work, what: What, data: bytes) -> Report:
    """Import a file: every row, or none (ImportRefused, which holds the report). One audit row for the file."""
    must(work, "inventory.import", what)
    report = examine(work.rows, what, data)
    if report.problems:
        raise ImportRefused(report)
    if what == "sites":
        for row in report.rows:
            write_row(work, NewSite(**row))
    elif report.rows:
        stamp = {"state": "new", "state_by": work.actor.name} | dict.fromkeys(
            ("state_ms", "created_ms", "changed_ms"), work.now_ms
        )
        work.rows.execute(insert(Device), [row | stamp for row in report.rows])
    record(work, "inventory.import", what, {"count": report.count})
    return report


class _Judge:
    """Looks at row after row, and remembers what the inventory and the rows before hold."""

    def __init__(self, rows: Session, what: What) -> None:
        self._what = what
        self._parsers = _DEVICE if what == "devices" else _SITE
        self._sites = set(rows.scalars(select(Site.id)))
        self._listed = {} if what == "sites" else {row[0]: row[1] for row in rows.execute(_KEYS)}
        self._keys = {key: id_ for id_, key in self._listed.items()}
        self._lines: dict[str, int] = {}

    def row(self, line: Line, columns: list[str], report: Report) -> dict[str, Any] | None:
        """The row's values by field; None, and problems in the report, if it is not well."""
        before = len(report.problems)
        cells = dict(zip((name for name in columns if name), self._kept(line, columns, report), strict=False))
        values: dict[str, Any] = {}
        for name, parse in self._parsers.items():
            try:
                values[name] = parse(cells.get(name, ""))
            except Refused as refused:
                report.problems.append(Problem(line.number, name, refused))
        if len(report.problems) == before:
            self._together(line, values, report)
        return values if len(report.problems) == before else None

    @staticmethod
    def _kept(line: Line, columns: list[str], report: Report) -> list[str]:
        """The cells under a header. Cells without one must be empty."""
        if any(cell and not (columns[at : at + 1] or [""])[0] for at, cell in enumerate(line.cells)):
            many = Refused("P-400", "cells", _("More cells than the header has columns."), _("Are the quotes right?"))
            report.problems.append(Problem(line.number, "", many))
        padded = line.cells + [""] * (len(columns) - len(line.cells))
        return [cell for cell, name in zip(padded, columns, strict=False) if name]

    def _together(self, line: Line, values: dict[str, Any], report: Report) -> None:
        """What no field shows alone: the same thing twice, a site that is not there, both coordinates or none."""

        def problem(column: str, refused: Refused) -> None:
            report.problems.append(Problem(line.number, column, refused))

        for name in ("id",) if self._what == "sites" else ("id", "fingerprint"):
            first = self._lines.setdefault(values[name], line.number)
            if first != line.number:
                problem(name, Refused("P-409", "twice", _("The same is on line %(first)s already."), first=first))
        if self._what == "sites":
            if (values["lat"] is None) != (values["lon"] is None):
                problem("lat", fields.refuse("lat", _("Latitude and longitude must be given together.")))
            return
        there = values["id"] if values["id"] in self._listed else self._keys.get(values["fingerprint"])
        if there:
            problem("id", Refused("P-409", "listed", _("It is in the list already, as %(there)s."), there=there))
        if values["site"] and values["site"] not in self._sites:
            problem("site", unknown(_("site"), values["site"]))
        if values["preapproved"] and not values["site"]:
            problem("preapproved", fields.refuse("preapproved", _("A preapproved device needs a site.")))


def _columns(header: Line, what: What, report: Report) -> list[str]:
    """The fields under each other's names in the header, "" for a column without a name."""
    names = _DEVICE_NAMES if what == "devices" else _SITE_NAMES
    found: list[str] = []
    for cell in header.cells:
        word = " ".join(cell.lower().replace("_", " ").split())
        known = next((name for name, spelled in names.items() if word in spelled), "")
        if word and not known:
            unknown_one = Refused(
                "P-400", "column", _("This column is not known."), _("Known are: %(names)s."), names=", ".join(names)
            )
            report.problems.append(Problem(header.number, cell[:64], unknown_one))
        elif known and known in found:
            twice = Refused("P-400", "column", _("This column is there twice."))
            report.problems.append(Problem(header.number, cell[:64], twice))
        found.append(known)
    for name in _NEEDED[what]:
        if name not in found:
            missing = Refused("P-400", "column", _("This column is missing."))
            report.problems.append(Problem(header.number, name, missing))
    return found


def _number(name: str, limit: int) -> Callable[[str], float | None]:
    """Degrees, with a decimal point or comma; None for an empty cell."""

    def parse(cell: str) -> float | None:
        text = cell.replace("\u2212", "-").replace(",", ".", 1) if cell.count(",") == 1 and "." not in cell else cell
        try:
            value = float(text) if text and "_" not in text else None
        except ValueError:
            value = float("nan")
        return fields.degrees(name, float("nan") if text and value is None else value, limit)

    return parse


def _yes_or_no(cell: str) -> bool:
    if cell.lower() in _YES | _NO:
        return cell.lower() in _YES
    raise fields.refuse("preapproved", _("%(field_word)s must be one of: %(choices)s."), choices="yes, no, ya, tidak")


def _link(cell: str) -> str:
    return _LINKS.get(cell.lower()) or fields.one_of("link", cell, ("wired", "cellular", "kabel", "seluler"))


_KEYS: Final = select(Device.id, Device.fingerprint)
_DEVICE: Final[Mapping[str, Callable[[str], Any]]] = {
    "id": lambda cell: fields.new_device(cell.lower()),
    "kind": lambda cell: fields.slug("kind", cell.lower() or "sensor"),
    "fingerprint": fields.fingerprint,
    "model": lambda cell: fields.text("model", cell, 64),
    "serial": lambda cell: fields.text("serial", cell, 64),
    "site": lambda cell: fields.optional_slug("site", cell),
    "preapproved": _yes_or_no,
    "note": lambda cell: fields.text("note", cell, 500, lines=True),
}
_SITE: Final[Mapping[str, Callable[[str], Any]]] = {
    "id": lambda cell: fields.slug("site", cell),
    "name": lambda cell: fields.text("name", cell, 64, least=1),
    "lat": _number("lat", 90),
    "lon": _number("lon", 180),
    "uplink": lambda cell: fields.optional_slug("uplink", cell),
    "feeder": lambda cell: fields.optional_slug("feeder", cell),
    "link": _link,
    "district": lambda cell: fields.optional_slug("district", cell),
}
_DEVICE_NAMES: Final = {
    "id": ("id", "device", "device id", "alat", "id alat", "perangkat", "id perangkat"),
    "kind": ("kind", "jenis"),
    "fingerprint": ("fingerprint", "spki", "sidik", "sidik jari", "sidik kunci"),
    "model": ("model", "tipe"),
    "serial": ("serial", "serial number", "nomor seri", "no seri"),
    "site": ("site", "site id", "lokasi", "id lokasi"),
    "preapproved": ("preapproved", "disetujui", "sudah disetujui"),
    "note": ("note", "catatan", "keterangan"),
}
_SITE_NAMES: Final = {
    "id": ("id", "site", "site id", "lokasi", "id lokasi"),
    "name": ("name", "nama", "nama lokasi"),
    "lat": ("lat", "latitude", "lintang"),
    "lon": ("lon", "lng", "longitude", "bujur"),
    "uplink": ("uplink", "jaringan"),
    "feeder": ("feeder", "penyulang"),
    "link": ("link", "sambungan"),
    "district": ("district", "kecamatan"),
}
_NEEDED: Final = {"devices": ("id", "fingerprint"), "sites": ("id", "name")}
