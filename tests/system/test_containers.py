"""What the compose file starts, outside of containers: its commands, settings and health checks, on real parts.

Paths, ports and the server's name are the test's; everything else is as it stands there. InfluxDB 2 is scripted from
its documentation, with a real InfluxDB 1 behind it.
"""

from __future__ import annotations

import asyncio
import grp
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kewang.bench.parts import Influxd
from kewang.bench.process import Part, find_program, free_port, wait_for
from kewang.bench.programs import HOST, toml_of
from tests.cli.commands import kewang, told
from tests.docs_examples.test_compose import DEPLOY, SERVICES
from tests.influx2_server import ORGANISATION, TOKEN, Influx2Server

LIMIT_S = 120.0


class Container(Part):
    """A service of the file. It is ready when its own health check says so, as in an engine."""

    name = "container"

    def __init__(self, folder: Path, service: str, translated: Callable[[str], str]) -> None:
        super().__init__(folder)
        self.service, self.translated = SERVICES[service], translated

    def command(self) -> Sequence[str]:
        words = [self.translated(word) for word in self.service["command"]]
        words = [str(find_program(word)) if word == "mosquitto" else word for word in words]
        return [sys.executable, "-m", "kewang", *words]

    def is_ready(self) -> bool:
        kind, program, *words = map(self.translated, self.service["healthcheck"]["test"])
        assert (kind, program) == ("CMD", "python3")
        return subprocess.run([sys.executable, *words], capture_output=True, check=False).returncode == 0


def world(folder: Path, influx_port: int) -> Callable[[str], str]:
    """How a word of the file is said here: containers' paths and ports to the test's."""
    ports = {str(port): str(free_port()) for port in (8883, 8884, 8443, 8444, 8080, 1889)}
    ports |= {"influxdb:8086/city": f"{HOST}:{influx_port}/{ORGANISATION}"}
    roots = ("/etc/kewang", "/etc/mosquitto", "/var/lib", "/run")

    def said(word: str) -> str:
        for root in roots:
            word = word.replace(root, f"{folder}{root}") if word.startswith(root) else word
        for port, other in ports.items():
            word = word.replace(port, other)
        return word.replace("SERVER", "localhost")

    return said


def settled(value: Any, said: Callable[[str], str]) -> Any:
    """Settings with every text and port said here; what listens everywhere listens on this machine alone."""
    if isinstance(value, dict):
        return {key: settled(each, said) for key, each in value.items()}
    if isinstance(value, list):
        return [settled(each, said) for each in value]
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    text = said(str(value)).replace("0.0.0.0", HOST)
    return int(text) if isinstance(value, int) else text


def furnish(folder: Path, said: Callable[[str], str]) -> None:
    """Folders, settings and secrets, as the page and the volumes give them."""
    for made in (
        "etc/kewang",
        "etc/mosquitto/kewang",
        "var/lib/kewang/gateway",
        "var/lib/mosquitto",
        "run/mosquitto",
        "run/secrets",
    ):
        (folder / made).mkdir(parents=True)
    for name in ("gateway.toml", "provision.toml"):
        values = settled(tomllib.loads((DEPLOY / "compose" / name).read_text()), said)
        if name == "provision.toml":
            values["state_folder"] = str(folder / "var/lib/kewang/provisioning")
            values["guard"] |= {"kick_port": int(said("1889")), "program": str(find_program("mosquitto"))}
            values["guard"]["group"] = grp.getgrgid(os.getegid()).gr_name
            # Started by root it would else drop to a user who can't read our folder; in its container it is no root.
            values["guard"] |= {"user": "root"} if os.geteuid() == 0 else {}
        else:
            values["clock"] = "trusted"
        (folder / "etc/kewang" / name).write_text(toml_of(values))
    secrets = folder / "run/secrets"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    kept = ["-keyout", str(secrets / "web.key"), "-out", str(secrets / "web.pem")]
    subprocess.run(["openssl", "req", "-x509", *key, *kept], check=True, capture_output=True, timeout=60)
    (secrets / "influx.token").write_text(f"{TOKEN}\n")
    for secret in secrets.iterdir():
        secret.chmod(0o600)


async def test_the_city_of_the_compose_file_stands_up(influxd: Influxd) -> None:
    """In a folder of a short name, as Unix sockets need."""
    async with Influx2Server(influxd.url) as influx2:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            said = world(folder, int(influx2.url.rpartition(":")[2]))
            furnish(folder, said)
            await asyncio.to_thread(stand_up, folder, said)


def stand_up(folder: Path, said: Callable[[str], str]) -> None:
    founded = kewang("provision", "init", "--config", said("/etc/kewang/provision.toml"), "--json")
    assert told(founded)["ok"], founded.stderr
    for once in ("gateway-init", "boards"):
        words = [said(word).replace("/grafana", f"{folder}/grafana") for word in SERVICES[once]["command"]]
        done = kewang(*(word if not word.startswith("$") else "https://SERVER" for word in words))
        assert done.returncode == 0, done.stderr
    assert (folder / "grafana/maps/city.geojson").exists()
    services = [Container(folder / name, name, said) for name in ("mosquitto", "provisioning", "gateway")]
    with ExitStack() as running:
        for service in services:
            running.enter_context(service)
        broker, office, gateway = services
        wait_for(lambda: "Reloading config" in broker.log_path.read_text(), LIMIT_S)
        wait_for(lambda: "as gw1" in broker.log_path.read_text(), LIMIT_S)
        wait_for(lambda: "who floods recovered" in office.log_path.read_text(), LIMIT_S)
        wait_for(lambda: "the store takes readings" in gateway.log_path.read_text(), LIMIT_S)
        assert "ERROR" not in office.log_path.read_text() + gateway.log_path.read_text()
