"""Why there is no connection, and where a redirect may lead."""

import asyncio
import errno

import pytest

from edge.net.address import Address, parse
from edge.net.connect import connect, redirected
from edge.net.errors import CameraError, shown
from kewang.wire.cameras import CameraReason

CAMERA = parse("rtsp://cam.example/stream?x=1", "admin", "pw-1234")
WEB = ("http", "https")


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("rtsp://cam.example:8554/b?y=2", "rtsp://cam.example:8554/b?y=2"),
        ("rtsp://CAM.example", "rtsp://cam.example/"),
        ("/b", "rtsp://cam.example/b"),
        ("", "rtsp://cam.example/stream?x=1"),
    ],
)
def test_the_login_goes_along_on_the_same_camera(location: str, place: str) -> None:
    there = redirected(CAMERA, location, schemes=("rtsp",), other_hosts=False)
    assert (there.url, there.password) == (place, "pw-1234")


@pytest.mark.parametrize("location", ["http://cam.example/", "rtsps://cam.example/", "rtsp://h:99999/", "//["])
@pytest.mark.parametrize("other_hosts", [False, True])
def test_where_we_never_go(location: str, other_hosts: bool) -> None:
    with pytest.raises(CameraError) as raised:
        redirected(CAMERA, location, schemes=("rtsp",), other_hosts=other_hosts)
    assert raised.value.reason is CameraReason.REDIRECT


@pytest.mark.parametrize("location", ["http://other.example/x", "https://cam.example/x"])
def test_another_host_or_way_is_gone_to_only_if_allowed_and_without_login(location: str) -> None:
    ours = parse("http://cam.example/snap.jpg", "admin", "pw-1234")
    with pytest.raises(CameraError, match="example: put that into url"):
        redirected(ours, location, schemes=WEB, other_hosts=False)
    there = redirected(ours, location, schemes=WEB, other_hosts=True)
    assert (there.url, there.user, there.password) == (location, None, None)


@pytest.mark.parametrize(
    ("error", "reason", "said"),
    [
        (OSError(errno.EHOSTUNREACH, "x"), CameraReason.UNROUTABLE, "EHOSTUNREACH"),
        (OSError(errno.EPERM, "x"), CameraReason.UNROUTABLE, "EPERM"),
        (OSError(errno.ETIMEDOUT, "x"), CameraReason.TIMEOUT, "switched on"),
        (OSError(errno.ECONNREFUSED, "x"), CameraReason.REFUSED, "port 554"),
        (OSError(errno.ECONNRESET, "x"), CameraReason.PROTOCOL, "closed the connection"),
    ],
)
async def test_what_the_network_says_has_its_reason(error: OSError, reason: CameraReason, said: str) -> None:
    async def opener(*_: object, **__: object) -> None:
        raise error

    with pytest.raises(CameraError, match=said) as raised:
        await connect(Address("rtsp", "127.0.0.1", 554), opener, 5)
    assert raised.value.reason is reason


async def test_a_silent_host_is_given_up_in_time() -> None:
    async def opener(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    with pytest.raises(CameraError) as raised:
        await connect(Address("rtsp", "127.0.0.1", 554), opener, 0.05)
    assert raised.value.reason is CameraReason.TIMEOUT


def test_a_password_in_the_camera_s_words_is_not_told() -> None:
    assert shown("it sends pW-1234 and YWRtaW46cHctMTIzNA==", CAMERA) == "it sends *** and ***"


def test_a_camera_can_not_have_the_password_filled_into_its_own_words() -> None:
    ours = Address("rtsp", "10.0.0.9", 554, "/live?pw={password}", "viewer", "s3cret")
    for location in ("rtsp://10.0.0.9:8554/{password}", "/log?p={password}&u={user}"):
        there = redirected(ours, location, schemes=("rtsp",), other_hosts=False)
        assert "s3cret" not in there.wire_url
        assert "viewer" not in there.wire_url
