"""Whoever touches the audit log is found out, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from provisioning.acts import devices
from provisioning.inventory import Actor, Audit, audit, head
from provisioning.inventory.verify import export_head, matches_export, verify
from provisioning.refusals import Refused
from tests.provisioning.town import ADA, OPI, Town, box


def lengthen(town: Town, count: int = 6) -> None:
    for number in range(count):
        with town.inventory.writing(OPI) as work:
            devices.add(work, box(f"amb-cam-a{number}"))


def tamper(town: Town, change: Callable[[Session], object]) -> None:
    """Write past the program, as somebody with the database's password would."""
    with Session(town.inventory.engine) as rows:
        change(rows)
        rows.commit()


def edit(rows: Session) -> None:
    rows.execute(text("UPDATE audit SET actor = 'somebody' WHERE number = 9"))


def edit_and_hash_again(rows: Session) -> None:
    row = rows.get(Audit, 9)
    assert row
    row.actor = "somebody"
    row.hash = audit.row_hash(row)


def delete(rows: Session) -> None:
    rows.execute(text("DELETE FROM audit WHERE number = 9"))


def insert(rows: Session) -> None:
    last = audit.last_row(rows)
    assert last
    for number in range(last.number, 8, -1):
        rows.execute(text("UPDATE audit SET number = number + 1 WHERE number = :n"), {"n": number})
    before = rows.get(Audit, 8)
    assert before
    row = Audit(number=9, time_ms=1, actor="opi", act="device.add", subject="x", detail="{}", previous=before.hash)
    row.hash = audit.row_hash(row)
    rows.add(row)


def swap(rows: Session) -> None:
    for old, new in ((9, 999), (10, 9), (999, 10)):
        rows.execute(text("UPDATE audit SET number = :new WHERE number = :old"), {"new": new, "old": old})


@pytest.mark.parametrize(
    ("change", "row"), [(edit, 9), (edit_and_hash_again, 10), (delete, 9), (insert, 10), (swap, 9)]
)
def test_a_row_that_was_touched_is_named(town: Town, change: Callable[[Session], None], row: int) -> None:
    lengthen(town)
    assert verify(town.inventory).ok
    tamper(town, change)
    verdict = verify(town.inventory)
    assert (verdict.ok, verdict.row) == (False, row)
    assert f"row {row}" in verdict.problem


@pytest.mark.parametrize("count", [1, 3])
def test_rows_cut_off_the_end_are_missed(town: Town, count: int) -> None:
    lengthen(town)
    tamper(
        town,
        lambda rows: rows.execute(text(f"DELETE FROM audit WHERE number > (SELECT max(number) - {count} FROM audit)")),
    )
    verdict = verify(town.inventory)
    assert not verdict.ok
    assert "cut off" in verdict.problem


def test_the_whole_log_gone_is_missed(town: Town) -> None:
    tamper(town, lambda rows: rows.execute(text("DELETE FROM audit")))
    assert not verify(town.inventory).ok


def test_rows_added_at_the_end_past_the_program_are_found(town: Town) -> None:
    def add(rows: Session) -> None:
        last = audit.last_row(rows)
        assert last
        row = Audit(number=last.number + 1, time_ms=1, actor="opi", act="x", subject="x", detail="{}")
        row.previous = last.hash
        row.hash = audit.row_hash(row)
        rows.add(row)

    tamper(town, add)
    assert not verify(town.inventory).ok


def test_work_goes_on_after_rows_were_cut_off_but_it_is_not_forgotten(town: Town) -> None:
    lengthen(town)
    tamper(town, lambda rows: rows.execute(text("DELETE FROM audit WHERE number > 8")))
    lengthen_more = box("amb-cam-later")
    with town.inventory.writing(OPI) as work:
        devices.add(work, lengthen_more)
    verdict = verify(town.inventory)
    assert not verdict.ok
    assert head.GAPS in verdict.problem
    [line] = head.read_gaps(town.inventory.folder)
    assert json.loads(line)["found"]["number"] == 8


def test_a_power_cut_between_announcing_and_keeping_is_no_tampering(town: Town) -> None:
    folder = town.inventory.folder
    with town.inventory.reading() as rows:
        last = audit.last_row(rows)
    assert last
    never_kept = Audit(number=last.number + 1, hash="f" * 64)
    head.announce(folder, last, never_kept)
    assert verify(town.inventory).ok
    lengthen(town, 1)
    assert verify(town.inventory).ok
    assert head.read_gaps(folder) == []


def test_a_damaged_head_file_is_told(town: Town) -> None:
    (town.inventory.folder / head.HEAD).write_text('{"head": {"num')
    assert not verify(town.inventory).ok


def test_a_head_exported_earlier_still_fits_or_not(town: Town, tmp_path: Path) -> None:
    exported = export_head(town.inventory, tmp_path / "elsewhere")
    lengthen(town)
    assert matches_export(town.inventory, exported)
    tamper(town, edit_and_hash_again)
    again = export_head(town.inventory, tmp_path / "later")
    assert matches_export(town.inventory, again)
    with town.inventory.reading() as rows:
        number = json.loads(exported.read_text())["number"]
        assert rows.get(Audit, number)
    tamper(town, lambda rows: rows.execute(text(f"UPDATE audit SET hash = '{'0' * 64}' WHERE number = {number}")))
    assert not matches_export(town.inventory, exported)


def test_refusals_of_one_actor_do_not_fill_the_log(town: Town) -> None:
    knocker = Actor.device("amb-cam-one")
    for _ in range(70):
        with pytest.raises(Refused), town.inventory.writing(knocker) as work:
            devices.request_seen(work, "amb-cam-one", "A" * 26)
    with town.inventory.reading() as rows:
        assert len(rows.scalars(select(Audit).where(Audit.actor == knocker.name)).all()) == 60
    assert verify(town.inventory).ok


def test_no_detail_can_break_a_row(town: Town) -> None:
    with town.inventory.writing(ADA) as work:
        audit.record(work, "test", "sub\x00ject\u202e\ud800", {"x": "\x00\ud800\u2028", "n": 1})
    assert verify(town.inventory).ok
