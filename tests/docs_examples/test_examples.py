"""The examples in the pages work: files load, commands run, messages decode, the tutorial's driver reads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from configparser import RawConfigParser, SectionProxy
from pathlib import Path

import aiomqtt
import pytest

import docs.generate as generate
from edge.settings import build_sources, read_start
from edge.settings import read_settings as read_edge_settings
from edge.sources.registers import read_map
from gateway.incidents.rules import load_rules
from gateway.notify.routes import read_notify_settings
from gateway.settings import read_settings as read_gateway_settings
from kewang.bench.parts import Mosquitto
from kewang.bench.process import find_program
from kewang.runtime.settings import secret
from kewang.wire.ack import decode_ack
from kewang.wire.batch import decode, encode
from kewang.wire.command import Result, decode_command
from kewang.wire.errors import WireError
from kewang.wire.placement import Placement
from kewang.wire.state import GatewayState, State
from kewang.wire.topics import build, filters
from provisioning.guard.conf import CONF
from provisioning.guard.haproxy import haproxy_cfg
from provisioning.placements import read_placements
from provisioning.settings import read_settings as read_provision_settings
from tests.docs_examples.pages import DOCS, EXAMPLES, Fence, fences, fences_of, messages, tables

UNITS = ("edge", "gateway", "provision", "canary")
SECRETS = ("local.password", "broker.password", "cam-1.password", "influx.password")
COMMAND = [sys.executable, "-c", "from kewang.cli import main; main()"]
LIMIT_S = 120
MOST_OPEN = 2.0
"""A unit with a higher score is not ours."""

CITY_CA = """\
-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUEIWfEM+lX58NZ2hIgzukyd5rMyAwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEY2l0eTAgFw0yNjExMjIyMDA0MjVaGA8yMTI2MTAyOTIwMDQy
NVowDzENMAsGA1UEAwwEY2l0eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPYw
fS2zJPwJnBE/P0TndS9gZ/zbM6vMKlX38JLzUmPA6K4rjBPpmOcvv/83UCPI6+9w
TphbEXui1YNySSz5OfCjUzBRMB0GA1UdDgQWBBR1ZASDImpw5hjRKkenBtUaGTAz
YjAfBgNVHSMEGDAWgBR1ZASDImpw5hjRKkenBtUaGTAzYjAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIC/shQvex9NguSn9kL976nO5AwAPSv6f0rMh
slsBkn5gAiEAuJYmF+TV8UQUGkk3qA4sfRnsb0dbUKWPI0OGT3gAjco=
-----END CERTIFICATE-----
"""
"""A certificate that TLS can load; its key was thrown away."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example files, with the secrets and certificates that they name beside them."""
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    for name in SECRETS:
        (tmp_path / name).write_text("a secret\n")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "ping.url").write_text("https://watcher.example/a-secret\n")
    (tmp_path / "ping.url").chmod(0o600)
    (tmp_path / "city-ca.pem").write_text(CITY_CA)
    return tmp_path


def test_the_complete_examples_load(folder: Path) -> None:
    edge = read_edge_settings(folder / "edge.toml")
    assert [source.name for source in edge.sources] == ["box", "env-1", "cam-1", "river-1"]
    firsts = [source.metrics[0] for source in build_sources(edge)]
    assert firsts == ["cpu_pct", "temp_c", "camera_state", "water_level_cm"]
    sensors = build_sources(read_edge_settings(folder / "sensors.toml"))
    assert {source.name for source in sensors} >= {"env-1", "river-1", "bin-1", "rain-1", "pm-1", "air-1", "kitchen"}
    gateway = read_gateway_settings(folder / "gateway.toml")
    assert gateway.store.secret_file is not None
    assert secret(folder / gateway.store.secret_file) == "a secret"
    placements = read_placements(folder / "placements.toml")
    assert [place.site for place in placements["passo-1"].h] == ["workshop", "passo"]


