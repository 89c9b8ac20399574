"""`kewang provision bundle`, `new-ca`, `new-key`, as processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import DNSName, SubjectAlternativeName, load_pem_x509_certificates

from kewang.wire.identity import fingerprint
from provisioning.authority import open_authority
from provisioning.authority.making import requested_key, spki
from tests.cli.commands import kewang, told

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run(*words, code=0)`: what `kewang provision ... --json` said, whose exit code was `code`; a city is set up."""
    config = tmp_path / "provision.toml"
    config.write_text(
        f'state_folder = "{tmp_path}/state"\n[web]\npublic_url = "https://kewang.ambon.go.id"\n'
        '[devices]\nbroker_host = "broker.ambon.go.id"\n'
    )

    def do(*words: str, code: int = 0) -> Any:
        done = kewang("provision", *words, "--config", str(config), "--json")
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return told(done) if done.stdout else done.stderr

    do("init")
    return do


def on_box(folder: Path, *words: str) -> Any:
    config = folder / "edge.toml"
    config.write_text(
        '[broker]\nhost = "127.0.0.1"\n'
        '[enrolment]\nurl = "https://127.0.0.1:1"\n'
        f'ca_file = "{folder}/state/ca/service-root.pem"\nfolder = "{folder}/box"\n'
    )
    done = kewang("edge", *words, "-c", str(config), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return told(done)


@pytest.mark.slow
def test_a_box_without_a_way_to_the_office_gets_its_identity_on_a_stick(run: Run, tmp_path: Path) -> None:
    request, stick = tmp_path / "request.csr", tmp_path / "bundle.json"
    box = on_box(tmp_path, "identity", "--request", str(request))["device"]
    make = ("bundle", box, "--request", str(request), "--into", str(stick))
    assert run(*make, code=1)["code"] == "P-404"
    label = fingerprint(spki(requested_key(request.read_bytes())))
    (tmp_path / "boxes.csv").write_text(f"id,fingerprint,kind\n{box},{label},camera\n")
    (tmp_path / "sites.csv").write_text("id;nama\nmardika;Pasar Mardika\n")
    run("import", "sites", str(tmp_path / "sites.csv"))
    run("import", "devices", str(tmp_path / "boxes.csv"))
    assert "not approved yet" in run(*make, code=1)
    run("approve", box, "--site", "mardika")
    run(*make)
    assert stick.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE KEY" not in stick.read_bytes()
    assert "exists already" in run(*make, code=2)
    on_box(tmp_path, "enrol", "--bundle", str(stick))
    (leaf, *_) = load_pem_x509_certificates((tmp_path / "box" / "chain.pem").read_bytes())
    assert leaf.subject.rfc4514_string() == f"CN={box}"
    acts = [row["act"] for row in run("audit", "list")["rows"]]
    assert acts.count("device.bundle") == 1


def test_what_is_no_request_makes_no_bundle(run: Run, tmp_path: Path) -> None:
    bad, into = tmp_path / "bad.csr", tmp_path / "bundle.json"
    make = ("bundle", "amb-cam-one", "--into", str(into))
    for content in (b"", b"\x00" * 100, b"-" * 1_000_000, b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"):
        bad.write_bytes(content)
        assert "no request of a box" in run(*make, "--request", str(bad), code=2)
    assert "No such file" in run(*make, "--request", str(tmp_path / "none"), code=2)
    assert not into.exists()


@pytest.mark.slow
def test_new_keys_and_cas(run: Run, tmp_path: Path) -> None:
    state = tmp_path / "state"
    before = open_authority(state).service("broker").key.read_bytes()
    run("new-key", "broker", "new.example", "127.0.0.1")
    run("new-key", "gateway")
    assert "name the hosts" in run("new-key", "api", code=2)
    assert "name no hosts" in run("new-key", "gateway", "x.example", code=2)
    stick = (state / "offline").rename(tmp_path / "stick")
    assert "stick" in run("new-ca", "device", "--offline", str(tmp_path / "other"), code=3)
    run("new-ca", "device", "--offline", str(stick))
    after = open_authority(state)
    assert after.service("broker").key.read_bytes() != before
    (certificate, *_) = load_pem_x509_certificates(after.service("broker").certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    assert names.get_values_for_type(DNSName) == ["new.example"]
    assert len(list((state / "ca").glob("device-ca*.key"))) == 2
    rows = {row["act"]: row for row in run("audit", "list")["rows"]}
    assert {"authority.key", "authority.ca"} <= set(rows)
    assert "PRIVATE" not in json.dumps(rows)
    assert run("audit", "verify")["ok"]
