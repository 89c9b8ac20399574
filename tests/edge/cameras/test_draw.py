"""The key frame with its measures over it: blocks are marked where they are, and only its owner can read the file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.cameras.decode import decode
from edge.cameras.draw import drawn, save
from edge.cameras.picture import COLUMNS, Picture
from tests.edge.cameras.test_decode import keyframe

ORANGE, BLUE, RED, GREEN = (255, 165, 0), (90, 160, 255), (255, 60, 60), (120, 255, 120)
LEGEND = ("changed", "plain", "burnt")


def near(picture: Image.Image, colour: tuple[int, int, int], left: float, top: float, right: float, low: float) -> int:
    """Pixels of this colour in a part of the picture (shares of its size)."""
    wide, high = 1280, 720
    part = np.asarray(picture)[int(top * high) : int(low * high), int(left * wide) : int(right * wide)]
    return int((np.abs(part.astype(int) - colour).max(axis=2) < 12).sum())


def scene() -> Picture:
    return decode("h264", keyframe("h264")).picture


def test_blocks_are_marked_where_they_are() -> None:
    before, now = scene(), scene()
    now[80:100, 160:180] = 255 - now[80:100, 160:180]
    now[20:60, 220:260] = 255
    now[120:180, 20:100] = 100
    picture = drawn("h264", keyframe("h264"), [], LEGEND, now=now, before=before)
    assert picture.size == (1660, 720)
    assert near(picture, ORANGE, 160 / COLUMNS, 80 / 180, 180 / COLUMNS, 100 / 180) > 50
    assert near(picture, RED, 0.68, 0.11, 0.82, 0.34) > 50
    assert near(picture, BLUE, 0.07, 0.67, 0.31, 0.88) > 100
    untouched = (0.4, 0.6, 0.9, 0.9)
    assert near(picture, ORANGE, *untouched) + near(picture, RED, *untouched) == 0


def test_a_change_of_exposure_is_no_change_of_blocks() -> None:
    darker = (scene() * 0.7).astype(np.uint8)
    picture = drawn("h264", keyframe("h264"), [], LEGEND, now=scene(), before=darker)
    assert near(picture, ORANGE, 0, 0, 1, 1) == 0


def test_words_and_zones_are_on_it() -> None:
    bare = drawn("h264", keyframe("h264"), [], LEGEND, now=scene())
    zone = ((0.5, 0.5), (0.9, 0.5), (0.9, 0.8))
    told = drawn("h264", keyframe("h264"), ["keadaan: baik", "10 1/s"], LEGEND, now=scene(), zones=[zone])
    white, beside = (255, 255, 255), (1.0, 0.0, 1.3, 0.2)
    assert near(told, white, *beside) > near(bare, white, *beside) + 100
    assert near(told, GREEN, 0.5, 0.48, 0.9, 0.52) > 300
    assert near(bare, GREEN, 0, 0, 1, 1) == 0


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_only_its_owner_can_read_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch(0o644)
    save(Image.new("RGB", (64, 36)), path)
    assert path.stat().st_mode & 0o777 == 0o600
    with Image.open(path) as saved:
        assert saved.size == (64, 36)
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_file_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="png"):
        save(Image.new("RGB", (64, 36)), tmp_path / "a.text")
    assert list(tmp_path.iterdir()) == []
