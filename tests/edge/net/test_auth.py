"""Logging in: the examples of RFC 7616 and RFC 2617, and which of several offers is taken."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.net.auth import Login, offers
from edge.net.errors import CameraError
from kewang.wire.cameras import CameraReason

_RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={way}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


def _fields(header: dict[str, str]) -> dict[str, str]:
    return {
        name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|(\w+))', header["Authorization"])
    }


@pytest.mark.parametrize(
    ("way", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(way: str, response: str) -> None:
    login = Login("Mufasa", "Circle of Life", nonce=lambda: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    login.meet(offers([_RFC_7616.format(way=way)]))
    told = _fields(login.header("GET", "/dir/index.html"))
    assert (told["response"], told["nc"], told["qop"]) == (response, "00000001", "auth")
    assert _fields(login.header("GET", "/dir/index.html"))["nc"] == "00000002"


def test_the_oldest_digest_as_cameras_use_it() -> None:
    """RFC 2069: neither qop nor count."""
    login = Login("admin", "pw")
    login.meet(offers(['Digest realm="IP Camera(12345)", nonce="abc", stale="FALSE"']))
    secret, asked = (hashlib.md5(text).hexdigest() for text in (b"admin:IP Camera(12345):pw", b"DESCRIBE:rtsp://c/1"))
    told = _fields(login.header("DESCRIBE", "rtsp://c/1"))
    assert told["response"] == hashlib.md5(f"{secret}:abc:{asked}".encode()).hexdigest()
    assert not {"qop", "nc", "cnonce", "algorithm"} & set(told)


def test_basic() -> None:
    login = Login("Aladdin", "open sesame")
    assert login.header("PLAY", "rtsp://c") == {}
    login.meet(offers(['Basic realm="cam"']))
    assert login.header("PLAY", "rtsp://c") == {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}


_BASIC, _MD5, _SHA = 'Basic realm="x"', 'Digest realm="x", nonce="1"', 'Digest realm="x", nonce="2", algorithm=SHA-256'


@pytest.mark.parametrize(
    ("headers", "way"),
    [
        ([_BASIC, _MD5, _SHA], "SHA-256"),
        ([_SHA, _BASIC], "SHA-256"),
        ([f"{_BASIC}, {_MD5}"], "MD5"),
        ([_BASIC, "Negotiate"], "BASIC"),
        (['Digest realm="x", nonce="1", algorithm=SHA-512-256', _BASIC], "BASIC"),
        (['Digest realm="no nonce"', _BASIC], "BASIC"),
        (["Negotiate", 'Digest realm="x", nonce="1", algorithm=whirlpool'], None),
        ([], None),
        (["", ",,,", "===", '"'], None),
    ],
)
def test_the_strongest_offer_that_we_know(headers: list[str], way: str | None) -> None:
    taken = Login("u", "p").meet(offers(headers))
    assert (taken.way if taken else None) == way


@given(st.lists(st.text(max_size=200), max_size=5))
def test_any_offer_can_be_read(headers: list[str]) -> None:
    login = Login("u", "p")
    if login.meet(offers(headers)):
        assert login.header("PLAY", "rtsp://c")


def test_nothing_shows_the_password() -> None:
    login = Login('a"b', "geheim-9")
    login.meet(offers([_SHA]))
    told = login.header("PLAY", "rtsp://c")["Authorization"]
    assert "geheim-9" not in repr(login) + told
    assert r'username="a\"b"' in told


def test_a_login_by_digest_is_never_weakened_to_basic() -> None:
    login = Login("admin", "secret")
    login.take_up(['Digest realm="x", nonce="1"', 'Basic realm="x"'], refused=False)
    with pytest.raises(CameraError) as refused:
        login.take_up(['Basic realm="x"'], refused=False)
    assert refused.value.reason is CameraReason.AUTH
    login.take_up(['Digest realm="x", nonce="2"'], refused=False)
    assert login.header("PLAY", "/")["Authorization"].startswith("Digest")
