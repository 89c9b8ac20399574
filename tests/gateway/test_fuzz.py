"""`make fuzz`, small: nothing breaks, every message is accounted for; and what is broken or missing is found."""

from kewang.bench.fuzz import FuzzPlan, in_process, measure
from kewang.bench.mutate import Mutator
from kewang.wire.batch import Batch, decode


def test_mutated_payloads_break_nothing_and_every_one_is_accounted_for() -> None:
    result = measure(FuzzPlan(payloads=5000, messages=600, seed=3))
    assert result["ok"], result["failed"]
    inside, running = result["in_process"], result["gateway"]
    assert inside["read"] > 500 < inside["refused"]
    assert inside["read"] + inside["refused"] == 5000
    assert running["messages"] == 600 > running["read"] > 50
    assert running["dropped_and_counted"] == 100
    assert running["unaccounted"] == 0


def test_a_decoder_that_breaks_is_found_out() -> None:
    def careless(payload: bytes) -> Batch:
        if payload[-1:] == b"x":
            raise KeyError("k")
        return decode(payload)

    result = in_process(1000, 1, careless)
    assert "KeyError" in result["failed"][0]
    assert "seed 1" in result["failed"][0]


def test_a_decoder_that_keeps_what_it_reads_is_found_out() -> None:
    kept = []

    def hoarding(payload: bytes) -> Batch:
        kept.append(bytearray(100_000))
        return decode(payload)

    result = in_process(1000, 1, hoarding)
    assert "grew" in result["failed"][0]


def test_a_seed_makes_the_same_payloads_again() -> None:
    assert list(Mutator(7).payloads(50)) == list(Mutator(7).payloads(50))
    assert list(Mutator(7).payloads(50)) != list(Mutator(8).payloads(50))
