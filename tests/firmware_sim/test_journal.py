"""The journal: what is written comes back, and a cut line costs nothing but itself."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.journal import Given, Journal, read_journal

VALUES = st.dictionaries(
    st.sampled_from(["temp_c", "rh_pct"]), st.none() | st.floats(allow_nan=False, allow_infinity=False)
)
READINGS = st.lists(st.builds(Given, st.integers(1, 2**53), st.integers(0, 2**43), VALUES))


@given(READINGS)
def test_what_is_written_comes_back(readings: list[Given]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "j"
        with Journal(file) as journal:
            for reading in readings:
                journal.write(reading)
        assert list(read_journal(file)) == readings


@given(st.integers(1, 60))
def test_a_line_that_was_cut_off_is_left_out_and_the_next_one_is_whole(cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "j"
        with Journal(file) as journal:
            journal.write(Given(1, 5, {"temp_c": 28.5}))
            journal.write(Given(2, 6, {"temp_c": 28.6}))
        whole = file.read_bytes()
        file.write_bytes(whole[: -min(cut, len(whole.splitlines()[1]))])
        with Journal(file) as journal:
            assert journal.last_number in (1, 2)
            journal.write(Given(3, 7, {}))
        numbers = [reading.number for reading in read_journal(file)]
        assert numbers in ([1, 3], [1, 2, 3])
