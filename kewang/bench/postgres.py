"""PostgreSQL on a free port, for the tests of the inventory."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar

from kewang.bench.process import Part, PartFailed, find_program, free_port

_PROBE_TIMEOUT_S = 1.0
# A startup message of PostgreSQL's protocol 3.0 for the user "kewang"; the answer begins with R when it takes logins.
_POSTGRES_USER = b"user\0kewang\0\0"
_POSTGRES_HELLO = struct.pack(">II", 8 + len(_POSTGRES_USER), 196608) + _POSTGRES_USER
_NOBODY = 65534


class Postgres(Part):
    """PostgreSQL from Debian, a cluster of its own below `folder`, on 127.0.0.1 alone; its user is `kewang`.

    It refuses to run as root. Started by root, it runs in a user namespace that maps root to somebody else, which keeps
    root's access to `folder`; where the kernel forbids that, as `nobody`, with its data in a folder of /tmp.
    """

    name = "postgres"
    host: ClassVar[str] = "127.0.0.1"
    stop_signal = signal.SIGINT  # "fast": SIGTERM would wait until the last client has left

    def __init__(self, folder: Path, port: int | None = None, *, namespace: bool | None = None) -> None:
        super().__init__(folder)
        self.port = port or free_port()
        self.password = secrets.token_urlsafe(16)
        self._as_other = _as_somebody_else(namespace)
        if self._as_other and self._as_other[0] == "setpriv":
            self.data_folder = Path(tempfile.mkdtemp(prefix="kewang-postgres-")) / "data"
            os.chown(self.data_folder.parent, _NOBODY, _NOBODY)

    def url(self, database: str = "postgres") -> str:
        """Address of a database, for SQLAlchemy."""
        return f"postgresql+psycopg://kewang:{self.password}@{self.host}:{self.port}/{database}"

    def command(self) -> Sequence[str]:
        if not (self.data_folder / "PG_VERSION").exists():
            self._make_cluster()
        options = {
            "listen_addresses": self.host,
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": 50,
            "shared_buffers": "32MB",
            "autovacuum": "off",  # its workers would come and go among the processes that tests watch
            "jit": "off",
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [*self._as_other, str(find_program("postgres")), "-D", str(self.data_folder), *settings]

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), _PROBE_TIMEOUT_S) as link:
            link.sendall(_POSTGRES_HELLO)
            return link.recv(1) == b"R"
        return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._as_other and self._as_other[0] == "setpriv":
            shutil.rmtree(self.data_folder.parent, ignore_errors=True)

    def _make_cluster(self) -> None:
        password_file = self.data_folder.with_name("password")
        password_file.write_text(self.password)
        owner = self.data_folder.parent.stat()
        os.chown(password_file, owner.st_uid, owner.st_gid)
        initdb = [str(find_program("initdb")), "-D", str(self.data_folder), "-U", "kewang"]
        options = [f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"]
        done = subprocess.run([*self._as_other, *initdb, *options], capture_output=True, text=True, check=False)
        password_file.unlink()
        if done.returncode:
            raise PartFailed(f"initdb failed:\n{done.stdout}{done.stderr}")


def _as_somebody_else(namespace: bool | None) -> list[str]:
    """Words before a command that must not run as root; none for who is not root."""
    if os.geteuid() != 0:
        return []
    mapped = ["unshare", "-U", "--map-user=1000", "--map-group=1000"]
    if namespace is None:
        namespace = subprocess.run([*mapped, "true"], capture_output=True, check=False).returncode == 0
    if namespace:
        return mapped
    return ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
