"""Is the audit log whole? Every row against its hash and the row before, the end against `audit.head`."""

import json
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from provisioning.files import PUBLIC, write_whole
from provisioning.inventory import audit, head
from provisioning.inventory.database import Inventory
from provisioning.inventory.people_tables import Audit


@dataclass(frozen=True)
class Verdict:
    """What was found. `row` is the first row that is wrong, None when all is well or only the end is."""

    ok: bool
    rows: int
    row: int | None = None
    problem: str = ""


def verify(inventory: Inventory) -> Verdict:
    """Read the whole log. An edited, deleted, inserted or swapped row is named; also rows missing at the end."""
    known = head.read_head(inventory.folder)
    with inventory.reading() as rows:
        return verify_rows(rows, inventory.folder, known)


def verify_rows(rows: Session, folder: Path, known: dict[str, head.Mark]) -> Verdict:
    """As `verify`, in a session that is open; `known` is the head file as it was read before."""
    count, last = 0, head.mark(None)
    previous = audit.FIRST
    in_order = select(Audit).order_by(Audit.number).execution_options(yield_per=1000)
    with closing(rows.scalars(in_order)) as found:
        for row in found:
            count += 1
            if problem := _problem(row, count, previous):
                return Verdict(False, count, count, problem)
            previous, last = row.hash, head.mark(row)
    if problem := _end_problem(folder, known, last):
        return Verdict(False, count, None, problem)
    return Verdict(True, count)


def export_head(inventory: Inventory, into: Path) -> Path:
    """Write the log's end as `audit-head-YYYY-MM-DD.json` into a folder that others keep (for `upkeep`, daily)."""
    with inventory.reading() as rows:
        end = head.mark(audit.last_row(rows))
    day = datetime.fromtimestamp(inventory.clock_ms() / 1000, UTC).strftime("%Y-%m-%d")
    into.mkdir(parents=True, exist_ok=True)
    path = into / f"audit-head-{day}.json"
    write_whole(path, f"{json.dumps(end)}\n".encode(), PUBLIC)
    return path


def matches_export(inventory: Inventory, exported: Path) -> bool:
    """Whether the row that an exported head names is in the log as it was then. Raises OSError, ValueError."""
    mark = json.loads(exported.read_text())
    if mark["number"] == 0:
        return True
    with inventory.reading() as rows:
        row = rows.get(Audit, mark["number"])
        return row is not None and row.hash == mark["hash"]


def _problem(row: Audit, expected: int, previous: str) -> str:
    if row.number != expected:
        return f"row {expected} is missing"
    if row.hash != audit.row_hash(row):
        return f"row {row.number} was changed"
    if row.previous != previous:
        return f"row {row.number} does not follow the row before it: rows were exchanged or put in"
    return ""


def _end_problem(folder: Path, known: dict[str, head.Mark], last: head.Mark) -> str:
    if gaps := head.read_gaps(folder):
        return f"the log did not go on where it had ended, {len(gaps)} times: see {folder / head.GAPS}"
    if last not in (known["head"], known["next"]):
        said = f"{folder / head.HEAD} says {known['head']['number']}"
        return f"the log ends with row {last['number']}, but {said}: rows were cut off or added"
    return ""
