"""`kewang edge camera` as a person types it, against simulated cameras behind real RTSP."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kewang.bench.cameras_served import CamerasProgram, painted_cameras
from tests.cli.commands import kewang, told


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CamerasProgram]:
    """A market and a street, as clips: a busy machine could not paint all 5 frames a second."""
    folder = tmp_path_factory.mktemp("cameras")
    with painted_cameras(folder, 2, "--loop-s", "20", seed=1, hour=10.0, fps=5.0) as cameras:
        yield cameras


@pytest.fixture(scope="module")
def url(town: CamerasProgram) -> str:
    """Of a camera that is well."""
    return town.rtsp(0)


def test_probe_tells_all_that_is_measured(url: str, tmp_path: Path) -> None:
    picture = tmp_path / "seen.png"
    done = kewang("edge", "camera", "probe", url, "--json", "--picture", str(picture))
    found = told(done)
    assert done.returncode == 0, done.stderr
    assert (found["url"], found["codec"], found["width"], found["height"]) == (url, "h264", 640, 360)
    assert found["reason"] in ("none", "learning")
    assert found["metrics"]["fps"] == pytest.approx(5, abs=0.5)
    assert 0 < found["metrics"]["brightness_pct"] < 100
    assert found["picture"] == str(picture)
    assert picture.stat().st_mode & 0o777 == 0o600
    assert (found["suspected"], found["metrics"]["view_match"]) == (None, None)


def test_probe_looks_on_until_a_black_picture_is_certain(town: CamerasProgram) -> None:
    town.switch(1, "black")
    done = kewang("edge", "camera", "probe", town.rtsp(1), "--lang", "en")
    *_, state, reason, first_step = done.stdout.splitlines()
    assert (done.returncode, reason.split()) == (1, ["reason", "picture", "black"])
    assert "down" in state
    assert "lens cap" in first_step
    assert "suspected, not confirmed: picture black; looking on" in done.stderr


def test_a_picture_needs_a_folder_before_anybody_looks(tmp_path: Path) -> None:
    picture = tmp_path / "none" / "seen.png"
    done = kewang("edge", "camera", "probe", "rtsp://127.0.0.1:1/stream", "--picture", str(picture))
    assert done.returncode == 2
    assert f"there is no folder {picture.parent}: create it" in done.stderr


@pytest.mark.parametrize(("language", "words"), [("id", ("keadaan", "Gambar per detik")), ("en", ("state", "Frames"))])
def test_probe_speaks_to_people(url: str, language: str, words: tuple[str, str]) -> None:
    done = kewang("edge", "camera", "probe", url, "--lang", language)
    assert all(word in done.stdout for word in (url, *words))


def test_a_camera_that_is_not_there_is_told_with_the_first_step() -> None:
    done = kewang("edge", "camera", "probe", "rtsp://127.0.0.1:1/stream", "--lang", "en")
    assert done.returncode == 3
    assert "connection refused" in done.stdout
    assert "Check the port" in done.stdout.splitlines()[-1]
    assert "not measured" not in done.stdout
    assert "Frames per second" not in done.stdout


@pytest.mark.parametrize(
    ("words", "told_why"),
    [
        (["probe", "rtsp://admin:Rahasia7@127.0.0.1/s"], "password_file"),
        (["probe", "gopher://127.0.0.1/s"], "rtsp://"),
        (["probe", "rtsp://127.0.0.1/s", "--lang", "nl"], "id or en"),
        (["probe", "rtsp://127.0.0.1/s", "--kind", "film"], "mjpeg"),
        (["probe", "rtsp://127.0.0.1/s", "--password-file", "x"], "--user"),
        (["probe", "rtsp://127.0.0.1/s", "--user", "a", "--password-file", "x"], "No such file"),
        (["watch", "rtsp://admin:Rahasia7@127.0.0.1/s"], "password_file"),
        (["accept", "cam-1", "--config", "no-such.toml"], "No such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_words_end_with_the_way_out(words: list[str], told_why: str) -> None:
    done = kewang("edge", "camera", *words)
    assert done.returncode == 2
    assert told_why in done.stderr
    assert "Rahasia7" not in done.stdout + done.stderr


def test_a_source_that_is_no_camera_is_refused_by_name(tmp_path: Path) -> None:
    config = tmp_path / "edge.toml"
    config.write_text(
        'device = "kotak-1"\n[[sources]]\ndriver = "camera"\nname = "cam-1"\nurl = "rtsp://127.0.0.1:1/s"\n'
    )
    done = kewang("edge", "camera", "probe", "cam-2", "--config", str(config))
    assert done.returncode == 2
    assert "cam-1" in done.stderr
    assert kewang("edge", "camera", "probe", "cam-1", "--config", str(config)).returncode == 3


def test_accept_without_an_agent(tmp_path: Path) -> None:
    config = tmp_path / "edge.toml"
    config.write_text(f'device = "kotak-1"\n[outbox]\npath = {json.dumps(str(tmp_path / "outbox.db"))}\n')
    done = kewang("edge", "camera", "accept", "cam-1", "--config", str(config))
    assert done.returncode == 3
    assert "no agent answers" in done.stderr
