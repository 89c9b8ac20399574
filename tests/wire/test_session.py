"""The login cookie: what was signed comes back, and nothing else does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kewang.wire.session import LIMIT_CHARACTERS, SessionPayload, encode, verify

KEY = bytes(range(32))
NOW_S = 1_795_000_000
PAYLOAD = SessionPayload(sid="A" * 32, sub="rudi", name="Rudi", role="technician", lang="id", exp=NOW_S + 60)

payloads = st.builds(
    SessionPayload,
    sid=st.from_regex(r"[0-9A-Za-z_-]{22,64}", fullmatch=True),
    sub=st.from_regex(r"[a-z0-9._-]{2,32}", fullmatch=True),
    name=st.text(st.characters(codec="utf-8"), max_size=64),
    role=st.sampled_from(("technician", "operator", "admin")),
    lang=st.sampled_from(("id", "en")),
    exp=st.integers(NOW_S + 1, NOW_S + 10**6),
)


def signed(said: object, key: bytes = KEY) -> str:
    """A cookie with a right signature over whatever it says."""
    text = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    signature = hmac.new(key, b"kewang-session-1." + text.encode(), hashlib.sha256).digest()
    return f"v1.{text}." + base64.urlsafe_b64encode(signature).rstrip(b"=").decode()


@given(payloads)
def test_what_was_signed_comes_back(payload: SessionPayload) -> None:
    cookie = encode(payload, KEY)
    assert len(cookie) <= LIMIT_CHARACTERS
    assert verify(cookie, KEY, NOW_S) == payload


@given(st.integers(0, 10**6), st.characters(codec="ascii"))
def test_one_changed_character_breaks_it(at: int, character: str) -> None:
    cookie = encode(PAYLOAD, KEY)
    at %= len(cookie)
    spoiled = cookie[:at] + character + cookie[at + 1 :]
    assert (verify(spoiled, KEY, NOW_S) is None) == (spoiled != cookie)


@given(
    st.text(max_size=2000) | st.binary(max_size=500).map(lambda data: "v1." + base64.urlsafe_b64encode(data).decode())
)
def test_anything_else_is_nobody(cookie: str) -> None:
    assert verify(cookie, KEY, NOW_S) is None


def test_over_is_over() -> None:
    cookie = encode(PAYLOAD, KEY)
    assert verify(cookie, KEY, NOW_S + 59.9)
    assert verify(cookie, KEY, NOW_S + 60) is None


def test_another_key_is_nobodys() -> None:
    assert verify(encode(PAYLOAD, KEY), KEY[::-1], NOW_S) is None
    with pytest.raises(ValueError, match="32 bytes"):
        encode(PAYLOAD, b"short")


SAID = PAYLOAD.model_dump()


@pytest.mark.parametrize(
    "said",
    [
        {key: value for key, value in SAID.items() if key != "exp"},
        SAID | {"more": 1},
        SAID | {"role": "root"},
        SAID | {"exp": str(NOW_S + 60)},
        SAID | {"exp": NOW_S + 60.5},
        SAID | {"exp": True},
        SAID | {"sub": "Rudi"},
        SAID | {"sid": "short"},
        [SAID],
        None,
    ],
)
def test_a_right_signature_over_something_else_is_nobodys(said: object) -> None:
    assert verify(signed(SAID), KEY, NOW_S) == PAYLOAD
    assert verify(signed(said), KEY, NOW_S) is None


def test_another_version_is_nobodys() -> None:
    assert verify("v2" + encode(PAYLOAD, KEY)[2:], KEY, NOW_S) is None
