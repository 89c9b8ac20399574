"""Ids, fingerprints, labels and typed codes: inverse functions, and mistakes that are found."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kewang.wire import identity
from kewang.wire.errors import WireError
from kewang.wire.names import is_device

PARTS = st.from_regex(r"[a-z0-9]{2,8}", fullmatch=True)
IDS = st.builds(
    identity.new_id, PARTS.filter(lambda city: not identity.is_reserved(city)), PARTS, st.binary(min_size=4, max_size=4)
)
DEVICES = st.from_regex(r"[a-z0-9-]{3,32}", fullmatch=True)
HOSTS = st.from_regex(r"[a-z][a-z0-9]{0,20}(\.[a-z0-9]{1,20}){0,3}(:[1-9][0-9]{0,4})?", fullmatch=True)
FINGERPRINTS = st.binary(max_size=200).map(identity.fingerprint)


@given(IDS)
def test_a_made_id_is_a_device_id_with_its_check_character(device: str) -> None:
    assert is_device(device)
    assert identity.is_made(device)
    assert identity.check_character(device[:-1]) == device[-1]


@given(IDS, st.data())
def test_every_single_wrong_character_is_found(device: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(device) - 1).filter(lambda index: device[index] != "-"))
    wrong = data.draw(st.sampled_from(identity.ALPHABET))
    was = {"i": "1", "l": "1", "o": "0", "u": "v"}.get(device[place], device[place])
    assume(wrong != was)
    assert not identity.is_made(device[:place] + wrong + device[place + 1 :])


@given(IDS, st.data())
def test_every_swap_of_neighbours_is_found(device: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(len(device) - 6, len(device) - 2))
    one, other = device[place], device[place + 1]
    assume(one != other)
    assert not identity.is_made(device[:place] + other + one + device[place + 2 :])


def test_other_randomness_gives_another_id() -> None:
    assert len({identity.new_id("amb", "cam", number.to_bytes(4, "big")) for number in range(5000)}) == 5000


@pytest.mark.parametrize(
    "name", ["gateway", "provisioning", "broker", "kick", "gw1", "gw-passo", "canary-good", "kewang", "kewang-1"]
)
def test_names_of_ours_are_never_given_to_a_box(name: str) -> None:
    with pytest.raises(WireError):
        identity.check_issuable(name)


@pytest.mark.parametrize("name", ["mardika-1", "amb-cam-7k3f9q", "broker-1", "my-gateway", "agw-1", "passo"])
def test_ids_chosen_by_hand_stay_valid(name: str) -> None:
    assert identity.check_issuable(name) == name


@pytest.mark.parametrize(
    ("city", "kind", "random"),
    [("a", "cam", 4), ("AMB", "cam", 4), ("amb", "c/m", 4), ("amb", "cam", 3), ("gw", "cam", 4), ("amb", "", 4)],
)
def test_what_no_id_is_made_from(city: str, kind: str, random: int) -> None:
    with pytest.raises(WireError):
        identity.new_id(city, kind, bytes(random))


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_fingerprint_is_26_characters_and_tells_keys_apart(one: bytes, other: bytes) -> None:
    assert identity.check_fingerprint(identity.fingerprint(one)) == identity.fingerprint(one)
    assert (identity.fingerprint(one) == identity.fingerprint(other)) == (one == other)


def test_the_fingerprint_is_the_one_on_labels_that_are_printed_already() -> None:
    assert identity.fingerprint(b"key") == "FRYOCK32AZDPSITZ6QT4PM4OOM"


@given(HOSTS, DEVICES, FINGERPRINTS)
def test_build_label_and_parse_label_are_inverse(host: str, device: str, fingerprint: str) -> None:
    address = identity.build_label(host, device, fingerprint)
    assert identity.parse_label(address) == identity.Label(host, device, fingerprint)
    assert identity.parse_label(address.lower()) == identity.Label(host, device, fingerprint)
    assert set(address) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"), "not in QR's alphanumeric mode"


@given(st.one_of(st.text(max_size=90), st.from_regex(r"https://[^/]+/d/[^/]+/[^/]+", fullmatch=True)))
def test_what_parse_label_takes_it_builds_again(text: str) -> None:
    try:
        label = identity.parse_label(text)
    except WireError:
        return
    assert identity.build_label(label.host, label.device, label.fingerprint) == text.upper()


@given(DEVICES.filter(lambda device: not identity.looks_made(device)), FINGERPRINTS)
def test_build_typed_and_parse_typed_are_inverse(device: str, fingerprint: str) -> None:
    typed = identity.build_typed(device, fingerprint)
    assert identity.parse_typed(typed) == (device, fingerprint[:8])
    assert identity.parse_typed(f"  {typed.lower()} ") == (device, fingerprint[:8])


@given(IDS, FINGERPRINTS)
def test_what_looks_alike_is_forgiven_in_a_typed_code(device: str, fingerprint: str) -> None:
    head, dash, tail = device.rpartition("-")
    seen = head + dash + tail.replace("0", "o").replace("1", "l").replace("v", "u")
    printed = fingerprint[:8].replace("O", "0").replace("I", "1").replace("B", "8")
    assert identity.parse_typed(f"{seen}/{printed[:4]}-{printed[4:]}") == (device, fingerprint[:8])


@given(st.text(max_size=60))
def test_parse_typed_raises_nothing_but_wire_error(text: str) -> None:
    try:
        device, start = identity.parse_typed(text)
    except WireError:
        return
    assert is_device(device)
    assert len(start) == identity.TYPED_CHARACTERS
