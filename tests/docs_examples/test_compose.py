"""The compose file fits the Compose Specification, and agrees with our settings, commands and pages.

No container engine is at hand: commands, settings and health checks of ours run outside of containers
(tests/system/test_containers.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest
import yaml

import docs.generate as generate
from dashboards.files import MOUNTED, built, data_source
from dashboards.voice import Voice
from gateway.settings import read_settings as read_gateway_settings
from provisioning.guard.conf import CONF
from provisioning.handing_over import FILES
from provisioning.settings import read_settings as read_provision_settings
from tests.docs_examples.pages import CHECKOUT, DOCS, fences_of

DEPLOY: Final = CHECKOUT / "deploy"
COMPOSE: Final = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
OURS: Final = sorted(name for name, service in SERVICES.items() if service["image"].startswith("kewang:"))
KEWANG: Final = "${KEWANG:-/srv/kewang}/"
OWNERS: Final = {"influx-admin.password": 1000, "influx-admin.token": 1000, "grafana-admin.password": 472}
PAGES: Final = [DOCS / language / "containers.md" for language in ("en", "id")]


def schema() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads((DEPLOY / "compose" / "schema" / "compose-spec.json").read_text()))


def test_the_file_fits_the_specification() -> None:
    assert [str(error) for error in schema().iter_errors(COMPOSE)] == []
    broken = {**COMPOSE, "services": {"gateway": {**SERVICES["gateway"], "healthcheck": {"interval": 30}}}}
    assert not schema().is_valid(broken)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_closed_and_bounded(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":\d+\.\d+\.\d+$", service["image"])
    assert int(service["user"].split(":")[0]) > 0
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["deploy"]["resources"]["limits"].keys() == {"memory", "pids"}
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["restart"] == "no" or service["healthcheck"]["test"][0] == "CMD"
    assert not {"privileged", "cap_add", "devices"} & service.keys()


def test_only_what_is_needed_is_published() -> None:
    published = {port for service in SERVICES.values() for port in service.get("ports", [])}
    assert published == {"8883:8883", "8444:8444", "8443:8443", "127.0.0.1:8080:8080", "127.0.0.1:3000:3000"}
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert SERVICES["influxdb"]["networks"] == ["inside"]


@pytest.mark.parametrize("name", OURS)
def test_commands_of_ours_exist(name: str) -> None:
    words = SERVICES[name]["command"]
    if "entrypoint" in SERVICES[name]:
        assert name == "net"
        return
    if "--" in words:
        guard = read_provision_settings(DEPLOY / "compose" / "provision.toml").guard
        assert guard
        words, told = words[: words.index("--")], words[words.index("--") + 1 :]
        assert told == [guard.program, "-c", str(guard.folder / CONF)]
    command = generate.programs()[" ".join(words[:2])]
    known = {spelled for parameter in command.params for spelled in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def targets(service: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """(folder in the container, whether it can be written) of every mount."""
    for volume in service.get("volumes", []):
        if isinstance(volume, str):
            source, target, *more = volume.split(":")
            assert source in COMPOSE["volumes"]
            yield target, "ro" not in more
        else:
            assert volume["source"].startswith(KEWANG)
            assert volume["bind"] == {"create_host_path": False}
            yield volume["target"], not volume.get("read_only", False)


def is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def test_every_path_of_the_settings_is_mounted() -> None:
    gateway = read_gateway_settings(DEPLOY / "compose" / "gateway.toml")
    office = read_provision_settings(DEPLOY / "compose" / "provision.toml")
    for name, settings in (("gateway", gateway), ("provisioning", office)):
        mounted = dict(targets(SERVICES[name])) | {
            f"/run/secrets/{secret}": False for secret in SERVICES[name]["secrets"]
        }
        for path in paths_of(settings.model_dump(mode="json")):
            assert any(is_below(path, folder) for folder in mounted) or path in ELSEWHERE[name], (name, path)
    assert gateway.incidents
    assert dict(targets(SERVICES["gateway"]))[str(gateway.incidents.folder)]
    assert dict(targets(SERVICES["provisioning"]))[str(office.state_folder)]


ELSEWHERE: Final[dict[str, set[str]]] = {"gateway": set(), "provisioning": {"/var/lib/mosquitto"}}
"""Paths that another container has: the guard writes this one into the broker's file."""


def paths_of(value: Any) -> Iterator[str]:
    """Whole paths of files and folders in settings."""
    if isinstance(value, dict):
        for each in value.values():
            yield from paths_of(each)
    elif isinstance(value, str) and re.match(r"/(etc|run|var)/", value):
        yield value