@pytest.mark.parametrize("fence", fences("toml"), ids=str)
def test_toml_in_the_pages_loads(fence: Fence, tmp_path: Path) -> None:
    file = tmp_path / "example.toml"
    file.write_text(fence.text)
    readers: dict[str, Callable[[Path], object]] = {
        "edge": read_edge_settings,
        "gateway": read_gateway_settings,
        "registers": read_map,
        "notify": read_notify_settings,
        "rules": load_rules,
    }
    kind = fence.kind.split()[1]
    assert kind in {*readers, "source", "entry-point"}
    if kind in readers:
        readers[kind](file)
    else:
        assert tomllib.loads(fence.text)


@pytest.mark.parametrize("fence", fences("sh run"), ids=str)
def test_commands_that_are_marked_run(fence: Fence, folder: Path) -> None:
    for line in fence.text.splitlines():
        program, *words = line.split()
        assert program == "kewang"
        done = subprocess.run(
            [*COMMAND, *words], cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_messages_in_the_protocol_decode_and_encode() -> None:
    batches = [decode(message) for message in messages("batch")]
    assert [batch.held for batch in batches] == [None, 12, None]
    assert [decode(encode(batch)) for batch in batches] == batches
    (ack,) = map(decode_ack, messages("ack"))
    assert decode_ack(ack.encode()) == ack
    assert [State.decode(message).st for message in messages("state")] == ["on", "off", "bye", "on"]
    assert [GatewayState.decode(message).st for message in messages("gateway-state")] == ["on"]
    assert [Placement.decode(message).now.site for message in messages("placement")] == ["mardika"]
    commands = [decode_command(message) for message in messages("command")]
    assert [(command.name, command.args["source"]) for command in commands] == [("accept_view", "cam-1")]
    assert [Result.decode(message).id for message in messages("result")] == [command.id for command in commands]


def test_what_the_protocol_calls_unreadable_is() -> None:
    found = messages("not-a-batch")
    assert len(found) == 6
    for message in found:
        with pytest.raises(WireError):
            decode(message)


@pytest.fixture
def tutorial(folder: Path) -> Path:
    """The driver of add-a-sensor.md as an installed package, and settings that use it."""
    by_kind = {fence.kind: fence.text for fence in fences_of(DOCS / "dev" / "add-a-sensor.md")}
    site = folder / "site"
    info = site / "w1_thermometer-0.1.0.dist-info"
    info.mkdir(parents=True)
    (site / "w1_thermometer.py").write_text(by_kind["python w1_thermometer.py"])
    project = tomllib.loads(by_kind["toml entry-point"])["project"]
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = project["entry-points"]["kewang.sources"]
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[kewang.sources]\n{lines}")
    source = re.sub(r'file = ".*"', 'file = "thermometer"', by_kind["toml source"])
    (folder / "edge.toml").write_text(f'device = "mardika-1"\n{source}')
    return folder


READ_ONCE = """
import asyncio
from pathlib import Path
from edge.ports import SourceError
from edge.settings import build_sources, read_settings
source = build_sources(read_settings(Path("edge.toml")))[1]
try:
    print(asyncio.run(source.read()))
except SourceError as error:
    print("SourceError", error)
"""


@pytest.mark.parametrize(
    ("content", "said"), [("27312\n", "(27.312, None)"), ("", "SourceError"), (None, "SourceError thermometer")]
)
def test_the_driver_of_the_tutorial_reads(tutorial: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tutorial / "thermometer").write_text(content)
    done = in_tutorial(tutorial, [sys.executable, "-c", READ_ONCE])
    assert said in done.stdout, done.stdout + done.stderr


def test_the_command_of_the_tutorial_knows_the_driver(tutorial: Path) -> None:
    done = in_tutorial(tutorial, [*COMMAND, "edge", "check", "-c", "edge.toml"])
    assert done.returncode == 0, done.stderr
    assert "cold-room" in done.stdout


def in_tutorial(folder: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(folder / "site"), *sys.path])
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.parametrize("unit", [EXAMPLES / f"kewang-{name}.service" for name in UNITS], ids=lambda path: path.stem)
def test_units_start_a_command_that_exists(unit: Path) -> None:
    service = section(unit, "Service")
    _, _, words = service["ExecStart"].partition("/bin/kewang ")
    *name, option, _ = words.split()
    command = generate.programs()[" ".join(name)]
    assert any(option in parameter.opts for parameter in command.params)
    assert service["Restart"] == "always"


