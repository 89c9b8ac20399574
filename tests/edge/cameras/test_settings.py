"""Settings of a camera: what is refused, what follows from them, and that an agent without one carries no pictures."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge.cameras.settings import CameraSettings
from edge.settings import read_settings
from kewang.runtime.settings import SettingsError

SECRET = "Pa55w0rd-xyzzy"


def read(place: Path, **keys: Any) -> CameraSettings:
    """Through the agent's settings file, as people write it."""
    import json

    (place / "secret").touch(0o600)
    (place / "secret").write_text(SECRET)
    lines = {"driver": "camera", "name": "cam-1", "url": "rtsp://10.0.0.4/s", **keys}
    told = "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())
    file = place / "edge.toml"
    file.write_text(f'device = "kotak-1"\n[[sources]]\n{told}')
    (found,) = read_settings(file).sources
    assert isinstance(found, CameraSettings)
    return found


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"url": f"rtsp://admin:{SECRET}@10.0.0.4/s"}, "password_file"),
        ({"main_url": f"rtsp://admin:{SECRET}@10.0.0.4/s"}, "password_file"),
        ({"onvif_url": f"http://admin:{SECRET}@10.0.0.4/s"}, "password_file"),
        ({"url": f"http://10.0.0.4/s?pwd={SECRET}"}, "{password}"),
        ({"url": "http://10.0.0.4/s?pwd={password}"}, "password_file"),
        ({"url": "gopher://10.0.0.4/s"}, "rtsp://"),
        ({"onvif_url": "rtsp://10.0.0.4/s"}, "http://"),
        ({"interval_s": 5}, "reach_s"),
        ({"password_file": "secret"}, "user"),
        ({"user": "admin", "password_file": "nothing"}, "No such file"),
        ({"kind": "mjpeg"}, "leave kind out"),
        ({"kind": "rtsp", "url": "http://10.0.0.4/s"}, "leave kind out"),
        ({"zones": [[[0, 0], [1, 1]]]}, "at least 3"),
        ({"zones": [[[0, 0], [1, 1], [2, 0]]]}, "less than or equal to 1"),
        ({"picture": 5}, "picture_s"),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(tmp_path: Path, keys: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=r"sources \(no. 1") as refused:
        read(tmp_path, **keys)
    assert told in str(refused.value)
    assert SECRET not in str(refused.value)


def test_the_login_comes_from_its_file(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        user="admin",
        password_file="secret",
        main_url="rtsp://10.0.0.4/m",
        url="http://10.0.0.4/s?p={password}",
    )
    assert found.address().wire_url == f"http://10.0.0.4/s?p={SECRET}"
    main = found.main_address()
    assert main is not None
    assert (main.user, main.password, main.path) == ("admin", SECRET, "/m")
    assert SECRET not in repr(found) + repr(found.address()) + found.model_dump_json()


def test_where_onvif_is(tmp_path: Path) -> None:
    assert read(tmp_path).endpoint() is None
    usual = read(tmp_path, onvif=True).endpoint()
    assert usual is not None
    assert (usual.host, usual.port, usual.path, usual.tls) == ("10.0.0.4", 80, "/onvif/device_service", False)
    other = read(tmp_path, onvif_url="https://10.0.0.4:8443/o").endpoint()
    assert other is not None
    assert (other.host, other.port, other.path, other.tls) == ("10.0.0.4", 8443, "/o", True)


def test_where_its_view_is_kept(tmp_path: Path) -> None:
    assert read(tmp_path).memory_file(None) is None
    assert read(tmp_path).memory_file(tmp_path) == tmp_path / "cameras" / "cam-1.npz"
    assert read(tmp_path, folder="views").memory_file(None) == tmp_path / "views" / "cam-1.npz"


def test_an_agent_without_cameras_carries_no_picture_library(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text('device = "kotak-1"\n')
    program = """
import sys
from pathlib import Path
import edge.service
from edge.settings import build_sources, read_settings
build_sources(read_settings(Path(sys.argv[1])))
print(sorted({"numpy", "av", "PIL", "edge.cameras", "edge.onvif"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "edge.toml")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
