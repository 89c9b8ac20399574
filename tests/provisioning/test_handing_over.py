"""What a gateway in a container of its own gets of the state folder, and nothing else."""

from __future__ import annotations

import time
from pathlib import Path

from provisioning.authority import open_authority
from provisioning.handing_over import FILES, hand_over
from provisioning.inventory import Actor
from provisioning.settings import GatewayApiSettings, ProvisionSettings
from provisioning.setup import set_up


def test_the_gateway_gets_copies_of_its_own_files_and_new_ones_when_they_are_renewed(tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    settings = ProvisionSettings(
        state_folder=tmp_path / "state", gateway=GatewayApiSettings(copies_folder=copies, token_file=None)
    )
    set_up(settings, Actor.cli("test"), "ada", "Ada")

    def kept() -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in copies.iterdir()}

    first = kept()
    assert first == {Path(name).name: (settings.state_folder / name).read_bytes() for name in FILES}
    assert copies.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in copies.iterdir()} == {0o600}
    before = {file.name: file.stat().st_ino for file in copies.iterdir()}
    now_ms = time.time_ns() // 1_000_000
    open_authority(settings.state_folder).replace_service("gateway", (), now_ms, "client")
    hand_over(settings)
    assert {name for name, content in kept().items() if content != first[name]} == {"gateway.pem", "gateway.key"}
    same = {file.name for file in copies.iterdir() if file.stat().st_ino == before[file.name]}
    assert same == {"service-root.pem", "gateway.token", "session.key"}
