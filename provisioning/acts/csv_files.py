"""CSV files as offices write them: read with their quirks, and written so that no cell becomes a formula."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from provisioning.refusals import Refused

LIMIT_BYTES: Final = 5_000_000
LIMIT_ROWS: Final = 100_000
_DELIMITERS: Final = (";", ",", "\t")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "|", "%")
"""A cell that begins with one of these may be run by a spreadsheet."""
BOM: Final = "\ufeff"


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class Line:
    """One row of a file. `number` is the line it begins on, 1 for the first of the file."""

    number: int
    cells: list[str]


def read(data: bytes) -> list[Line]:
    """The rows that are not empty, the header first. Raises Refused P-400 or P-413 for what is no CSV file of ours."""
    if len(data) > LIMIT_BYTES:
        raise _too_big()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(
            "P-400",
            "file",
            _("This file is not UTF-8 text."),
            _("In Excel choose 'CSV UTF-8' when you save it."),
        ) from None
    lines = list(_lines(text))
    if len(lines) > LIMIT_ROWS + 1:
        raise _too_big()
    if not lines:
        raise Refused("P-400", "file", _("This file is empty."), _("Choose another file."))
    return lines


def write(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A file that Excel opens as a table in both languages: BOM, `;`, CRLF; formulas made harmless by a `'`."""
    out = io.StringIO()
    out.write(BOM)
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow([harmless(cell) for cell in header])
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return out.getvalue()


def harmless(cell: object) -> object:
    """`cell` as a spreadsheet shows it and does not run it. Numbers stay numbers."""
    if not isinstance(cell, str):
        return "" if cell is None else cell
    return "'" + cell if cell.lstrip().startswith(_FORMULA) or cell.startswith(_FORMULA) else cell


def plain(cell: str) -> str:
    """The cell as it was before `harmless`, without blanks around it."""
    cell = cell.strip()
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip().startswith(_FORMULA) else cell


def _lines(text: str) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    begins = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield Line(begins, [plain(cell) for cell in cells])
            begins = reader.line_num + 1
    except csv.Error:
        raise Refused(
            "P-400",
            "file",
            _("The file can't be read from line %(line)s on: a quotation mark is not closed, or a cell is endless."),
            _("Open it in a spreadsheet and save it again as CSV."),
            line=begins,
        ) from None


def _delimiter(text: str) -> str:
    """The one that stands most often in the first line that holds anything."""
    first = next((line for line in text.splitlines() if line.strip(" ;,\t")), "")
    return max(_DELIMITERS, key=first.count)


def _too_big() -> Refused:
    return Refused(
        "P-413",
        "file",
        _("This file is too big: at most %(megabytes)s MB and %(rows)s rows."),
        _("Split it into several files."),
        megabytes=LIMIT_BYTES // 1_000_000,
        rows=LIMIT_ROWS,
    )
