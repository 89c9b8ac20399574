"""The published contract: up to date, additive since its release, and at one with the code that reads messages."""

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docs.generate import CONTRACT
from kewang.wire import topics
from kewang.wire.batch import decode, encode, inflate, load_object
from kewang.wire.contract.files import files
from kewang.wire.contract.kinds import KINDS, kind_of
from kewang.wire.contract.schemas import meanings, schemas
from kewang.wire.errors import WireError
from tests.docs_examples.pages import messages
from tests.published.additive import breaks
from tests.wire import shapes

RELEASED = Path(__file__).with_name("released.json")
ASYNCAPI = Path(__file__).with_name("asyncapi") / "3.0.0.json"
MESSAGES = {kind.name: kind for kind in KINDS if not kind.reserved}


@cache
def validator(kind: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(json.loads((CONTRACT / f"{kind}.schema.json").read_text()))


def errors(kind: str, message: Any) -> list[str]:
    return [error.message for error in validator(kind).iter_errors(message)]


def test_the_published_files_are_what_the_code_says() -> None:
    stale = [name for name, text in files().items() if (CONTRACT / name).read_text() != text]
    assert not stale, f"{stale}: a message changed. Run: .venv/bin/python docs/generate.py"
    assert {path.name for path in CONTRACT.glob("*.json")} == files().keys()


def test_version_1_only_grew_since_it_was_released() -> None:
    broken = list(breaks(json.loads(RELEASED.read_text()), schemas()))
    assert not broken, (
        "Version 1 may only get new keys that nobody needs; devices of others are in the field. What changed:\n"
        + "\n".join(broken)
        + f"\nTake it back, or begin version 2. After a release that only grew: copy schemas() into {RELEASED.name}."
    )


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("ack", "properties", "cr", "maximum"), 5, "/ack/properties/cr/maximum: was 10000, is 5"),
        (("batch", "properties", "tq"), None, "/batch/properties/tq: is gone"),
        (("state", "required"), ["st", "bt", "n", "fw"], "/state/required: was"),
        (("state", "$defs", "OutboxSize", "properties", "bytes", "type"), "string", "/bytes/type: was 'integer'"),
        (("ack", "properties", "re", "prefixItems", 1, "minimum"), 1, "/ack/properties/re/prefixItems/1/minimum: was"),
        (("result", "additionalProperties"), False, "/result/additionalProperties: is new"),
    ],
)
def test_a_change_that_breaks_an_edge_is_told(path: tuple[Any, ...], value: Any, told: str) -> None:
    changed = copy.deepcopy(schemas())
    part: Any = changed
    for step in path[:-1]:
        part = part[step]
    if value is None:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    (sentence,) = breaks(schemas(), changed)
    assert told in sentence


def test_new_keys_that_nobody_needs_and_other_words_break_nothing() -> None:
    changed = copy.deepcopy(schemas())
    changed["ack"]["properties"]["new"] = {"type": "integer"}
    changed["ack"]["properties"]["cr"]["description"] = "Other words."
    assert list(breaks(schemas(), changed)) == []


def test_every_schema_is_one_and_describes_every_key() -> None:
    for name, schema in schemas().items():
        jsonschema_rs.meta.validate(schema)
        for part in [schema, *schema.get("$defs", {}).values()]:
            assert all(key.get("description") for key in part.get("properties", {}).values()), name
    assert all(len(meanings(kind.model)) == len(kind.model.model_fields) for kind in KINDS if kind.model)


def test_asyncapi_is_valid_by_its_own_schema() -> None:
    document = json.loads((CONTRACT / "asyncapi.json").read_text())
    judge = jsonschema_rs.Draft7Validator(json.loads(ASYNCAPI.read_text()))
    assert [f"{error.instance_path}: {error.message[:200]}" for error in judge.iter_errors(document)] == []
    document["operations"]["send-batch"]["action"] = "publish"
    assert list(judge.iter_errors(document))


def test_asyncapi_names_every_channel_as_the_broker_carries_it() -> None:
    document = json.loads((CONTRACT / "asyncapi.json").read_text())
    addresses = {channel["address"] for channel in document["channels"].values()}
    for channel in topics.CHANNELS:
        shown = "d/{stream}" if channel in topics.DATA else channel
        assert f"{topics.ROOT}/{{shard}}/{{device}}/{shown}" in addresses
        assert channel in kind_of(topics.build("ambon-m1", channel)).channels
    assert f"{topics.ROOT}/_gateway/{{gateway}}" in addresses
    assert kind_of(topics.gateway("gw1")).name == "gateway-state"
    carried = {name: each["bindings"]["mqtt"] for name, each in document["operations"].items()}
    assert {each["qos"] for each in carried.values()} == {1}
    assert {name for name, each in carried.items() if each["retain"]} == {
        *("send-state", "send-reported", "receive-desired")
    }
    assert document["servers"]["broker"]["bindings"]["mqtt"]["cleanSession"] is True


def test_both_dialects_judge_alike() -> None:
    """AsyncAPI has the schemas in draft 7."""
    told = json.loads((CONTRACT / "asyncapi.json").read_text())["components"]["schemas"]
    for name in MESSAGES:
        older = jsonschema_rs.Draft7Validator(told[name])
        for message in [json.loads(each) for each in messages(name)]:
            for spoilt in [message, *spoils(message)]:
                assert older.is_valid(spoilt) == validator(name).is_valid(spoilt), spoilt


def spoils(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The message with each key left out, and with each value of a wrong type."""
    without = [{k: v for k, v in message.items() if k != key} for key in message]
    others: tuple[Any, ...] = ("x", -1, [[]], {"y": 1})
    return without + [message | {key: other} for key in message for other in others]


@pytest.mark.parametrize("name", MESSAGES)
def test_the_examples_of_the_protocol_are_valid(name: str) -> None:
    found = messages(name)
    assert found
    for message in found:
        assert errors(name, load_object(message)) == []


def test_what_the_protocol_calls_unreadable_is_invalid() -> None:
    """But for what no schema can hold: the fences with a key twice and with NaN."""
    readable = []
    for message in messages("not-a-batch"):
        try:
            readable.append(load_object(message))
        except WireError:
            continue
    assert len(readable) == 4
    assert all(errors("batch", message) for message in readable)


@pytest.mark.parametrize("name", MESSAGES)
def test_what_a_schema_lets_pass_is_read(name: str) -> None:
    """A message that the schema takes is refused by nobody, however it was spoilt."""
    passed = 0
    for message in map(json.loads, messages(name)):
        for spoilt in [message, *spoils(message)]:
            if not errors(name, spoilt):
                passed += 1
                MESSAGES[name].decode(json.dumps(spoilt).encode())  # type: ignore[misc]
    assert passed


@given(st.data())
@settings(max_examples=25)
def test_what_our_programs_send_is_valid(data: st.DataObject) -> None:
    for name, strategy in {
        "ack": shapes.acks,
        "state": shapes.states,
        "placement": shapes.placements,
        "command": shapes.commands,
        "result": shapes.results,
        "gateway-state": shapes.gateway_states,
    }.items():
        message = data.draw(strategy)
        assert errors(name, load_object(message.encode())) == []


@given(shapes.batches())
@settings(max_examples=25)
def test_batches_of_ours_are_valid(batch: Any) -> None:
    batch.rows = [[dt, *(values or [None])] for dt, *values in batch.rows]
    batch.t0_ms = max(batch.t0_ms, 946_684_800_000)
    assert errors("batch", load_object(inflate(encode(batch)))) == []
    assert decode(encode(batch)) == batch
