"""Access lists: what is written is read back as meant, and every change of a line is seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kewang.wire import topics
from provisioning.guard import acl

NONCE = "0123456789ab"
DEVICES = st.frozensets(st.from_regex(r"[a-z0-9-]{3,32}", fullmatch=True), max_size=8)


@given(DEVICES)
def test_what_is_built_has_no_fault(denied: frozenset[str]) -> None:
    assert acl.lint_devices(acl.devices(denied, NONCE), denied, NONCE) == []


def test_services_and_kick_have_no_fault() -> None:
    assert acl.lint_services(acl.services(NONCE), NONCE) == []
    assert acl.lint_kick(acl.kick()) == []


def test_a_box_has_exactly_the_leaves_of_the_protocol() -> None:
    lines = acl.devices([], NONCE).splitlines()
    own = {line.removeprefix("pattern ") for line in lines if line.startswith("pattern ")}
    wanted = {f"write kewang/1/+/%u/{channel}" for channel in topics.UP}
    assert own == wanted | {f"read kewang/1/+/%u/{channel}" for channel in topics.DOWN}
    assert not [line for line in own if "#" in line]


def test_the_gateway_hears_what_it_subscribes_to_and_answers() -> None:
    text = acl.services(NONCE)
    block = text[text.index("user gateway") : text.index("user ", text.index("user gateway") + 5)]
    assert "topic write kewang/1/+/+/a\n" in block
    assert {f"topic {access} kewang/1/_gateway/+" for access in ("read", "write")} <= set(block.splitlines())
    for channel in (*topics.UP, topics.PLACEMENT):
        assert f"topic read kewang/1/+/+/{channel}\n" in block
    assert "topic write kewang/1/+/+/p" not in block


@pytest.mark.parametrize("line", range(len(acl.devices(["amb-box-1"], NONCE).splitlines())))
def test_every_line_that_is_missing_is_missed(line: int) -> None:
    lines = acl.devices(["amb-box-1"], NONCE).splitlines(keepends=True)
    if lines[line].strip():
        text = "".join(lines[:line] + lines[line + 1 :])
        assert acl.lint_devices(text, ["amb-box-1"], NONCE)


@pytest.mark.parametrize("cut", range(1, 400, 7))
def test_half_a_file_is_not_a_file(cut: int) -> None:
    text = acl.devices(["amb-box-1"], NONCE)
    assert acl.lint_devices(text[: -min(cut, len(text))], ["amb-box-1"], NONCE)


@pytest.mark.parametrize(
    "line",
    ["pattern readwrite kewang/1/+/%u/d/env", "topic write #", "pattern write #", "user amb-box-2", "topic", "wrong"],
)
def test_a_line_too_many_is_seen(line: str) -> None:
    text = acl.devices(["amb-box-1"], NONCE)
    assert acl.lint_devices(f"{line}\n{text}", ["amb-box-1"], NONCE)
    assert acl.lint_devices(text.replace(acl.SENTINEL, f"{line}\n{acl.SENTINEL}"), ["amb-box-1"], NONCE)


def test_who_is_refused_comes_first() -> None:
    text = acl.devices(["amb-box-1"], NONCE)
    block = "user amb-box-1\ntopic deny #\n\n"
    moved = text.replace(block, "").replace(acl.SENTINEL, f"{block}{acl.SENTINEL}")
    assert acl.lint_devices(moved, ["amb-box-1"], NONCE) == ["those who are refused do not come first"]


def test_another_change_is_not_this_one() -> None:
    assert acl.lint_devices(acl.devices([], "ffffffffffff"), [], NONCE)
    assert acl.lint_services(acl.services("ffffffffffff"), NONCE)
