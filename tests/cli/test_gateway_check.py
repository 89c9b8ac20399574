"""`kewang gateway check`: a database that works, and ones that do not."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ports import Store
from tests.cli.commands import kewang, told, using


async def test_a_database_that_is_set_up_works(store_url: str) -> None:
    async def nothing(_: Store) -> None:
        pass

    await using(store_url, nothing)
    done = kewang("gateway", "check", "--store", store_url, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    findings = told(done)["findings"]
    assert {"write", "overwrite", "large"} <= {each["check"] for each in findings}
    assert all(each["ok"] and not each["detail"] for each in findings)


@pytest.fixture
def says_yes() -> Iterator[str]:
    """A server that takes every write and keeps nothing."""

    class Yes(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Yes) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"influx1+http://127.0.0.1:{server.server_port}/kewang"
        server.shutdown()
        thread.join()


def test_a_server_that_says_yes_to_everything_is_found_out(says_yes: str) -> None:
    done = kewang("gateway", "check", "--store", says_yes)
    assert done.returncode == 1
    assert "NO" in done.stdout
    assert "something will not work" in done.stdout


def test_an_address_that_does_not_answer_and_wrong_words(tmp_path: Path) -> None:
    assert kewang("gateway", "check", "--store", "influx1+http://127.0.0.1:1/kewang").returncode == 3
    assert kewang("gateway", "check", "--store", "nosql://here").returncode == 2
    assert kewang("gateway", "check", "--store", f"sqlite:///{tmp_path}/k.db", "--language", "nl").returncode == 2
