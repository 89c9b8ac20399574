"""The broker's access lists: built leaf by leaf from the protocol's topics, and read back before they are used.

Each ends with a sentinel, so that half a file is known as half a file: Mosquitto 2.0.11 drops *all* rules at SIGHUP
when one line of the file is bad.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from kewang.wire import topics
from kewang.wire.names import is_device
from provisioning.guard import names

SENTINEL: Final = "# END"
_DENY_ALL: Final = "topic deny #"
CLEARED: Final = (topics.STATE, topics.REPORTED, topics.ACK, topics.CONFIG, topics.COMMAND)
"""What provisioning clears of a box that is revoked or retired."""
_GATEWAY_READS: Final = (*topics.UP, topics.PLACEMENT)
_PROVISIONING_WRITES: Final = tuple(dict.fromkeys((topics.PLACEMENT, topics.COMMAND, topics.CONFIG, *CLEARED)))
_PROVISIONING_READS: Final = (topics.RESULT, topics.REPORTED)

Rules = Mapping[str, frozenset[str]]
"""User -> its lines; `""` for the patterns, which hold for everybody."""


def devices(denied: Iterable[str], nonce: str) -> str:
    """The list of the boxes' listener. `nonce` names this change: only who has read this file lets its topic pass."""
    rules = {name: [_DENY_ALL] for name in sorted({*denied, names.DENIED})}
    fresh = [f"topic write {topic}" for topic in topics.rights(names.fresh(nonce), [topics.RESULT])]
    return _written({**rules, names.GOOD: fresh, "": _own_leaves()})


def services(nonce: str) -> str:
    """The list of the services' listener."""
    return _written({user: sorted(lines) for user, lines in _service_rules(nonce).items()})


def kick() -> str:
    """The list of the loopback listener: who kicks says and hears nothing."""
    return _written({names.KICK: [_DENY_ALL]})


def closed() -> str:
    """A list with which nobody says or hears anything, whatever reads it."""
    return _written({"nobody": [_DENY_ALL]})


def lint_devices(text: str, denied: Collection[str], nonce: str) -> list[str]:
    """What is wrong with a list of boxes; one sentence each."""
    fresh = frozenset(f"topic write {topic}" for topic in topics.rights(names.fresh(nonce), [topics.RESULT]))
    refused = {name: frozenset({_DENY_ALL}) for name in {*denied, names.DENIED}}
    problems = [f"{name!r} is no device id" for name in denied if not is_device(name)]
    return problems + _differences(text, {**refused, names.GOOD: fresh, "": frozenset(_own_leaves())})


def lint_services(text: str, nonce: str) -> list[str]:
    """As `lint_devices`, for the services' listener."""
    return _differences(text, _service_rules(nonce))


def lint_kick(text: str) -> list[str]:
    """As `lint_devices`, for the loopback listener."""
    return _differences(text, {names.KICK: frozenset({_DENY_ALL})})


def _own_leaves() -> list[str]:
    up = [f"pattern write {topic}" for topic in topics.rights("%u", topics.UP)]
    return up + [f"pattern read {topic}" for topic in topics.rights("%u", topics.DOWN)]


def _service_rules(nonce: str) -> dict[str, frozenset[str]]:
    watched = [names.GOOD, names.DENIED, names.OTHER]
    return {
        names.GATEWAY: _lines("read", [*topics.rights("+", _GATEWAY_READS), topics.GATEWAYS])
        | _lines("write", [*topics.rights("+", [topics.ACK]), topics.GATEWAYS]),
        names.PROVISIONING: _lines("read", topics.rights("+", _PROVISIONING_READS))
        | _lines("write", topics.rights("+", _PROVISIONING_WRITES)),
        names.WATCH: _lines("read", [topic for name in watched for topic in topics.rights(name, [topics.RESULT])])
        | _lines("write", [topic for name in watched for topic in topics.rights(name, [topics.COMMAND])])
        | _lines("write", topics.rights(names.fresh(nonce), [topics.COMMAND])),
    }


def _lines(access: str, allowed: Iterable[str]) -> frozenset[str]:
    return frozenset(f"topic {access} {topic}" for topic in allowed)


def _written(rules: Mapping[str, Iterable[str]]) -> str:
    blocks = ["\n".join([f"user {user}"] * bool(user) + list(lines)) for user, lines in rules.items()]
    return "\n\n".join([*blocks, SENTINEL]) + "\n"


def _differences(text: str, expected: Rules) -> list[str]:
    """What is wrong with `text`, which should say `expected`: those who are refused first, the sentinel last."""
    if not text.endswith(f"\n{SENTINEL}\n"):
        return [f"the last line is not {SENTINEL!r}: the file is not whole"]
    found, problems = _parsed(text)
    problems += [f"unexpected user {user!r}" for user in found if user not in expected]
    for user in sorted({*found, *expected}):
        have, want = frozenset(found.get(user, [])), expected.get(user, frozenset())
        who = f"user {user}" if user else "every box"
        problems += [f"{who}: unexpected line {line!r}" for line in sorted(have - want)]
        problems += [f"{who}: missing line {line!r}" for line in sorted(want - have)]
    order = [_DENY_ALL in lines for lines in found.values()]
    if order != sorted(order, reverse=True):
        problems.append("those who are refused do not come first")
    return problems


def _parsed(text: str) -> tuple[dict[str, list[str]], list[str]]:
    """Lines by user, in the order of the file, and lines that can't stand where they stand."""
    found: dict[str, list[str]] = {}
    problems: list[str] = []
    user = ""
    for line in text.removesuffix(f"{SENTINEL}\n").split("\n"):
        word, _, rest = line.partition(" ")
        if word == "user" and rest:
            user = rest
            if user in found:
                problems.append(f"user {user} comes twice")
            found.setdefault(user, [])
        elif word == "pattern":
            found.setdefault("", []).append(line)
        elif word == "topic" and user:
            found[user].append(line)
        elif line:
            problems.append(f"unknown line {line!r}")
    return found, problems
