"""The real parts start, answer, survive what we do to them, and leave nothing behind."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import aiomqtt
import psutil
import pytest

from kewang.bench import process
from kewang.bench.cpu import cost
from kewang.bench.parts import Broker, Influxd, Mosquitto, accepts_tcp, answers_mqtt
from kewang.bench.process import MissingPart, Part, PartFailed, Ports, find_program, free_port, free_ports


async def delivered_through(broker: Broker, user: str | None = None, password: str | None = None) -> bytes:
    """What a subscriber gets of one QoS 1 message."""
    async with aiomqtt.Client(broker.host, broker.port, username=user, password=password) as client:
        await client.subscribe("try/+", qos=1)
        await client.publish("try/one", b"reading", qos=1)
        message = await anext(aiter(client.messages))
        assert isinstance(message.payload, bytes)
        return message.payload


def query(database: Influxd, text: str) -> str:
    """The raw answer to an InfluxQL statement, asked over POST so that it may also change things."""
    body = urllib.parse.urlencode({"db": "try", "q": text}).encode()
    with urllib.request.urlopen(f"{database.url}/query", body, timeout=5) as answer:
        return bytes(answer.read()).decode()


def count(database: Influxd) -> int:
    result = json.loads(query(database, "SELECT count(v) FROM m"))["results"][0]
    return int(result["series"][0]["values"][0][1]) if "series" in result else 0


def write(database: Influxd, *lines: str) -> None:
    with urllib.request.urlopen(f"{database.url}/write?db=try", "\n".join(lines).encode(), timeout=5) as answer:
        assert answer.status == http.client.NO_CONTENT


async def test_a_message_goes_through_every_broker(any_broker: Broker) -> None:
    assert await delivered_through(any_broker) == b"reading"


async def test_every_broker_answers_at_the_same_address_after_a_kill(any_broker: Broker) -> None:
    before = any_broker.url
    any_broker.kill9()
    assert not accepts_tcp(any_broker.host, any_broker.port)
    any_broker.start()
    assert any_broker.url == before
    assert await delivered_through(any_broker) == b"reading"


def test_stopping_ends_the_process_and_frees_the_port(mosquitto: Mosquitto) -> None:
    pid = mosquitto.pid
    assert pid is not None
    mosquitto.stop()
    assert not psutil.pid_exists(pid)
    assert not accepts_tcp(mosquitto.host, mosquitto.port)


def test_a_frozen_broker_accepts_but_does_not_answer(mosquitto: Mosquitto) -> None:
    mosquitto.freeze()
    assert accepts_tcp(mosquitto.host, mosquitto.port)
    assert not answers_mqtt(mosquitto.host, mosquitto.port)
    mosquitto.thaw()
    assert answers_mqtt(mosquitto.host, mosquitto.port)


async def test_mosquitto_with_users_lets_in_only_them(tmp_path: Path, running: Callable[[Part], Part]) -> None:
    broker = Mosquitto(tmp_path / "closed", users={"dev-1": "secret"})
    running(broker)
    assert await delivered_through(broker, "dev-1", "secret") == b"reading"
    with pytest.raises(aiomqtt.MqttError):
        await delivered_through(broker)


async def test_mosquitto_options_replace_ours(tmp_path: Path, running: Callable[[Part], Part]) -> None:
    broker = Mosquitto(tmp_path / "strict", options={"allow_anonymous": False})
    running(broker)
    with pytest.raises(aiomqtt.MqttError):
        await delivered_through(broker)


def test_influxd_keeps_points_over_a_kill_and_loses_them_with_its_disk(influxd: Influxd) -> None:
    query(influxd, "CREATE DATABASE try")
    write(influxd, "m v=1 1", "m v=2 2")
    influxd.kill9()
    influxd.start()
    assert count(influxd) == 2
    influxd.stop()
    influxd.wipe()
    influxd.start()
    assert "try" not in query(influxd, "SHOW DATABASES")


def test_influxd_brings_a_backup_back(influxd: Influxd, tmp_path: Path) -> None:
    query(influxd, "CREATE DATABASE try")
    write(influxd, "m v=1 1")
    influxd.backup(tmp_path / "backup")
    write(influxd, "m v=2 2")
    influxd.stop()
    influxd.wipe()
    influxd.start()
    influxd.restore(tmp_path / "backup")
    assert count(influxd) == 1


def test_a_running_part_is_not_wiped(mosquitto: Mosquitto) -> None:
    with pytest.raises(PartFailed, match="Stop it before"):
        mosquitto.wipe()


def test_a_part_that_cannot_start_says_why(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broken", options={"no_such_option": 1})
    with pytest.raises(PartFailed, match="no_such_option"):
        broker.start()
    assert not broker.is_running


def test_processor_time_is_that_of_proc_but_finer(mosquitto: Mosquitto) -> None:
    before = psutil.Process(mosquitto.pid).cpu_times()
    cpu_s = cost(mosquitto).cpu_s
    after = psutil.Process(mosquitto.pid).cpu_times()
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    assert before.user + before.system - 2 * tick_s <= cpu_s <= after.user + after.system + 2 * tick_s
    assert cpu_s % tick_s > 0
    mosquitto.kill9()
    with pytest.raises(PartFailed, match="ended while it was measured"):
        cost(mosquitto)


def test_a_missing_program_names_the_command_that_brings_it() -> None:
    with pytest.raises(MissingPart, match="make parts"):
        find_program("no-such-program-anywhere")


def test_free_ports_are_not_listened_on() -> None:
    port = free_port()
    assert port in process._PORTS
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))


ASKED = (1, 200, 100, 1)
ASKS = """
import sys
from kewang.bench.process import free_ports
print(*(free_ports(int(count)) for count in sys.argv[1:]), flush=True)
sys.stdin.read()
"""


def test_processes_are_never_given_the_same_port() -> None:
    """Each asks for more than a block, and all ask before anybody listens."""
    given: list[int] = []
    with ExitStack() as stack:
        asking = [stack.enter_context(_asking()) for _ in range(4)]
        for each in asking:
            assert each.stdout
            for first, count in zip(map(int, each.stdout.readline().split()), ASKED, strict=True):
                given += range(first, first + count)
    assert len(given) == len(set(given)) == 4 * sum(ASKED)


def _asking() -> subprocess.Popen[str]:
    """A process that is given ports, says which, and lives until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", ASKS, *map(str, ASKED)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_ports_given_out_long_ago_are_given_again_before_none_is() -> None:
    wanted = range(random.randrange(30_000, 32_000), 32_500)[: 2 * Ports.BLOCK]
    with closing(Ports(wanted)) as ports, closing(Ports(wanted[:1])) as late:
        given = [ports.give(Ports.BLOCK - 1) for _ in range(3)]
        assert given[0] == given[2] != given[1]
        with pytest.raises(PartFailed, match="other programs hold all ports"):
            late.give(1)
        ports.close()
        assert late.give(1) == wanted[0]


def test_more_ports_than_a_block_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 250"):
        free_ports(251)
