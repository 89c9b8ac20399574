"""The upgrade bench: a short share of it on real processes, and that its versions are what their names say."""

from pathlib import Path

import pytest

from edge.outbox_schema import SCHEMA
from edge.upgrade.home import COMPLETE
from kewang.bench.upgrade import UpgradeOptions, measure
from kewang.bench.versions import FAULTS, NEW, OLD, failing, make_home


@pytest.mark.slow
def test_an_upgrade_and_the_way_back_lose_nothing() -> None:
    """To a version with a newer outbox, and back from it; those that fail are tried by `kewang bench upgrade`."""
    result = measure(UpgradeOptions(devices=1, faults=(), settle_s=2.0, kills=False), print)
    assert result["failed"] == []
    assert result["outcomes"] == {"proven": 1}
    assert result["readings_stored"] > 0


def test_every_version_differs_from_the_old_one_as_it_should(tmp_path: Path) -> None:
    """A patch that no longer fits the tree raises; a version without its fault would be proven."""
    home = make_home(tmp_path, 20.0)
    assert home.current() == OLD
    assert set(home.complete()) == {OLD, NEW, *map(failing, FAULTS)}

    def text(version: str, name: str) -> str:
        return (home.version(version) / "lib" / "edge" / name).read_text()

    def has_schema(version: str, number: int) -> bool:
        return f"\nSCHEMA: Final = {number}\n" in text(version, "outbox_schema.py")

    assert has_schema(OLD, SCHEMA)
    assert all(has_schema(version, SCHEMA + 1) for version in home.complete() if version != OLD)
    assert "broken on purpose" in text(failing("dead"), "service.py")
    assert 'if channel.startswith("d/")' in text(failing("mute"), "uplink.py")
    assert "os._exit, 70" in text(failing("frail"), "service.py")
    assert (home.version(NEW) / COMPLETE).exists()
