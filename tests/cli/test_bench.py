"""`kewang bench` as a command: JSON last, exit codes, words that are wrong."""

from tests.cli.commands import kewang, told


def test_the_result_is_one_object_on_the_last_line() -> None:
    done = kewang("bench", "wire", "--batches", "5", "--json")
    assert done.returncode == 0
    result = told(done)
    assert (result["command"], result["ok"], result["failed"]) == ("bench wire", True, [])
    assert {"schema", "version", "commit", "seed", "cores", "parts", "seconds"} <= result.keys()


def test_all_runs_what_is_chosen() -> None:
    done = kewang("bench", "all", "--only", "wire")
    assert done.returncode == 0
    assert done.stdout.split()[:2] == ["wire", "ok"]
    assert told(kewang("bench", "all", "--only", "wire", "--json"))["results"]["wire"]["ok"]


def test_wrong_words_are_told() -> None:
    assert kewang("bench", "all", "--only", "speed").returncode == 2
    assert kewang("bench", "backlog", "--store", "postgres").returncode == 2
    assert kewang("bench", "scale", "--devices", "many").returncode == 2
    assert kewang("bench", "rollups", "--devices", "100,0").returncode == 2
    assert kewang("bench", "cameras", "--family", "drawn").returncode == 2