@pytest.mark.parametrize("name", ["edge", "gateway", "canary"])
def test_units_let_their_program_ask_for_the_clock(name: str) -> None:
    unit = EXAMPLES / f"kewang-{name}.service"
    assert "ProtectClock" not in section(unit, "Service")
    assert "SystemCallFilter=adjtimex" in unit.read_text()


@pytest.mark.parametrize("name", [*UNITS, "canary-pause", "backup"])
def test_systemd_understands_the_units(name: str, tmp_path: Path) -> None:
    program = tmp_path / "kewang"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / f"kewang-{name}.service"
    text = EXAMPLES.joinpath(unit.name).read_text()
    unit.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={program}", text))
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    told = [line for line in done.stderr.splitlines() if str(unit) in line or unit.name in line]
    assert (done.returncode, told) == (0, [])


@pytest.mark.parametrize("language", ["en", "id"])
def test_units_are_as_closed_as_the_page_says(language: str) -> None:
    """By `systemd-analyze security`: 0 is closed, 10 is open; the page states a score for every unit of ours."""
    (rows,) = [rows for _, rows in tables(DOCS / language / "security.md") if rows[0][0].endswith(".service`")]
    stated = {row[0].strip("`"): float(row[1]) for row in rows}
    assert stated.keys() == {path.name for path in EXAMPLES.glob("*.service")}
    assert {name: score for name, score in stated.items() if score > MOST_OPEN} == {}
    assert {name: exposure(EXAMPLES / name) for name in stated} == stated


def exposure(unit: Path) -> float:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    (score,) = re.findall(r"Overall exposure level for \S+: ([\d.]+) ", done.stdout)
    return float(score)


def test_the_box_may_use_its_serial_lines() -> None:
    """Majors of USB serial, CDC ACM, PL011 and I2C, by the kernel's list of devices."""
    unit = EXAMPLES.joinpath("kewang-edge.service").read_text()
    allowed = set(re.findall(r"^DeviceAllow=(.+) rw$", unit, re.MULTILINE))
    assert allowed == {"char-188", "char-166", "char-204", "char-89", "/dev/ttyS0"}
    assert "\nPrivateDevices=" not in unit


def test_provisioning_may_write_what_its_guard_writes_and_tell_the_broker_that_the_rule_names() -> None:
    settings = read_provision_settings(EXAMPLES / "provision.toml")
    assert settings.guard
    service = section(EXAMPLES / "kewang-provision.service", "Service")
    assert service["ReadWritePaths"] == str(settings.guard.folder)
    assert service["SupplementaryGroups"] == settings.guard.group
    rule = EXAMPLES.joinpath("kewang-mosquitto.rules").read_text()
    assert f'"{settings.guard.signal.unit}"' in rule
    assert f'"{service["User"]}"' in rule
    broker = EXAMPLES.joinpath("mosquitto-kewang.conf").read_text()
    assert broker.endswith(f" -c {settings.guard.folder}/{CONF}\n")


def test_the_example_for_haproxy_is_what_the_guard_makes() -> None:
    guard = read_provision_settings(EXAMPLES / "provision.toml").guard
    assert guard
    assert guard.proxy
    made = haproxy_cfg(guard.proxy, guard.devices, guard.max_devices)
    assert EXAMPLES.joinpath("haproxy.cfg").read_text() == made


def test_the_box_that_enrols_finds_its_office(folder: Path) -> None:
    (folder / "service-root.pem").write_text(CITY_CA)
    start = read_start(folder / "edge-enrolled.toml")
    assert start.enrolment
    assert start.enrolment.ca_file == folder / "service-root.pem"
    canary = read_start(folder / "canary.toml").enrolment
    assert canary
    assert (canary.url, canary.label_host) == (start.enrolment.url, start.enrolment.label_host)
    assert section(EXAMPLES / "kewang-canary.timer", "Timer")["Unit"] == "kewang-canary-pause.service"
    office = read_provision_settings(EXAMPLES / "provision.toml")
    assert start.enrolment.url.rstrip("/") == office.devices.public_url
    assert f"https://{start.enrolment.label_host}" == office.web.public_url


