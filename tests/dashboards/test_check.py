"""`kewang dashboards check`: every query on a database that the production code filled, and it can fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from kewang.bench.boards_ask import Answer, Asked
from kewang.bench.boards_check import Plan, checked, seeded
from tests.cli.commands import kewang


def test_a_measurement_that_is_gone_is_named_with_its_panels_and_all_others_show_something() -> None:
    found = seeded(Plan(devices=60, hours=2, drop="delivery"), lambda _: None)
    missing = [one.where for one in found.asked if not one.answer.values]
    assert missing == [
        "kewang-platform-en 'Delivery by channel'",
        "kewang-platform-en 'Notices waiting'",
        "kewang-platform-id 'Pengiriman per saluran'",
        "kewang-platform-id 'Pemberitahuan menunggu'",
    ]
    figures = found.figures()
    assert (figures["empty"], figures["schema_errors"], figures["lint_errors"]) == (4, 0, 0)
    assert len(figures) == 14
    assert figures["queries"] == len(found.asked) > 300
    assert all(where in "\n".join(found.failed()) for where in missing)


def test_a_slow_query_of_a_wall_and_a_bad_one_are_told() -> None:
    found = checked("Asia/Jayapura")
    answers = [(True, Answer(1, 301.0)), (False, Answer(1, 301.0)), (False, Answer(0, 0.0, "no such thing"))]
    found.asked = [Asked("kewang-x-id", f"P{at}", "SELECT", wall, one) for at, (wall, one) in enumerate(answers)]
    slow, bad = found.failed()
    assert "'P0' takes 301 ms" in slow
    assert "no such thing" in bad
    assert found.figures()["slow"] == 1


def test_sigterm_leaves_no_database_and_no_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kewang", "dashboards", "check", "--devices", "60"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment) as process:
        assert process.stderr is not None
        assert b"filling" in process.stderr.readline()
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode not in (0, 1)
    assert not [child for child in children if child.is_running()]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--drop", "cpu"], 2, "no board reads it"),
        (["--user", "ani"], 2, "go with --influx"),
        (["--drop", "gw", "--influx", "http://127.0.0.1:9/kewang"], 2, "goes without --influx"),
        (["--influx", "localhost"], 2, "is no address of an InfluxDB"),
        (["--influx", "http://127.0.0.1:9/kewang"], 3, "does not answer"),
    ],
)
def test_check_says_what_is_wrong(words: list[str], code: int, said: str) -> None:
    done = kewang("dashboards", "check", *words)
    assert done.returncode == code
    assert said in done.stderr
