"""What was learned of a camera on the box's disk, and a disk that does not want it."""

import io
import logging
import random
from pathlib import Path

import numpy as np
import pytest

from edge.cameras import thresholds
from edge.cameras.health import CameraHealth, DamagedMemory
from edge.cameras.memory import EVERY_S, Memory


def health() -> CameraHealth:
    return CameraHealth(thresholds.load())


def test_it_is_written_every_ten_minutes_and_at_the_end_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "cameras" / "cam-1.npz"
    memory = Memory(path)
    memory.recall(health(), 100.0)
    memory.keep(health(), 101.0)
    assert not path.exists()
    memory.keep(health(), 100.0 + EVERY_S)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.unlink()
    memory.keep(health(), 101.0 + EVERY_S)
    assert not path.exists()
    memory.keep(health(), float("inf"))
    assert path.exists()
    assert [each.name for each in path.parent.iterdir()] == ["cam-1.npz"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x00" * 5000, b"x" * 3_000_000])
def test_a_damaged_file_means_to_learn_anew(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "cam-1.npz"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        Memory(path).recall(health(), 0.0)
    assert "learned anew" in caplog.text


def test_flipped_bits_mean_to_learn_anew() -> None:
    """As worn cards give them back: the packing, the encryption or the shape that they spell may be any."""
    kept, chance, refused = health().dump(), random.Random(1), 0
    for _ in range(400):
        spoiled = bytearray(kept)
        spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        try:
            health().restore(bytes(spoiled))
        except DamagedMemory:
            refused += 1
    assert refused > 200


@pytest.mark.parametrize(
    "other",
    [
        {"version": np.array(np.inf)},
        {"day_edges": np.full((2, 90, 160), np.nan, np.float32)},
        {"day_settled": np.full((2, 90, 160), np.nan, np.float32)},
        {"slow_maps": np.full((3, 2, 9, 16), np.inf, np.float32), "slow_numbers": np.zeros((3, 4))},
        {"bomb": np.zeros(50_000_000, np.uint8)},
    ],
)
def test_numbers_that_can_t_be_are_refused(other: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]) -> None:
    with np.load(io.BytesIO(health().dump())) as file:
        arrays = dict(file)
    out = io.BytesIO()
    np.savez_compressed(out, **(arrays | other))
    with pytest.raises(DamagedMemory, match="learned anew"):
        health().restore(out.getvalue())


def test_a_disk_that_takes_nothing_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cameras").write_text("a file where the folder should be")
    memory = Memory(tmp_path / "cameras" / "cam-1.npz")
    with caplog.at_level(logging.WARNING):
        memory.recall(health(), 0.0)
        for _ in range(3):
            memory.keep(health(), float("inf"))
    assert len([each for each in caplog.records if "can't be written" in each.message]) == 1


def test_without_a_folder_nothing_is_kept() -> None:
    memory = Memory(None)
    memory.recall(health(), 0.0)
    memory.keep(health(), float("inf"))
