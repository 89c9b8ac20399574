"""The fuzzer of the RTSP client finds nothing here, reaches every part of it, and would find what is put there."""

from __future__ import annotations

import random
from typing import NoReturn

from kewang.bench.fuzz_rtsp import Tally, measure, run
from kewang.bench.fuzz_rtsp_corpus import Conversation, conversation


def test_some_thousand_conversations() -> None:
    told = measure(3000, 7)
    assert told["failed"] == []
    assert told["conversations"] == 3000
    assert told["played"] > 1000
    wanted = {"NONE", "PROTOCOL", "TIMEOUT", "DECODE", "LOSS", "NO_MEDIA", "AUTH", "BUSY", "TRANSPORT", "REDIRECT"}
    assert wanted <= set(told["reasons"])


def test_the_same_seed_says_the_same() -> None:
    assert conversation(random.Random(5)) == conversation(random.Random(5))


def test_what_breaks_is_told_with_its_number() -> None:
    def breaks(_: Conversation, rng: random.Random) -> NoReturn:
        raise ZeroDivisionError("put there")

    tally = Tally()
    run(tally, 100, 3, breaks)
    assert len(tally.failed) == 5
    assert "conversation 3000000" in tally.failed[0]
    assert "put there" in tally.failed[0]
