"""CSV files in and out, backups, and what disks and power cuts do."""

from __future__ import annotations

import csv
import io
import json
import tarfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from provisioning.acts import csv_files, devices, exporting, importing, sites, sources, tasks, visits
from provisioning.acts.importing import ImportRefused
from provisioning.backup import backup, restore
from provisioning.inventory import Actor, Device, Inventory, InventoryError, Site, Source, Work, open_inventory
from provisioning.inventory.placements import placements
from provisioning.inventory.verify import verify
from provisioning.keys import seal_key
from provisioning.refusals import Refused
from tests.provisioning.databases import Databases
from tests.provisioning.town import ADA, HOUR_MS, OPI, RUDI, SITI, Town, box, fingerprint, new_uuid

ONE = "amb-cam-one"
WIT = ZoneInfo("Asia/Jayapura")


def devices_file(count: int, bad: int = 0, delimiter: str = ";", bom: str = "") -> bytes:
    """`count` boxes, the last `bad` of them each with a serial number that is too long."""
    lines = [delimiter.join(("device_id", "model", "serial", "spki", "site", "kind"))]
    for number in range(count):
        serial = "s" * 65 if number >= count - bad else f"S{number}"
        lines.append(
            delimiter.join((f"imp-cam-{number}", "M1", serial, fingerprint(f"imp{number}"), "mardika", "camera"))
        )
    return (bom + "\r\n".join(lines) + "\r\n").encode()


def device_count(town: Town) -> int:
    with town.inventory.reading() as rows:
        return rows.scalar(select(func.count()).select_from(Device)) or 0


def test_a_thousand_rows_with_twenty_bad_ones(town: Town) -> None:
    before = device_count(town)
    began_s = time.monotonic()
    with pytest.raises(ImportRefused) as caught, town.inventory.writing(OPI) as work:
        importing.import_csv(work, "devices", devices_file(1000, bad=20))
    print(f"1,000 rows, 20 bad: {time.monotonic() - began_s:.2f} s")
    problems = caught.value.report.problems
    assert [problem.line for problem in problems] == list(range(982, 1002))
    assert {problem.column for problem in problems} == {"serial"}
    assert problems[0].said("id").startswith("baris 982, kolom serial: nomor seri terlalu panjang")
    assert problems[0].said("en").startswith("line 982, column serial: serial number is too long")
    assert device_count(town) == before


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_a_good_file_is_imported_whole_with_one_audit_row(town: Town, delimiter: str, bom: str) -> None:
    before = device_count(town)
    with town.inventory.writing(OPI) as work:
        report = importing.import_csv(work, "devices", devices_file(50, delimiter=delimiter, bom=bom))
    assert (report.count, device_count(town)) == (50, before + 50)
    with town.inventory.reading() as rows:
        row = rows.get(Device, "imp-cam-7")
        assert row
        assert (row.state, row.serial, row.site, row.kind) == ("new", "S7", "mardika", "camera")


def test_a_dry_run_changes_nothing(town: Town) -> None:
    before = device_count(town)
    with town.inventory.reading() as rows:
        report = importing.examine(rows, "devices", devices_file(10))
    assert (report.count, report.problems, device_count(town)) == (10, [], before)


def test_indonesian_headers_decimal_commas_and_quoted_lines(town: Town) -> None:
    data = (
        "\ufeffid_lokasi;nama lokasi;Lintang;Bujur;Jaringan;Penyulang;Sambungan;Kecamatan\r\n"
        'tulehu;"Pelabuhan ""Tulehu""";-3,5901;128,3315;isp-2;feeder-3;seluler;salahutu\r\n'
        "\r\n"
    ).encode()
    with town.inventory.writing(OPI) as work:
        importing.import_csv(work, "sites", data)
    with town.inventory.reading() as rows:
        site = rows.get(Site, "tulehu")
        assert site
        assert (site.name, site.lat, site.lon, site.link) == ('Pelabuhan "Tulehu"', -3.5901, 128.3315, "cellular")
    boxes = f'alat,sidik jari,catatan,disetujui,lokasi\n{"imp-a"},{fingerprint("a")},"two\nlines",ya,tulehu\nX,,,,\n'
    with town.inventory.reading() as rows:
        report = importing.examine(rows, "devices", boxes.encode())
    assert report.rows[0]["note"] == "two\nlines"
    assert report.rows[0]["preapproved"] is True
    assert [(problem.line, problem.column) for problem in report.problems] == [(4, "id"), (4, "fingerprint")]


