"""Where a camera is: what is understood, what is refused, and that no text repeats a secret."""

import pytest

from edge.net.address import Address, parse

SECRET = "Pa55w0rd-xyzzy"


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "path"),
    [
        ("rtsp://10.0.0.4/stream2", "rtsp", "10.0.0.4", 554, "/stream2"),
        ("RTSP://10.0.0.4:8554", "rtsp", "10.0.0.4", 8554, "/"),
        ("rtsps://cam.pasar.id/a/b?x=1&y=2", "rtsps", "cam.pasar.id", 322, "/a/b?x=1&y=2"),
        ("rtsp://10.0.0.4?channel=1", "rtsp", "10.0.0.4", 554, "/?channel=1"),
        ("rtsp://[fe80::1]:554/s", "rtsp", "fe80::1", 554, "/s"),
        ("http://cam/stream.mjpeg", "http", "cam", 80, "/stream.mjpeg"),
        ("https://cam:8443/a%20b", "https", "cam", 8443, "/a%20b"),
        ("  rtsp://cam/h264/ch1/sub/av_stream \n", "rtsp", "cam", 554, "/h264/ch1/sub/av_stream"),
        ("rtsp://cam/pasar-ikan/é", "rtsp", "cam", 554, "/pasar-ikan/%C3%A9"),
        ("rtsp://kamera-é.id/s", "rtsp", "xn--kamera--hya.id", 554, "/s"),
    ],
)
def test_an_address_is_understood(url: str, scheme: str, host: str, port: int, path: str) -> None:
    found = parse(url, "admin", SECRET)
    assert (found.scheme, found.host, found.port, found.path) == (scheme, host, port, path)
    assert (found.user, found.password) == ("admin", SECRET)
    assert parse(found.url) == parse(url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("10.0.0.4/stream", "begins with one of rtsp://"),
        ("ftp://10.0.0.4/stream", "begins with one of rtsp://"),
        ("rtsp:/10.0.0.4", "begins with one of rtsp://"),
        ("rtsp:///stream", "names no host"),
        ("rtsp://", "names no host"),
        ("rtsp://:554/stream", "names no host"),
        ("rtsp://cam:99999/", "port"),
        ("rtsp://cam:0/", "port"),
        ("rtsp://[::1/", "host or port"),
        ("rtsp://cam/a b", "space"),
        ("rtsp://cam/a\r\nX: y", "unprintable"),
        ("rtsp://cam/a#b", "%23"),
        (f"rtsp://admin:{SECRET}@cam/s", "password_file"),
        (f"rtsp://admin:{SECRET[:4]}/{SECRET[4:]}@cam/s", "port"),
        (f"rtsp://admin:{SECRET[:4]}@{SECRET[4:]}@cam/s", "password_file"),
        ("rtsp://admin@cam/s", "password_file"),
        (f"http://cam/snap.cgi?user=admin&pwd={SECRET}", "{password}"),
        (f"rtsp://cam/user=admin&password={SECRET}&channel=1", "{password}"),
        (f"rtsp://cam/user=admin_password={SECRET}_channel=1", "{password}"),
        (f"http://cam/snap?PASS%57ORD={SECRET}", "{password}"),
        ("http://cam/snap?pwd={password}", "give password_file"),
        ("rtsp://" + "x" * 300 + "é/", "host name"),
    ],
)
def test_what_cannot_be_used_is_refused_without_repeating_a_secret(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"\w+") as refused:
        parse(url)
    assert told in str(refused.value)
    for part in (SECRET, SECRET[:4], SECRET[4:]):
        assert part not in str(refused.value)
    assert refused.value.__cause__ is None


def test_no_text_shows_the_password() -> None:
    address = parse("rtsp://cam/s", "admin", SECRET)
    assert SECRET not in repr(address) + str(address) + address.url + address.place
    assert address.wire_url == address.url == "rtsp://cam/s"


def test_a_login_inside_the_path_is_filled_in_on_the_wire_only() -> None:
    address = parse("rtsp://cam:88/user={user}&password={password}&channel=1", "admin", "p&ss /word")
    assert address.url == "rtsp://cam:88/user={user}&password={password}&channel=1"
    assert address.wire_url == "rtsp://cam:88/user=admin&password=p%26ss%20%2Fword&channel=1"
    assert "ss" not in repr(address).replace("password", "").replace("Address", "")


def test_an_address_of_ipv6_has_its_brackets() -> None:
    assert Address("rtsp", "fe80::1", 8554, "/s").url == "rtsp://[fe80::1]:8554/s"
    assert Address("rtsp", "fe80::1", 554, "/s").url == "rtsp://[fe80::1]/s"
