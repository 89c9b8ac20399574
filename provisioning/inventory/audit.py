"""The audit log: a chain of rows, each hashed together with the hash before it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kewang.wire.errors import printable
from provisioning.inventory.people_tables import Audit
from provisioning.inventory.work import Doing, Work
from provisioning.refusals import Refused

FIRST: Final = "0" * 64
"""What the first row has for the hash before it."""
HOUR_MS: Final = 3_600_000
REFUSED: Final = ":refused"
"""Ends the act of a row about something that was not done."""
_LAST: Final = "audit_last"


def canonical(value: Any) -> str:
    """`value` as the one JSON text that is hashed: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def row_hash(row: Audit) -> str:
    """SHA-256 over everything in `row` but its hash, as hex."""
    said = [row.number, row.time_ms, row.actor, row.act, row.subject, row.detail, row.previous]
    return hashlib.sha256(canonical(said).encode()).hexdigest()


def record(work: Work, act: str, subject: str, detail: Mapping[str, Any] | None = None) -> Audit:
    """The one row that an act leaves: `act` (`device.approve`) on `subject`. No secret belongs into `detail`."""
    before = last_row(work.rows)
    row = Audit(
        number=before.number + 1 if before else 1,
        time_ms=work.now_ms,
        actor=work.actor.name,
        act=act,
        subject=printable(subject, 64),
        detail=canonical(detail or {}),
        previous=before.hash if before else FIRST,
    )
    row.hash = row_hash(row)
    work.rows.add(row)
    work.rows.flush()
    work.rows.info.setdefault(_LAST, (before, row))
    work.rows.info[_LAST] = (work.rows.info[_LAST][0], row)
    return row


def record_refusal(work: Work, refused: Refused, doing: Doing, an_hour: int) -> None:
    """A row that says what was refused; none if `an_hour` of this actor were written within the last hour."""
    lately = select(func.count()).where(
        Audit.actor == work.actor.name, Audit.time_ms > work.now_ms - HOUR_MS, Audit.act.endswith(REFUSED)
    )
    if (work.rows.scalar(lately) or 0) < an_hour:
        detail = {"code": refused.code, "kind": refused.kind, "values": {k: str(v) for k, v in refused.values.items()}}
        record(work, doing.get("act", "?") + REFUSED, doing.get("subject", "?"), detail)


def last_row(rows: Session) -> Audit | None:
    """The newest row."""
    return rows.scalars(select(Audit).order_by(Audit.number.desc()).limit(1)).first()


def recorded(rows: Session) -> tuple[Audit | None, Audit] | None:
    """The row before what this session recorded, and the last it recorded; None if it recorded nothing."""
    found: tuple[Audit | None, Audit] | None = rows.info.get(_LAST)
    return found