def section(unit: Path, name: str) -> SectionProxy:
    """A section of a unit; of keys that stand there twice the last one."""
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(unit.read_text())
    return parser[name]


class ExampleBroker(Mosquitto):
    """Mosquitto on the example's own two files, but for the port and the folder."""

    def command(self) -> Sequence[str]:
        acl, config = self.folder / "kewang.acl", self.folder / "kewang.conf"
        acl.write_bytes(EXAMPLES.joinpath("mosquitto.acl").read_bytes())
        acl.chmod(0o600)
        text = EXAMPLES.joinpath("mosquitto.conf").read_text()
        text = text.replace("listener 1883\n", f"listener {self.port} {self.host}\n")
        text = text.replace("/etc/mosquitto/kewang.acl", str(acl))
        text = text.replace("/etc/mosquitto/kewang.passwd", str(self._write_password_file()))
        # Started by root it would else drop to a user who can't read our folder.
        config.write_text(f"user root\n{text}")
        return [str(find_program("mosquitto")), "-c", str(config)]


USERS = {"gw1": "a", "mardika-1": "b", "passo-1": "c", "provisioning": "d", "operator": "e"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ExampleBroker]:
    with ExampleBroker(tmp_path, users=USERS) as started:
        yield started


async def test_the_broker_example_lets_a_device_speak_only_for_itself(broker: Mosquitto) -> None:
    async with client(broker, "gw1", "a") as gateway, client(broker, "mardika-1", "b") as device:
        await gateway.subscribe([(each, 1) for each in filters(["d/env"])])
        await device.subscribe(build("mardika-1", "a"), qos=1)
        await device.publish(build("passo-1", "d/env"), "foreign", qos=1)
        await device.publish(build("mardika-1", "d/env"), "own", qos=1)
        assert await first(gateway) == b"own"
        await gateway.publish(build("mardika-1", "a"), "ack", qos=1)
        assert await first(device) == b"ack"


async def test_the_broker_example_lets_only_provisioning_place_devices(broker: Mosquitto) -> None:
    async with client(broker, "gw1", "a") as gateway, client(broker, "mardika-1", "b") as device:
        await gateway.subscribe([(each, 1) for each in filters(["p"])])
        await device.publish(build("mardika-1", "p"), "foreign", qos=1)
        async with client(broker, "provisioning", "d") as provisioning:
            await provisioning.publish(build("mardika-1", "p"), "placed", qos=1)
        assert await first(gateway) == b"placed"


async def test_the_broker_example_lets_only_an_operator_command_devices(broker: Mosquitto) -> None:
    async with (
        client(broker, "operator", "e") as operator,
        client(broker, "mardika-1", "b") as device,
        client(broker, "passo-1", "c") as other,
    ):
        await device.subscribe(build("mardika-1", "x"), qos=1)
        await operator.subscribe(build("mardika-1", "x/r"), qos=1)
        await other.publish(build("mardika-1", "x"), "foreign", qos=1)
        await operator.publish(build("mardika-1", "x"), "command", qos=1)
        assert await first(device) == b"command"
        await other.publish(build("mardika-1", "x/r"), "foreign", qos=1)
        await device.publish(build("mardika-1", "x/r"), "result", qos=1)
        assert await first(operator) == b"result"


async def test_the_broker_example_lets_nobody_take_a_foreign_client_id(broker: Mosquitto) -> None:
    async with client(broker, "gw1", "a") as gateway, client(broker, "passo-1", "c") as victim:
        await victim.subscribe(build("passo-1", "a"), qos=1)
        async with client(broker, "mardika-1", "b", identifier="passo-1"):
            await gateway.publish(build("passo-1", "a"), "ack", qos=1)
            assert await first(victim) == b"ack"


def client(broker: Mosquitto, user: str, password: str, identifier: str = "") -> aiomqtt.Client:
    return aiomqtt.Client(
        broker.host, broker.port, username=user, password=password, identifier=identifier or user, timeout=20
    )


async def first(of: aiomqtt.Client) -> bytes:
    """The first message that `of` hears."""
    async for message in of.messages:
        assert isinstance(message.payload, bytes)
        return message.payload
    raise AssertionError("the broker closed the connection")
