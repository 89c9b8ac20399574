"""What the commands about incidents share: the settings, the chronicle, and asking the gateway that runs."""

import json
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from kewang.cli.common import UNREACHABLE, USAGE, fail, settings_errors

if TYPE_CHECKING:
    from gateway.settings import GatewaySettings

LIMIT_S: Final = 10.0
_MOST_BYTES: Final = 100_000


def watching_settings(config: Path | None) -> "GatewaySettings":
    """Those of a gateway that watches; else the command ends."""
    from gateway.settings import read_settings

    with settings_errors():
        settings = read_settings(config)
    if settings.incidents is None:
        fail("the settings have no section [incidents]: name the file of the gateway that watches with --config", USAGE)
    return settings


def opened_chronicle(settings: "GatewaySettings") -> Any:
    """The chronicle, to be closed; the command ends if there is none."""
    from contextlib import closing

    from gateway.chronicle import Chronicle
    from gateway.notify.outbox_file import OutboxRefused
    from gateway.watched import CHRONICLE_FILE

    assert settings.incidents is not None
    path = settings.incidents.folder / CHRONICLE_FILE
    if not path.exists():
        fail(f"{path} is not there: has this gateway run yet?", UNREACHABLE)
    try:
        return closing(Chronicle(path, read_only=True))
    except (OSError, sqlite3.Error, OutboxRefused) as error:
        fail(f"{path}: {error}", UNREACHABLE)


def posted(settings: "GatewaySettings", path: str, said: dict[str, Any]) -> dict[str, Any]:
    """What it answers to `said` at `path`; a refusal (409) too, which has no `ok`. Else the command ends."""
    import urllib.error
    import urllib.request

    from kewang.runtime.settings import secret

    console = settings.console
    with settings_errors():
        token = secret(console.service_token_file) if console.service_token_file else None
    if token is None:
        fail("console.service_token_file is not set: without it the gateway believes no program", USAGE)
    host = "127.0.0.1" if console.host in ("0.0.0.0", "::") else console.host
    asked = urllib.request.Request(
        f"http://{host}:{console.port}{path}",
        json.dumps(said).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=LIMIT_S) as answer:
            told: dict[str, Any] = json.load(answer)
            return told
    except urllib.error.HTTPError as error:
        if error.code == 409:
            refused: dict[str, Any] = json.loads(error.read(_MOST_BYTES))
            return refused
        fail(f"the gateway answers {error.code}: compare console.service_token_file with the running one", UNREACHABLE)
    except (OSError, ValueError) as error:
        fail(f"the gateway at {host}:{console.port} does not answer ({error}): is it running?", UNREACHABLE)


def moment(time_s: float, settings: "GatewaySettings") -> str:
    """In the console's time zone."""
    return datetime.fromtimestamp(time_s, ZoneInfo(settings.console.time_zone)).strftime("%Y-%m-%d %H:%M:%S")
