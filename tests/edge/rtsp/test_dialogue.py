"""What is asked, in which words, after which answers; without a socket."""

from __future__ import annotations

import re
from collections.abc import Coroutine
from typing import Any

import pytest

from edge.net.address import Address, parse
from edge.net.auth import Login
from edge.net.errors import CameraError
from edge.rtsp.dialogue import Dialogue, Redirected, Way
from edge.rtsp.messages import Response
from kewang.wire.cameras import CameraReason

_SDP = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t1\r\n"
_OK = Response(200)
_DESCRIBED = Response(200, {}, _SDP)
_ADDRESS = parse("rtsp://cam.example/stream?x=1", "admin", "pw-1234")


def _wants(*offers: str) -> Response:
    return Response(401, {"www-authenticate": list(offers)})


class _Scripted:
    """A Line whose answers are written down; it keeps what was asked."""

    def __init__(self, *answers: Response) -> None:
        self.answers, self.asked = list(answers), list[str]()

    async def ask(self, request: bytes) -> Response:
        self.asked.append(request.decode())
        return self.answers.pop(0)

    def header(self, name: str) -> list[str | None]:
        found = [re.search(rf"^{name}: (.*)\r$", each, re.M) for each in self.asked]
        return [each[1] if each else None for each in found]


def _talk(line: _Scripted, address: Address = _ADDRESS) -> Dialogue:
    return Dialogue(line, address, Login(address.user, address.password))


def _done(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        work.send(None)
    except StopIteration as stopped:
        return stopped.value
    raise AssertionError("it waits for something")


def test_the_words_of_a_session() -> None:
    agreed = Response(200, {"session": ["77;timeout=60"], "transport": ["RTP/AVP/TCP;interleaved=4-5"]})
    line = _Scripted(_OK, _DESCRIBED, agreed, _OK)
    talk = _talk(line)
    _done(talk.options())
    assert _done(talk.describe()).codec == "h264"
    assert not talk.open
    assert _done(talk.setup("tcp")) == Way("tcp", 4, 5)
    assert talk.open
    _done(talk.play())
    parting = talk.teardown().decode()
    assert not talk.open
    url = "rtsp://cam.example/stream?x=1"
    assert [each.partition(" RTSP")[0] for each in [*line.asked, parting]] == [
        f"OPTIONS {url}", f"DESCRIBE {url}", f"SETUP {url}/t1", f"PLAY {url}", f"TEARDOWN {url}",
    ]  # fmt: skip
    assert line.header("CSeq") == ["1", "2", "3", "4"]
    assert line.header("Session") == [None, None, None, "77"]
    assert "Session: 77\r\n" in parting


def test_a_login_is_made_when_asked_for_and_kept() -> None:
    line = _Scripted(_OK, _wants('Digest realm="r", nonce="n", qop="auth"'), _DESCRIBED, _OK)
    talk = _talk(line)
    _done(talk.options())
    _done(talk.describe())
    _done(talk.options())
    told = line.header("Authorization")
    assert told[:2] == [None, None]
    assert ["nc=00000001" in (told[2] or ""), "nc=00000002" in (told[3] or "")] == [True, True]
    assert 'uri="rtsp://cam.example/stream?x=1"' in (told[2] or "")


@pytest.mark.parametrize("stale", [', stale="true"', ", stale=TRUE"])
def test_a_stale_nonce_is_taken_anew(stale: str) -> None:
    first = 'Digest realm="r", nonce="1"'
    again = f'Digest realm="r", nonce="2"{stale}'
    line = _Scripted(_wants(first), _wants(again), _OK)
    _done(_talk(line).options())
    assert 'nonce="2"' in (line.header("Authorization")[2] or "")


def test_a_nonce_of_an_earlier_request_may_have_become_old() -> None:
    line = _Scripted(_wants('Digest realm="r", nonce="1"'), _OK, _wants('Digest realm="r", nonce="2"'), _DESCRIBED)
    talk = _talk(line)
    _done(talk.options())
    _done(talk.describe())
    assert 'nonce="2"' in (line.header("Authorization")[3] or "")


@pytest.mark.parametrize(
    ("answers", "requests", "said"),
    [
        ([_wants('Basic realm="r"')] * 5, 2, "refused"),
        ([_wants('Digest realm="r", nonce="1"')] * 5, 2, "refused"),
        ([_wants('Digest realm="r", nonce="1", stale=true')] * 5, 3, "refused"),
        ([_wants("Negotiate", 'Digest realm="r", nonce="1", algorithm=SHA-512-256')], 1, "Negotiate|NEGOTIATE"),
        ([_wants()], 1, "none"),
    ],
)
def test_a_refused_login_is_not_tried_on_and_on(answers: list[Response], requests: int, said: str) -> None:
    """Cameras lock out who tries too often."""
    line = _Scripted(*answers)
    with pytest.raises(CameraError, match=said) as raised:
        _done(_talk(line).describe())
    assert (raised.value.reason, len(line.asked)) == (CameraReason.AUTH, requests)
    assert "pw-1234" not in str(raised.value)


def test_a_transport_that_it_cannot() -> None:
    line = _Scripted(Response(461), Response(200, {"session": ["1"], "transport": ["RTP/AVP;server_port=6970-6971"]}))
    talk = _talk(line)
    assert _done(talk.setup("tcp")) is None
    assert not talk.open
    assert _done(talk.setup("udp", 5004)) == Way("udp", 6970, 6971)
    assert line.header("Transport")[1] == "RTP/AVP;unicast;client_port=5004-5005"


@pytest.mark.parametrize(
    ("transport", "way"),
    [
        ([], Way("tcp", 0, 1)),
        (["RTP/AVP/TCP;unicast"], Way("tcp", 0, 1)),
        (["RTP/AVP/TCP;interleaved=6"], Way("tcp", 6, 7)),
        (["RTP/AVP;unicast;interleaved=2-3"], Way("tcp", 2, 3)),
        (["RTP/AVP/TCP;interleaved=x-y"], Way("tcp", 0, 1)),
        (["rtp/avp/tcp;interleaved=99999999-1"], Way("tcp", 0, 1)),
    ],
)
def test_the_way_it_says(transport: list[str], way: Way) -> None:
    line = _Scripted(Response(200, {"session": ["1"], "transport": transport}))
    assert _done(_talk(line).setup("tcp")) == way


def test_another_way_than_asked_for() -> None:
    line = _Scripted(Response(200, {"session": ["1"], "transport": ["RTP/AVP;unicast;client_port=1-2"]}))
    with pytest.raises(CameraError) as raised:
        _done(_talk(line).setup("tcp"))
    assert raised.value.reason is CameraReason.TRANSPORT


def test_a_redirect_says_where() -> None:
    with pytest.raises(Redirected) as raised:
        _done(_talk(_Scripted(Response(302, {"location": ["rtsp://x/"]}))).describe())
    assert raised.value.location == "rtsp://x/"
