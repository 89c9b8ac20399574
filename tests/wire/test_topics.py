"""Topics: build, parse and filter are inverse; nothing else passes."""

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kewang.wire import topics
from kewang.wire.errors import WireError
from tests.wire.shapes import channels, devices


def matches(pattern: str, topic: str) -> bool:
    """MQTT's matching, without `#`, which we never use."""
    wanted, given_ = pattern.split("/"), topic.split("/")
    return len(wanted) == len(given_) and all(w in ("+", g) for w, g in zip(wanted, given_, strict=True))


@given(devices, channels)
def test_parse_is_the_inverse_of_build(device: str, channel: str) -> None:
    topic = topics.build(device, channel)
    assert topics.parse(topic) == topics.Topic(device, channel)
    assert topic.split("/")[2] == hashlib.sha256(device.encode()).hexdigest()[0] == topics.shard_of(device)


@given(devices, channels, st.sets(channels, min_size=1), st.sets(st.sampled_from(topics.SHARDS), min_size=1))
def test_a_filter_matches_its_channels_and_shards_and_nothing_else(
    device: str, channel: str, wanted: set[str], shards: set[str]
) -> None:
    topic = topics.build(device, channel)
    hit = [f for f in topics.filters(sorted(wanted), "".join(sorted(shards))) if matches(f, topic)]
    asked_for = channel in wanted
    assert len(hit) == int(asked_for and topics.shard_of(device) in shards), "one filter at most: no message twice"


def test_all_shards_need_one_filter_a_channel() -> None:
    assert topics.filters(topics.UP) == [f"kewang/1/+/+/{channel}" for channel in ("d/+", "s", "r", "x/r")]


@given(st.text(max_size=60))
@example("kewang/1/b/ambon-m1/d/")
@example("kewang/1/b/ambon-m1/d/env/more")
@example("kewang/1/b/ambon-m1/D/ENV")
@example("kewang/2/b/ambon-m1/d/env")
@example("kewang/1//ambon-m1/d/env")
@example("/kewang/1/b/ambon-m1/d/env")
@example("kewang/1/+/+/d/env")
@example("\ud800")
def test_what_build_does_not_make_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        topics.parse(text)


@given(devices, channels, st.sampled_from(topics.SHARDS))
def test_a_wrong_shard_is_refused(device: str, channel: str, shard: str) -> None:
    topic = f"{topics.ROOT}/{shard}/{device}/{channel}"
    if shard == topics.shard_of(device):
        assert topics.parse(topic).device == device
        return
    with pytest.raises(WireError, match="shard"):
        topics.parse(topic)


@given(st.text(max_size=40), channels)
@example("am", "a")
@example("a" * 33, "a")
@example("Ambon", "a")
@example("ambon/m1", "a")
@example("ambon-m1\n", "a")
@example("ambón", "a")
def test_a_bad_device_builds_no_topic(device: str, channel: str) -> None:
    good = 3 <= len(device) <= 32 and set(device) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    if not good:
        with pytest.raises(WireError):
            topics.build(device, channel)
        with pytest.raises(WireError):
            topics.gateway(device)


@pytest.mark.parametrize("channel", ["", "d", "d/", "d/gps", "aa", "x/", "+", "#"])
def test_an_unknown_channel_builds_no_topic(channel: str) -> None:
    with pytest.raises(WireError):
        topics.build("ambon-m1", channel)


@pytest.mark.parametrize("shards", ["g", "+", "0-3", "A"])
def test_bad_shards_build_no_filter(shards: str) -> None:
    with pytest.raises(WireError):
        topics.filters(topics.UP, shards)


def test_the_stream_of_a_channel() -> None:
    assert topics.Topic("ambon-m1", "d/env").stream == "env"
    assert topics.Topic("ambon-m1", "s").stream is None
