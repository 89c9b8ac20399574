"""Settings of the guard: section `[guard]` of provision.toml."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from kewang.runtime.settings import Settings


class ListenerSettings(Settings):
    """An address on which the broker listens."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(ge=1, le=65535, description="TCP port.")


class SignalSettings(Settings):
    """How the broker is told to read its files again, and how it is stopped and started."""

    way: Literal["pid_file", "systemd", "socket", "command"] = Field(
        "systemd",
        description="pid_file: signals to the process; systemd: systemctl; socket: 'kewang provision attend' beside "
        "the broker; command: commands of yours.",
    )
    pid_file: Path = Field(Path("/run/mosquitto/mosquitto.pid"), description="For way pid_file: the broker's pid.")
    unit: str = Field("mosquitto.service", description="For way systemd: the broker's unit.")
    socket: Path = Field(
        Path("/run/mosquitto/guard.sock"), description="For way socket: where 'kewang provision attend' listens."
    )
    reload: tuple[str, ...] = Field((), description="For way command: makes the broker read its files again.")
    stop: tuple[str, ...] = Field((), description="For way command: stops the broker.")
    start: tuple[str, ...] = Field((), description="For way command: starts the broker.")

    @model_validator(mode="after")
    def _commands(self) -> "SignalSettings":
        if self.way == "command" and not (self.reload and self.stop and self.start):
            raise ValueError("way = 'command' needs reload, stop and start")
        return self


class ProxySettings(Settings):
    """HAProxy in front of the boxes' listener: it lets nobody hold a place without speaking TLS."""

    host: str = Field("*", description="Address on which boxes reach the broker; * is every one.")
    port: int = Field(8883, ge=1, le=65535, description="TCP port for boxes.")
    hello_s: int = Field(5, ge=1, le=60, description="Seconds a connection may stay silent before its TLS hello.")
    per_source: int = Field(
        256, ge=1, description="Connections from one address at one time. Mobile networks put many boxes behind one."
    )
    per_source_rate: int = Field(300, ge=1, description="New connections from one address in 10 s.")
    file: Path = Field(Path("/etc/haproxy/haproxy.cfg"), description="The file that is written.")


class GuardSettings(Settings):
    """The broker, as the guard keeps it."""

    folder: Path = Field(
        Path("/etc/mosquitto/kewang"), description="The broker's files. Nobody but the guard writes there."
    )
    group: str | None = Field(None, description="Group of the files, so that the broker can read them: mosquitto.")
    user: str | None = Field(None, description="User the broker becomes when root starts it; default: its own.")
    persistence: Path | None = Field(
        Path("/var/lib/mosquitto"), description="Where the broker keeps retained messages over a restart."
    )
    pid_file: Path | None = Field(None, description="Where the broker writes its pid; default: nowhere.")
    program: str = Field("mosquitto", description="The broker's program, for the trial of a change.")
    devices: ListenerSettings = Field(
        ListenerSettings(host="0.0.0.0", port=8883), description="Listener for boxes (TLS)."
    )
    services: ListenerSettings = Field(
        ListenerSettings(port=8884), description="Listener for gateway and provisioning (TLS)."
    )
    kick_port: int = Field(1889, ge=1, le=65535, description="Loopback port on which boxes are cut off.")
    max_devices: int = Field(2000, ge=1, description="Connections at the boxes' listener. Well above your fleet.")
    signal: SignalSettings = Field(SignalSettings(), description="How the broker is told.")
    proxy: ProxySettings | None = Field(None, description="HAProxy in front; without this section there is none.")
    limit_s: float = Field(5.0, gt=0, description="Longest wait for the broker's answer to one step.")

    @model_validator(mode="after")
    def _behind_the_proxy(self) -> "GuardSettings":
        if self.proxy and self.devices.host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("with guard.proxy, guard.devices.host must be 127.0.0.1: boxes come through HAProxy alone")
        return self
