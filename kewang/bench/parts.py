"""Real parts (Mosquitto, InfluxDB 1, PostgreSQL, NATS, amqtt) on free ports, for the demo, the bench and the tests.

Each lives in a folder of its own and keeps its ports across `restart`, `kill9` and `start`, so that its clients meet
the same address again.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from kewang.bench.postgres import Postgres
from kewang.bench.process import Part, PartFailed, find_program, free_port

__all__ = [
    "Amqtt",
    "Broker",
    "Influxd",
    "Mosquitto",
    "Nats",
    "Part",
    "PartFailed",
    "Postgres",
    "accepts_tcp",
    "answers_mqtt",
    "find_program",
    "free_port",
]

_PROBE_TIMEOUT_S = 1.0
_RESTORE_LIMIT_S = 30.0
# CONNECT of MQTT 3.1.1 with a clean session, a keepalive of 5 s and the client id "ready".
_MQTT_CONNECT = bytes.fromhex("10 11 0004 4d515454 04 02 0005 0005") + b"ready"
_MQTT_CONNACK = 0x20


class Broker(Part):
    """A part that speaks MQTT on `host:port`."""

    host: ClassVar[str] = "127.0.0.1"

    def __init__(self, folder: Path, port: int | None = None) -> None:
        super().__init__(folder)
        self.port = port or free_port()

    @property
    def url(self) -> str:
        return f"mqtt://{self.host}:{self.port}"

    def is_ready(self) -> bool:
        return answers_mqtt(self.host, self.port)


class Mosquitto(Broker):
    """Mosquitto 2, without persistence and open to anybody on this machine unless told otherwise.

    `options` are lines of mosquitto.conf by name (`{"max_inflight_messages": 20}`); they replace ours.
    `users` are names and passwords; with any, nobody else gets in.
    `tls` is (CA, certificate, key); with it, plain MQTT is refused.
    """

    name = "mosquitto"

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        options: Mapping[str, object] | None = None,
        users: Mapping[str, str] | None = None,
        tls: tuple[Path, Path, Path] | None = None,
    ) -> None:
        super().__init__(folder, port)
        self.options, self.users, self.tls = dict(options or {}), dict(users or {}), tls

    @property
    def url(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"

    def command(self) -> Sequence[str]:
        program = find_program("mosquitto")
        settings = self._settings()
        config = self.folder / "mosquitto.conf"
        config.write_text("".join(f"{name} {_conf_value(value)}\n" for name, value in settings.items()))
        return [str(program), "-c", str(config)]

    def is_ready(self) -> bool:
        return accepts_tcp(self.host, self.port) if self.tls else super().is_ready()

    def _settings(self) -> dict[str, object]:
        settings: dict[str, object] = {
            "user": "root",  # read only when started by root: else it would drop to a user who can't read our folder
            "log_dest": "stderr",
            "persistence": False,
            "persistence_location": f"{self.data_folder}/",
            "listener": f"{self.port} {self.host}",
            "allow_anonymous": not self.users,
        }
        if self.users:
            settings["password_file"] = self._write_password_file()
        if self.tls:
            settings |= dict(zip(("cafile", "certfile", "keyfile"), self.tls, strict=True))
        return settings | self.options

    def _write_password_file(self) -> Path:
        path = self.folder / "passwords"
        path.write_text("".join(f"{user}:{password}\n" for user, password in self.users.items()))
        path.chmod(0o600)
        subprocess.run([find_program("mosquitto_passwd"), "-U", path], check=True, capture_output=True)
        return path


class Nats(Broker):
    """nats-server's MQTT 3.1.1 listener, on top of JetStream. `nats_port` is its own protocol's port."""

    name = "nats-server"

    def __init__(self, folder: Path, port: int | None = None) -> None:
        super().__init__(folder, port)
        self.nats_port = free_port()

    def command(self) -> Sequence[str]:
        config = self.folder / "nats.json"
        settings = {
            "server_name": "kewang",
            "host": self.host,
            "port": self.nats_port,
            "jetstream": {"store_dir": str(self.data_folder)},
            "mqtt": {"host": self.host, "port": self.port},
        }
        config.write_text(json.dumps(settings))
        return [str(find_program("nats-server")), "--config", str(config)]


class Amqtt(Broker):
    """The broker that pip brings (extra `demo`), in a process of its own. Keeps nothing across a restart."""

    name = "amqtt"

    def command(self) -> Sequence[str]:
        config = self.folder / "amqtt.yaml"
        settings = {
            "listeners": {"default": {"type": "tcp", "bind": f"{self.host}:{self.port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
        config.write_text(json.dumps(settings))
        return [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(config)]


class Influxd(Part):
    """InfluxDB 1.6.7 from Debian, everything below `folder`, nothing reported to its maker.

    `options` are settings by section and name (`{"data.cache-max-memory-size": "64m"}`); they replace ours.
    """

    name = "influxd"
    host: ClassVar[str] = "127.0.0.1"

    def __init__(self, folder: Path, port: int | None = None, *, options: Mapping[str, object] | None = None) -> None:
        super().__init__(folder)
        self.port = port or free_port()
        self.backup_port = free_port()
        self.options = dict(options or {})

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def command(self) -> Sequence[str]:
        config = self.folder / "influxdb.conf"
        config.write_text(_toml_sections(self._settings() | self.options))
        return [str(find_program("influxd")), "run", "-config", str(config)]

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=_PROBE_TIMEOUT_S)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/ping")
            return connection.getresponse().status == http.client.NO_CONTENT
        return False

    def backup(self, into: Path) -> None:
        """Write a backup that `restore` reads. Only while it runs."""
        self._influxd("backup", "-portable", "-host", f"{self.host}:{self.backup_port}", str(into))

    def restore(self, backup: Path) -> None:
        """Bring back the databases of `backup` that are not there. Only while it runs; it is restarted on the way.

        1.6.7's restore command returns before the server has the files, and the server answers queries about restored
        points with nothing until it is started anew.
        """
        before = self._data_files()
        self._influxd("restore", "-portable", "-host", f"{self.host}:{self.backup_port}", str(backup))
        self._wait_for_files(before + _files_in(backup))
        self.restart()

    def _wait_for_files(self, wanted: int) -> None:
        deadline_s = time.monotonic() + _RESTORE_LIMIT_S
        while self._data_files() < wanted:
            if time.monotonic() > deadline_s:
                raise PartFailed(f"influxd restored {self._data_files()} files of {wanted}:\n{self.log_tail()}")
            time.sleep(0.02)

    def _data_files(self) -> int:
        return sum(1 for _ in (self.data_folder / "data").rglob("*.tsm"))

    def _influxd(self, *arguments: str) -> None:
        done = subprocess.run([find_program("influxd"), *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise PartFailed(f"influxd {arguments[0]} failed:\n{done.stdout}{done.stderr}")

    def _settings(self) -> dict[str, object]:
        return {
            "reporting-disabled": True,
            "bind-address": f"{self.host}:{self.backup_port}",
            "meta.dir": str(self.data_folder / "meta"),
            "data.dir": str(self.data_folder / "data"),
            "data.wal-dir": str(self.data_folder / "wal"),
            "http.bind-address": f"{self.host}:{self.port}",
            "http.log-enabled": False,
            "monitor.store-enabled": False,
        }


def _files_in(backup: Path) -> int:
    """Data files in the archives of a portable backup."""
    files = 0
    for path in backup.glob("*.tar.gz"):
        with tarfile.open(path) as archive:
            files += sum(name.endswith(".tsm") for name in archive.getnames())
    return files


def accepts_tcp(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), _PROBE_TIMEOUT_S):
        return True
    return False


def answers_mqtt(host: str, port: int) -> bool:
    """Whether a broker there answers a CONNECT, be it with a refusal."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), _PROBE_TIMEOUT_S) as link:
        link.sendall(_MQTT_CONNECT)
        return link.recv(4)[:1] == bytes([_MQTT_CONNACK])
    return False


def _conf_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _toml_sections(settings: Mapping[str, object]) -> str:
    """`{"meta.dir": "/x", "top": 1}` as TOML: names without a section first, then each section."""
    lines: dict[str, list[str]] = {"": []}
    for key, value in settings.items():
        section, _, name = key.rpartition(".")
        lines.setdefault(section, []).append(f"{name} = {json.dumps(value)}")
    return "\n".join("\n".join([f"[{section}]"] * bool(section) + body) for section, body in lines.items()) + "\n"
