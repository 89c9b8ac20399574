"""The other machine: a real OpenSSH server with the example's own rules, and what the server needs to reach it."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from kewang.bench.parts import accepts_tcp
from kewang.bench.process import Part, find_program, free_port
from tests.docs_examples.pages import EXAMPLES

USER: Final = "kewang-backup"
_NUMBER: Final = 60_001
_HOME: Final = f"/srv/{USER}"
_SHELL: Final = "/usr/sbin/nologin"
_HOST: Final = "127.0.0.1"
_SETTINGS: Final = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {keys}
Subsystem sftp internal-sftp
StrictModes no
UsePAM no
PidFile none
"""
_OWN_WORLD: Final = """
mount --bind {folder}/passwd /etc/passwd
mount --bind {data} /srv
mount -t tmpfs none /run
mkdir /run/sshd
exec "$@"
"""
"""As root: a user and folders of its own, without a trace on this machine."""


class BackupMachine(Part):
    """`sshd` on the example: as root with the user and the locked folder of the page, else as ourselves."""

    name = "sshd"
    host: ClassVar[str] = _HOST

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()
        self.as_root = os.geteuid() == 0
        self.repository = self.data_folder / USER / "kewang"
        """Where restic keeps what it was given."""
        self.repository.mkdir(parents=True)
        for key in ("host", "key"):
            keygen = [str(find_program("ssh-keygen")), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
            subprocess.run(keygen, check=True, capture_output=True)
        self.authorized = self.repository.parent / ".ssh" / "authorized_keys"
        self.authorized.parent.mkdir()
        self.authorized.write_text((folder / "key.pub").read_text())

    def command(self) -> Sequence[str]:
        config = self.folder / "sshd.conf"
        rules = EXAMPLES.joinpath("sshd-kewang-backup.conf").read_text()
        own = [str(find_program("sshd").absolute()), "-D", "-e", "-f", str(config)]
        keys = ".ssh/authorized_keys" if self.as_root else self.authorized
        settings = _SETTINGS.format(port=self.port, folder=self.folder, keys=keys)
        if not self.as_root:
            alone = "\n".join(line for line in rules.splitlines() if "ChrootDirectory" not in line)
            alone = alone.replace("internal-sftp", f"internal-sftp -d {self.repository.parent}")
            config.write_text(settings + alone.replace(USER, self.user, 1))
            return own
        config.write_text(settings + rules)
        os.chown(self.repository, _NUMBER, _NUMBER)
        users = f"sshd:x:{_NUMBER + 1}:{_NUMBER + 1}::/:{_SHELL}\n{USER}:x:{_NUMBER}:{_NUMBER}::{_HOME}:{_SHELL}\n"
        (self.folder / "passwd").write_text(Path("/etc/passwd").read_text() + users)
        world = _OWN_WORLD.format(folder=self.folder, data=self.data_folder)
        return ["unshare", "--mount", "sh", "-ec", world, "sh", *own]

    def is_ready(self) -> bool:
        return accepts_tcp(self.host, self.port)

    @property
    def user(self) -> str:
        """Who is let in."""
        return USER if self.as_root else os.environ.get("USER", "")

    def ssh(self) -> str:
        """The start of an ssh command that finds the machine by the name of the page."""
        example = EXAMPLES.joinpath("ssh-kewang-backup.conf").read_text()
        known, config = self.folder / "known_hosts", self.folder / "ssh.conf"
        known.write_text(f"[{self.host}]:{self.port} {(self.folder / 'host.pub').read_text()}")
        example = example.replace("HostName BACKUP-MACHINE", f"HostName {self.host}\n    Port {self.port}")
        example = example.replace(f"User {USER}", f"User {self.user}")
        example = example.replace("/etc/kewang/backup.key", str(self.folder / "key"))
        config.write_text(example.replace("/etc/kewang/backup.known_hosts", str(known)))
        return shlex.join([str(find_program("ssh").absolute()), "-F", str(config)])

    def restic(self) -> str:
        """The start of a restic command that goes there by this ssh."""
        way = f"sftp.command={self.ssh()} kewang-backup -s sftp"
        return shlex.join([str(find_program("restic").absolute()), "-o", way])