def test_broker_and_guard_share_files_and_network_and_neither_user_nor_processes() -> None:
    office = read_provision_settings(DEPLOY / "compose" / "provision.toml")
    assert office.guard
    broker, keeper = SERVICES["mosquitto"], SERVICES["provisioning"]
    assert broker["network_mode"] == keeper["network_mode"] == SERVICES["gateway"]["network_mode"] == "service:net"
    assert not any("pid" in service or "ipc" in service for service in SERVICES.values())
    (user, group) = broker["user"].split(":")
    assert user not in {service["user"].split(":")[0] for name, service in SERVICES.items() if name != "mosquitto"}
    assert keeper["group_add"] == [group]
    assert f"groupadd --gid {group} {office.guard.group} " in (DEPLOY / "Dockerfile").read_text()
    signal = office.guard.signal
    assert (signal.way, str(signal.socket)) == ("socket", broker["command"][broker["command"].index("--socket") + 1])
    writable = {name: {folder for folder, can in targets(SERVICES[name]) if can} for name in SERVICES}
    assert str(office.guard.folder) in writable["provisioning"] - writable["mosquitto"]
    assert str(signal.socket.parent) in writable["mosquitto"] - writable["provisioning"]
    assert str(office.guard.persistence) in writable["mosquitto"]
    assert not broker.get("secrets")


def test_the_keys_are_where_provisioning_is_alone() -> None:
    office = read_provision_settings(DEPLOY / "compose" / "provision.toml")
    keys, copies = str(office.state_folder), office.gateway.copies_folder
    for name, service in SERVICES.items():
        seen = dict(targets(service))
        assert any(is_below(keys, folder) for folder in seen) is (name == "provisioning")
        assert seen.get(str(copies)) == {"provisioning": True, "gateway": False}.get(name)
    gateway = read_gateway_settings(DEPLOY / "compose" / "gateway.toml")
    asked = {path for path in paths_of(gateway.model_dump(mode="json")) if is_below(path, str(copies))}
    assert asked == {f"{copies}/{Path(name).name}" for name in FILES}


def test_ports_are_those_of_the_settings() -> None:
    gateway = read_gateway_settings(DEPLOY / "compose" / "gateway.toml")
    office = read_provision_settings(DEPLOY / "compose" / "provision.toml")
    assert office.guard
    inside = {int(port.split(":")[-1]) for port in SERVICES["net"]["ports"]}
    assert inside == {office.web.port, office.devices.port, office.guard.devices.port, gateway.console.port}
    assert (gateway.broker.host, gateway.broker.port) == (office.guard.services.host, office.guard.services.port)
    assert office.gateway.url == f"http://127.0.0.1:{gateway.console.port}"
    checks = {name: str(SERVICES[name]["healthcheck"]["test"]) for name in ("gateway", "mosquitto", "provisioning")}
    assert f":{gateway.console.port}/health" in checks["gateway"]
    assert f"{office.guard.kick_port})" in checks["mosquitto"]
    assert f"{office.web.port})" in checks["provisioning"]
    environment = SERVICES["influxdb"]["environment"]
    assert gateway.store.url.startswith(f"influx2+http://influxdb:8086/{environment['DOCKER_INFLUXDB_INIT_ORG']}/")


def test_grafana_gets_what_the_build_asks_for() -> None:
    asked = re.findall(
        r"^#?(\w+)=(.*)$", str(built([Voice("id", "Asia/Jayapura", "https://s")])["grafana.env"]), re.MULTILINE
    )
    given = SERVICES["grafana"]["environment"]
    for name, value in asked:
        # With a token nobody has a name.
        if name != "KEWANG_INFLUX_USER":
            assert name in given
            assert not name.startswith("GF_") or given[name] == value
    folders = {target for target, _ in targets(SERVICES["grafana"])}
    assert {MOUNTED, "/usr/share/grafana/public/maps"} <= folders
    (source,) = data_source(influx2=True)["datasources"]
    assert source["secureJsonData"] == {"httpHeaderValue1": "Token $__file{/run/secrets/kewang-influx}"}
    assert "user" not in source
    assert "kewang-influx" in SERVICES["grafana"]["secrets"]
    assert "--influx2" in SERVICES["boards"]["command"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.parent.name))
def test_the_page_makes_every_secret_for_who_reads_it(page: Path) -> None:
    text = "\n".join(fence.text for fence in fences_of(page))
    made = {name: int(owner) for owner, name in re.findall(r"-o (\d+) .*?/srv/kewang/secrets/([\w.-]+)", text)}
    assert made.keys() == COMPOSE["secrets"].keys()
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"{KEWANG}secrets/{name}"}
        readers = {
            int(service["user"].split(":")[0]) for service in SERVICES.values() if name in service.get("secrets", [])
        }
        assert readers == {made[name]}


def test_the_image_installs_what_is_pinned_and_holds_every_package() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    copied = {name for line in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.MULTILINE) for name in line.split()}
    packages = {path.parent.name for path in CHECKOUT.glob("*/__init__.py")} - {"tests", "docs"}
    assert packages <= copied
    assert all((CHECKOUT / name).exists() for name in copied)
    kept = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied - {"requirements/build.txt", "requirements/server.txt"} == kept - {"requirements/*.txt"}
    installs = re.findall(r"pip install (.+?)(?: &&|$)", text, re.MULTILINE)
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)
    owner = SERVICES["gateway"]["user"]
    assert f"\nUSER {owner}\n" in text