@pytest.mark.parametrize(
    ("rows", "line", "column"),
    [
        (["amb-cam-one,{a}"], 2, "id"),  # in the list
        (["imp-a,{one}"], 2, "id"),  # a key in the list
        (["imp-a,{a}", "imp-a,{b}"], 3, "id"),
        (["imp-a,{a}", "imp-b,{a}"], 3, "fingerprint"),
        (["gateway,{a}"], 2, "id"),
        (["amb-cam-7k3f9p,{a}"], 2, "id"),  # a made id whose check does not fit
        (["imp-a,{a},nowhere"], 2, "site"),
        (["imp-a,{a},mardika,perhaps"], 2, "preapproved"),
        (["imp-a,{a},,yes"], 2, "preapproved"),
        (["imp-a,{a},,,surplus"], 2, ""),
        (["=1+1,{a}"], 2, "id"),
        (["imp-a,lower case words"], 2, "fingerprint"),
    ],
)
def test_rows_that_are_wrong(town: Town, rows: list[str], line: int, column: str) -> None:
    known = {"a": fingerprint("a"), "b": fingerprint("b"), "one": fingerprint(ONE)}
    data = "\n".join(["id,fingerprint,site,preapproved", *(row.format(**known) for row in rows)])
    with town.inventory.reading() as session:
        report = importing.examine(session, "devices", data.encode())
    assert [(problem.line, problem.column) for problem in report.problems] == [(line, column)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "P-400"),
        (b"\xff\xfe\x00", "P-400"),
        ("nama\xe9".encode("latin-1"), "P-400"),
        (b'id,fingerprint\n"never closed,x\n', "P-400"),
        (b"id,fingerprint\n" + b"x" * 200_000 + b",y\n", "P-400"),
        (b"x" * (csv_files.LIMIT_BYTES + 1), "P-413"),
        (b"a;b\n" * 100_002, "P-413"),
    ],
)
def test_what_is_no_file_of_ours(town: Town, data: bytes, code: str) -> None:
    with pytest.raises(Refused) as caught, town.inventory.reading() as rows:
        importing.examine(rows, "devices", data)
    assert caught.value.code == code
    assert caught.value.said("id") != caught.value.said("en")


@pytest.mark.parametrize("header", ["id", "id,fingerprint,colour", "id,id,fingerprint", "<script>,fingerprint,id"])
def test_headers_that_are_wrong(town: Town, header: str) -> None:
    with town.inventory.reading() as rows:
        report = importing.examine(rows, "devices", f"{header}\nx,y,z\n".encode())
    assert [problem.line for problem in report.problems] == [1]


def test_an_export_comes_back_as_it_was(town: Town) -> None:
    with town.inventory.writing(OPI) as work:
        devices.describe(work, ONE, note="=SUM(A1)")
        text = exporting.inventory_csv(work, "id", WIT)
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))
    [mine] = [row for row in rows if row["id alat"] == ONE]
    assert mine["catatan"] == "'=SUM(A1)"
    assert csv_files.plain(mine["catatan"]) == "=SUM(A1)"
    with pytest.raises(Refused, match="P-403"), town.inventory.writing(RUDI) as work:
        exporting.inventory_csv(work, "id", WIT)


def test_the_work_of_technicians(town: Town) -> None:
    from_ms = town.clock()
    town.installed(ONE)
    for actor, kind, result in ((RUDI, "install", "green"), (RUDI, "check", "amber"), (SITI, "check", "red")):
        visit = new_uuid()
        with town.inventory.writing(actor) as work:
            visits.start(work, visit, ONE, kind)  # type: ignore[arg-type]
            visits.finish(work, visit, result, reason="because")  # type: ignore[arg-type]
    for hours in (2, 4, 9):
        with town.inventory.writing(OPI) as work:
            task = tasks.assign(work, "dark", device=ONE).id
        town.clock.tick(hours * HOUR_MS)
        with town.inventory.writing(RUDI) as work:
            tasks.done(work, task)
    town.clock.tick()
    with town.inventory.reading() as rows:
        done = {one.person: one for one in exporting.work_done(rows, from_ms, town.clock())}
        assert {one.installs for one in exporting.work_done(rows, 0, from_ms)} == {0}
    assert sorted(done) == ["rudi", "siti", "tono"]
    assert (done["rudi"].installs, done["rudi"].checks, done["rudi"].repairs, done["rudi"].repair_h) == (1, 1, 3, 4.0)
    assert (done["siti"].checks, done["siti"].unfinished, done["siti"].repair_h) == (0, 1, None)
    with town.inventory.writing(OPI) as work:
        text = exporting.work_csv(work, from_ms, town.clock(), "id")
        log = exporting.audit_csv(work, from_ms, town.clock(), "en", WIT)
    assert text.splitlines()[1] == "rudi;Rudi;1;0;0;0;1;0;3;4.0"
    assert "visit.finish" in log


def furnish(town: Town) -> None:
    """A device with a sealed secret, a photo, and a root's key that no backup may hold."""
    town.installed(ONE)
    with town.inventory.writing(RUDI) as work:
        sources.put(work, ONE, sources.NewSource("cam-1", "camera", {"tls": {"on": True}}, {"password": "s3cret"}))
    (town.inventory.folder / "photos").mkdir()
    (town.inventory.folder / "photos" / ("ab" * 32)).write_bytes(b"jpeg")
    (town.inventory.folder / "offline").mkdir()
    (town.inventory.folder / "offline" / "device-root.key").write_text("never in a backup")


