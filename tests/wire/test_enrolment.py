"""Messages between a box and the device API: what is signed differs when anything differs; every code has its words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kewang.ui.words import words
from kewang.wire import enrolment
from kewang.wire.batch import MAX_DATE_MS
from kewang.wire.enrolment import Code
from kewang.wire.errors import WireError
from kewang.wire.models import Message

DATES = st.integers(0, MAX_DATE_MS)
PEMS = st.text("ABCabc123+/=\n -", min_size=1, max_size=200)
PLACES = st.builds(enrolment.BrokerPlace, host=st.just("broker.ambon.go.id"), port=st.integers(1, 65535), ca=PEMS)
ISSUED = st.builds(
    enrolment.Issued,
    device=st.from_regex(r"[a-z0-9-]{3,32}", fullmatch=True),
    chain=PEMS,
    broker=PLACES,
    api_ca=PEMS,
    serial=st.from_regex(r"[0-9a-f]{1,40}", fullmatch=True),
    not_before_ms=DATES,
    not_after_ms=DATES,
)
SCALARS = st.one_of(st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=20))
SOURCES = st.dictionaries(st.from_regex(r"[a-z_]{1,10}", fullmatch=True), SCALARS, max_size=4)
CONFIGS = st.builds(
    enrolment.Config,
    version=DATES,
    sources=st.lists(SOURCES, max_size=3).map(tuple),
    maintenance=st.booleans(),
    thumbnails=st.lists(st.just("cam-1"), max_size=2).map(tuple),
)
SIGNATURES = st.from_regex(r"[0-9A-Za-z+/]{86}==", fullmatch=True)
MESSAGES = st.one_of(
    ISSUED,
    CONFIGS,
    st.builds(enrolment.Pending, again_s=st.floats(0.5, 3600)),
    st.builds(enrolment.Renew, csr=PEMS),
    st.builds(
        enrolment.Enrol, device=st.just("amb-cam-00000k"), csr=PEMS, boot=st.just("a-b"), fw=st.text(max_size=64)
    ),
    st.builds(enrolment.Time, unix_ms=DATES, nonce=st.just("n" * 16), sig=SIGNATURES, chain=PEMS),
    st.builds(
        enrolment.Bundle,
        fingerprint=st.just("A" * 26),
        counter=DATES,
        made_ms=DATES,
        expires_ms=DATES,
        issued=ISSUED,
        config=CONFIGS,
    ),
    st.builds(enrolment.SignedBundle, body=st.text(max_size=500), sig=SIGNATURES, chain=PEMS),
)


@given(MESSAGES)
def test_encode_and_decode_are_inverse(message: Message) -> None:
    assert type(message).decode(message.encode()) == message


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_wire_error_alone(payload: bytes) -> None:
    for kind in (enrolment.Enrol, enrolment.Issued, enrolment.Config, enrolment.Time, enrolment.SignedBundle):
        with pytest.raises(WireError):
            kind.decode(payload)


TEXTS = st.tuples(
    st.sampled_from(["GET", "POST"]),
    st.from_regex(r"/v1/[a-z?=&]{1,20}", fullmatch=True),
    DATES,
    st.binary(max_size=50),
)


@given(TEXTS, TEXTS)
def test_another_request_is_another_text(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert (enrolment.request_text(*one) == enrolment.request_text(*other)) == (one == other)


@given(st.text(max_size=200))
def test_no_signature_counts_for_another_purpose(text: str) -> None:
    kinds = {
        enrolment.time_text(text, 1),
        enrolment.bundle_text(text),
        enrolment.request_text(text, text, 1, text.encode(errors="replace")),
    }
    assert len({each.split(b"\n")[0] for each in kinds}) == 3


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_words_in_both_languages(code: Code) -> None:
    text = enrolment.REASONS[code].text
    translated = words("id").gettext(text)
    assert translated != text
    assert enrolment.Refusal(code=code, text=enrolment.Words(en=text, id=translated)).code == code


@pytest.mark.parametrize("source", ["", "-", "../x", "CAM", "a" * 33])
def test_a_thumbnail_names_a_source(source: str) -> None:
    with pytest.raises(ValidationError):
        enrolment.Config(version=1, thumbnails=(source,))
