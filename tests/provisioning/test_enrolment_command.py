"""Bundles on a stick, and the command line from a fresh box to its certificate, also when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.enrol import bundle, work
from edge.enrol.box import Box
from edge.enrol.errors import Refusing, Unusable
from edge.enrol.keys import BoxKey
from edge.enrolled import CHAIN, KEY, SOURCES
from kewang.bench.office import OfficeHouse
from kewang.bench.process import wait_for
from kewang.wire.enrolment import SignedBundle
from provisioning.devices.bundles import make_bundle
from tests.provisioning.boxes import DEVICE, Field, ShiftedClock
from tests.provisioning.enrolling import DAY_MS, check


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def stick(box: Field, house: OfficeHouse, clock: ShiftedClock) -> SignedBundle:
    key = box.registered().key
    made = make_bundle(house.office, house.authority, DEVICE, key.request(DEVICE), clock.now_ms)
    assert made is not None
    return made


def test_a_bundle_brings_certificate_and_sources_and_no_private_key(
    box: Field, house: OfficeHouse, stick: SignedBundle
) -> None:
    found = box.box()
    assert b"PRIVATE KEY" not in stick.encode()
    bundle.take(found, stick.encode(), house.ca_file.read_bytes(), None)
    check(found)
    with pytest.raises(Unusable, match="already"):
        bundle.take(found, stick.encode(), house.ca_file.read_bytes(), None)
    assert work.once(found, box.talk(found)).trouble == "", "the API takes it for what it is, when there is a way"


def test_a_bundle_for_a_box_that_nobody_approved_is_not_made(
    box: Field, house: OfficeHouse, clock: ShiftedClock
) -> None:
    key = box.registered(preapproved=False).key
    assert make_bundle(house.office, house.authority, DEVICE, key.request(DEVICE), clock.now_ms) is None


def test_a_bundle_that_is_not_for_this_box_or_not_from_the_office_is_refused(
    box: Field, house: OfficeHouse, stick: SignedBundle, tmp_path: Path, clock: ShiftedClock
) -> None:
    found, roots = box.box(), house.ca_file.read_bytes()
    other = Field(house, tmp_path / "other", "amb-cam-other").box()
    changed = stick.model_copy(update={"body": stick.body.replace('"port":8883', '"port":8884')})
    broker = (house.folder / "ca" / "broker.pem").read_text()
    tries: dict[str, tuple[Box, bytes, int | None]] = {
        "another box": (other, stick.encode(), None),
        "changed": (found, changed.encode(), None),
        "signed by a server": (found, stick.model_copy(update={"chain": broker}).encode(), None),
        "too old": (found, stick.encode(), clock.now_ms + 15 * DAY_MS),
        "no bundle": (found, b"{}", None),
        "garbage": (found, b"\x00" * 1000, None),
        "endless": (found, b" " * 700_000, None),
    }
    for name, (target, content, wall_ms) in tries.items():
        with pytest.raises(Unusable):
            bundle.take(target, content, roots, wall_ms)
            pytest.fail(f"{name} was taken")
        assert not target.identity.enrolled
    renamed = Field(house, tmp_path / "again", DEVICE).box()
    with pytest.raises(Unusable, match="another key"):
        bundle.take(renamed, stick.encode(), roots, None)
    bundle.take(found, stick.encode(), roots, None)


def settings_file(box: Field, folder: Path) -> Path:
    """An edge.toml for this box."""
    file = folder / "edge.toml"
    file.write_text(
        f'device = "{box.device}"\nclock = "trusted"\n[enrolment]\nurl = "{box.house.url}"\n'
        f'ca_file = "{box.house.ca_file}"\nfolder = "{box.folder}"\n[outbox]\npath = "{folder}/outbox.db"\n'
    )
    return file


def command(file: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "kewang", "edge", *words, "-c", str(file)]


def test_the_command_line_from_a_fresh_box_to_its_certificate(box: Field, house: OfficeHouse, tmp_path: Path) -> None:
    house.clock_ms.now_ms = time.time_ns() // 1_000_000  # type: ignore[attr-defined]
    file, table, png = settings_file(box, tmp_path), tmp_path / "boxes.csv", tmp_path / "label.png"
    words = ["identity", "--label", "--json", "--csv", str(table), "--png", str(png)]
    shown = subprocess.run(command(file, *words), capture_output=True, text=True, check=True)
    told = json.loads(shown.stdout.splitlines()[-1])
    assert table.read_text() == f"id,kind,fingerprint\n{DEVICE},cam,{told['fingerprint']}\n".replace(",cam,", ",box,")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert f"{DEVICE.upper()} {told['fingerprint'][:8]}" in shown.stdout
    refused = subprocess.run(command(file, "enrol", "--once", "--json"), capture_output=True, text=True, check=False)
    assert (refused.returncode, json.loads(refused.stdout)["code"]) == (1, "P-404")
    house.register(DEVICE, told["fingerprint"], preapproved=True)
    done = subprocess.run(command(file, "enrol"), capture_output=True, text=True, check=True)
    assert "active" in done.stdout
    check(box.box())
    key = (box.folder / KEY).read_text().splitlines()[1]
    assert all(key not in text for each in (shown, refused, done) for text in (each.stdout, each.stderr))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_while_it_enrols_again_and_again_it_gets_there(box: Field, house: OfficeHouse, tmp_path: Path) -> None:
    """kill -9 of the real process at moments spread over its whole life."""
    house.clock_ms.now_ms = time.time_ns() // 1_000_000  # type: ignore[attr-defined]
    file = settings_file(box, tmp_path)
    found = box.box()
    house.register(DEVICE, found.key.fingerprint, preapproved=True)
    marks = ["id", KEY, "next", f"next/{CHAIN}", "next/state.json", CHAIN, "state.json", SOURCES]
    for mark in marks:
        for name in ("next", "ready"):
            assert not (box.folder / name).is_dir() or list((box.folder / name).iterdir()) is not None
        process = subprocess.Popen(
            command(file, "enrol", "--once"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_for(lambda mark=mark, process=process: (box.folder / mark).exists() or process.poll() is not None, 60)  # type: ignore[misc]
        finally:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.wait()
    again = box.box()
    assert again.key.fingerprint == found.key.fingerprint
    assert work.once(again, box.talk(again)).trouble == ""
    check(again)


def test_the_office_away_is_told_with_what_to_look_at(box: Field, house: OfficeHouse) -> None:
    found = box.enrolled()
    house.stop()
    report = work.once(found, box.talk(found))
    assert "check the cable or SIM" in report.trouble
    assert report.state == "active"
    check(found)


def test_refusals_and_keys_stay_out_of_each_others_way(box: Field) -> None:
    found = box.registered(preapproved=False)
    with pytest.raises(Refusing) as refused, box.talk(found)() as office:
        office.renew(DEVICE, BoxKey.new(), BoxKey.new().request(DEVICE))
    assert refused.value.code == "P-SIG"
