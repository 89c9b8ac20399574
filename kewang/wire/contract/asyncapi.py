"""The AsyncAPI 3.0 document of a device: its channels, what it says and hears there, and how MQTT carries it.

AsyncAPI 3.0 reads JSON Schema of draft 7, so the schemas are said again in that dialect.
"""

from typing import Any, Final

from kewang.wire import topics
from kewang.wire.contract.kinds import GATEWAY, KINDS, Kind
from kewang.wire.contract.schemas import Json, schema
from kewang.wire.names import DEVICE_PATTERN, STREAMS

VERSION: Final = "3.0.0"
_BINDING: Final = "0.2.0"
_KEEP_ALIVE_S: Final = 30
_DEVICE: Final = {
    "shard": {
        "description": "First hex digit of the SHA-256 of the device id.",
        "enum": list(topics.SHARDS),
    },
    "device": {"description": f"Device id, {DEVICE_PATTERN}; also MQTT user name and client id."},
}
_GATEWAY: Final = {"gateway": {"description": "Gateway id, by the grammar of a device id."}}
_STREAM: Final = {"stream": {"description": "Kind of the readings.", "enum": list(STREAMS)}}


def document() -> Json:
    """The whole document, ready for JSON."""
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "Kewang device",
            "version": "1",
            "description": "What a device says to a Kewang gateway and hears from it, over MQTT 3.1.1 or 5. The rules "
            "that no schema can hold are in own-edge.md and protocol.md of Kewang's documentation.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"broker": _server()},
        "channels": {kind.name: _channel(kind) for kind in KINDS},
        "operations": dict(_operation(kind) for kind in KINDS if kind.sender == "device" or _is_heard(kind)),
        "components": {
            "messages": {kind.name: _message(kind) for kind in KINDS},
            "schemas": {kind.name: draft_7(schema(kind)) for kind in KINDS},
        },
    }


def _is_heard(kind: Kind) -> bool:
    """Whether a device may read it."""
    return set(kind.channels) <= set(topics.DOWN)


def _server() -> Json:
    will = {"topic": f"{topics.ROOT}/{{shard}}/{{device}}/{topics.STATE}", "qos": 1, "retain": True}
    will["message"] = '{"st":"off","bt":"RUN","n":1}'
    mqtt = {"cleanSession": True, "keepAlive": _KEEP_ALIVE_S, "lastWill": will, "bindingVersion": _BINDING}
    return {
        "host": "{broker}",
        "protocol": "mqtt",
        "description": "The city's broker; mqtts with the device's own certificate where it has one. Client id and "
        "user name are the device id.",
        "variables": {"broker": {"description": "HOST:PORT", "default": "127.0.0.1:1883"}},
        "bindings": {"mqtt": mqtt},
    }


def _channel(kind: Kind) -> Json:
    made: Json = {"address": _address(kind), "description": kind.about}
    made["messages"] = {kind.name: {"$ref": f"#/components/messages/{kind.name}"}}
    made["parameters"] = _GATEWAY if kind.channels == (GATEWAY,) else _DEVICE | (_STREAM if _is_data(kind) else {})
    return made | ({"x-reserved": True} if kind.reserved else {})


def _is_data(kind: Kind) -> bool:
    return kind.channels == topics.DATA


def _address(kind: Kind) -> str:
    if kind.channels == (GATEWAY,):
        return f"{topics.ROOT}/{GATEWAY}/{{gateway}}"
    channel = "d/{stream}" if _is_data(kind) else kind.channels[0]
    return f"{topics.ROOT}/{{shard}}/{{device}}/{channel}"


def _operation(kind: Kind) -> tuple[str, Json]:
    action = "send" if kind.sender == "device" else "receive"
    return f"{action}-{kind.name}", {
        "action": action,
        "channel": {"$ref": f"#/channels/{kind.name}"},
        "messages": [{"$ref": f"#/channels/{kind.name}/messages/{kind.name}"}],
        "bindings": {"mqtt": {"qos": 1, "retain": kind.retain, "bindingVersion": _BINDING}},
    }


def _message(kind: Kind) -> Json:
    return {
        "name": kind.name,
        "title": kind.name,
        "summary": kind.about,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{kind.name}"},
        "x-sender": kind.sender,
        "x-limit-bytes": kind.limit_bytes,
    }


def draft_7(value: Any) -> Any:
    """A schema of ours in draft 7. Inner definitions are put where they are named: a pointer into this document would
    miss them."""
    definitions = value.get("$defs", {})

    def told(part: Any) -> Any:
        if isinstance(part, list):
            return [told(each) for each in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            rest = {key: inner for key, inner in part.items() if key != "$ref"}
            return told(definitions[part["$ref"].rpartition("/")[2]]) | told(rest)
        made = {key: told(inner) for key, inner in part.items() if key not in ("$defs", "$schema")}
        if "prefixItems" in made:
            others = made.pop("items", False)
            made |= {"items": made.pop("prefixItems"), "additionalItems": others}
        return made

    return told(value)
