"""Who is told, on loopback: a webhook as a city's chat would be one, which keeps what arrives."""

import json
import queue
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from gateway.notify.budget_rules import BudgetRules
from kewang.bench.programs import HOST, toml_of
from kewang.ui.words import Language

_TRIED_S: Final = 2.0
_HEARD: Final = 10_000


@dataclass(frozen=True, slots=True)
class Heard:
    """A notice that arrived, with our monotonic time. `facts`: all that the webhook said, the text among it."""

    at_s: float
    facts: dict[str, Any]

    def is_about(self, kind: str, level: str, where: str) -> bool:
        """Whether it says this (`opened`, `resolved`) of an outage of this place."""
        said = {"kind": kind, "about": "outage", "level": level, "where": where}
        return all(self.facts.get(name) == value for name, value in said.items())


class Ear:
    """The webhook. The same key counts once, as it honours the key. As context manager it listens."""

    def __init__(self) -> None:
        self._new: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self._keys: dict[str, None] = {}
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, name="ear", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def new(self) -> list[Heard]:
        """What has arrived since the last call."""
        return [self._new.get() for _ in range(self._new.qsize())]

    def notify_toml(self, page: str, language: Language, faster: float) -> str:
        """Settings of a gateway whose page is at `page`, that tells us everything, with its times divided."""
        url = f"http://{HOST}:{self._server.server_address[1]}/"
        budget = {name: value / faster for name, value in BudgetRules().model_dump().items() if name.endswith("_s")}
        return '[[routes]]\nto = ["duty"]\nby = ["webhook"]\n' + toml_of(
            {
                "links": {"console": page.rstrip("/")},
                "budget": budget,
                "delivery": {"try_s": _TRIED_S, "longest_wait_s": _TRIED_S},
                "channels": {"webhook": {"kind": "webhook", "url": url, "plain_http": True, "allowed": [HOST]}},
                "recipients": {"duty": {"language": language, "addresses": {"webhook": "duty"}}},
            }
        )

    def _heard(self, key: str, facts: dict[str, Any]) -> None:
        if key not in self._keys and len(self._keys) < _HEARD:
            self._keys[key] = None
            self._new.put(Heard(time.monotonic(), facts))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        heard = self._heard

        class Handler(BaseHTTPRequestHandler):
            timeout = _TRIED_S

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                heard(self.headers["Idempotency-Key"], said)
                answer = json.dumps({"id": said["key"]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Nobody wants to read it."""

        return Handler