@pytest.mark.parametrize("to", ["sqlite", "postgresql"])
def test_a_backup_comes_back_on_either_database(town: Town, to: str, databases: Databases, tmp_path: Path) -> None:
    furnish(town)
    backup(town.inventory, ADA, tmp_path / "b.tar")
    assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600
    assert b"never in a backup" not in (tmp_path / "b.tar").read_bytes()
    with databases.one() as empty:
        new = tmp_path / "restored"
        url = f"sqlite:///{new}/inventory.db" if to == "sqlite" else empty
        restore(tmp_path / "b.tar", url, new)
        back = open_inventory(url, new, town.clock)
        try:
            assert verify(back).ok
            assert placements(back) == placements(town.inventory)
            assert (new / "photos" / ("ab" * 32)).read_bytes() == b"jpeg"
            with back.reading() as rows:
                assert sources.opened(rows, ONE, seal_key(new))[0].secrets == {"password": "s3cret"}
            restored = Town(back, town.clock)
            restored.installed("amb-cam-two")
            with back.writing(RUDI) as work:
                devices.move(work, "amb-cam-two", "batumerah")
            assert verify(back).ok
        finally:
            back.close()


@dataclass
class Expiring:
    """The inventory, of which a photo's time ends as soon as its lock is free."""

    inventory: Inventory
    photo: Path

    @contextmanager
    def writing(self, actor: Actor) -> Iterator[Work]:
        with self.inventory.writing(actor) as work:
            yield work
        self.photo.unlink()


def test_photos_are_copied_piece_by_piece_and_keep_nobody_from_working(town: Town, tmp_path: Path) -> None:
    furnish(town)
    photos = town.inventory.folder / "photos"
    for name in ("cd" * 32, "ef" * 32):
        (photos / name).write_bytes(bytes(30_000_000))
    tracemalloc.start()
    try:
        backup(cast(Inventory, Expiring(town.inventory, photos / ("ef" * 32))), ADA, tmp_path / "b.tar")
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 10_000_000
    new = tmp_path / "restored"
    restore(tmp_path / "b.tar", f"sqlite:///{new}/inventory.db", new)
    assert sorted(path.name[:2] for path in (new / "photos").iterdir()) == ["ab", "cd"]


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flip(data: bytes) -> bytes:
    at = data.index(b'["device"')
    return data[: at + 20] + bytes([data[at + 20] ^ 1]) + data[at + 21 :]


@pytest.mark.parametrize("spoil", [_cut, _flip, lambda data: b"", lambda data: b"not a tar" * 1000])
def test_a_backup_that_is_damaged_leaves_nothing(
    sqlite_town: Callable[[], Town], spoil: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    town = sqlite_town()
    backup(town.inventory, ADA, tmp_path / "b.tar")
    (tmp_path / "bad.tar").write_bytes(spoil((tmp_path / "b.tar").read_bytes()))
    before = sorted(tmp_path.iterdir())
    new = tmp_path / "restored"
    with pytest.raises(InventoryError, match="backup"):
        restore(tmp_path / "bad.tar", f"sqlite:///{new}/inventory.db", new)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["state/../../evil", "/etc/evil", "../evil", "elsewhere/x"])
def test_a_backup_can_not_write_outside_of_its_folder(name: str, tmp_path: Path) -> None:
    manifest = {"format": 1, "made_ms": 0, "tables": "0001", "files": {"rows.jsonl": "0" * 64, name: "0" * 64}}
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        for member, data in (("manifest.json", json.dumps(manifest).encode()), ("rows.jsonl", b""), (name, b"evil")):
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    with pytest.raises(InventoryError):
        restore(tmp_path / "evil.tar", f"sqlite:///{tmp_path}/new/inventory.db", tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["evil.tar"]


def test_a_backup_goes_only_into_empty_places(town: Town, tmp_path: Path) -> None:
    backup(town.inventory, ADA, tmp_path / "b.tar")
    with pytest.raises(InventoryError, match="not empty"):
        restore(tmp_path / "b.tar", f"sqlite:///{tmp_path}/x.db", town.inventory.folder)
    with pytest.raises(InventoryError, match="holds an inventory already"):
        restore(tmp_path / "b.tar", town.inventory.engine.url.render_as_string(hide_password=False), tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(FileExistsError):
        backup(town.inventory, ADA, tmp_path / "b.tar")
    with pytest.raises(Refused, match="P-403"):
        backup(town.inventory, OPI, tmp_path / "c.tar")
    assert not list(tmp_path.glob("c.tar*"))
    assert device_count(town) == 4
    assert verify(town.inventory).ok


def test_imported_sites_and_devices_go_on_by_acts(town: Town) -> None:
    with town.inventory.writing(OPI) as work:
        sites.put(work, sites.NewSite("x", "X", district="sirimau"))
        devices.add(work, box("imp-box"))
    with town.inventory.writing(Actor.device("imp-box")) as work:
        assert devices.request_seen(work, "imp-box", fingerprint("imp-box")).state == "pending"
    with town.inventory.reading() as rows:
        assert rows.scalars(select(Source)).all() == []
