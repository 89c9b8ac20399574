"""The certificate authority: what it issues, what it refuses, what runs out, and what a power cut leaves."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kewang.wire.errors import WireError
from kewang.wire.identity import fingerprint
from provisioning.authority import (
    Authority,
    AuthorityError,
    BadRequest,
    Lifetimes,
    create,
    files,
    making,
    open_authority,
)

NOW_MS = 1_795_000_000_000
DAY_MS = making.DAY_MS


def csr(key: object, name: str = "whoever") -> bytes:
    """A certificate request of `key`, with a name and extensions that must not count."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    built = x509.CertificateSigningRequestBuilder().subject_name(subject)
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return built.sign(key, digest).public_bytes(Encoding.PEM)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority")
    create(folder, city="amb", broker_hosts=["broker.lan", "127.0.0.1"], api_hosts=["api.lan"], now_ms=NOW_MS)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """One that a test may spoil."""
    return Path(shutil.copytree(made, tmp_path / "state"))


@pytest.fixture
def authority(folder: Path) -> Authority:
    return open_authority(folder)


def leaf_of(chain: bytes) -> tuple[x509.Certificate, x509.Certificate]:
    leaf, issuer = x509.load_pem_x509_certificates(chain)
    return leaf, issuer


def test_a_box_gets_its_name_its_key_and_nothing_else_of_its_request(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issued = authority.issue_device("amb-cam-7k3f9q", csr(key, "gateway"), NOW_MS)
    leaf, issuer = leaf_of(issued.chain)
    assert leaf.subject.rfc4514_string() == "CN=amb-cam-7k3f9q"
    assert leaf.public_key() == key.public_key()
    assert issued.fingerprint == fingerprint(making.spki(key.public_key()))
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert making.usages(leaf) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert issued.serial == f"{leaf.serial_number:x}"
    assert (issued.not_before_ms, issued.not_after_ms) == (NOW_MS - 3_600_000, NOW_MS + 30 * DAY_MS)
    leaf.verify_directly_issued_by(issuer)
    issuer.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.device_root))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate,
        lambda: rsa.generate_private_key(65537, 3072),
    ],
    ids=["P-384", "Ed25519", "RSA 3072"],
)
def test_strong_keys_of_other_kinds_are_taken(authority: Authority, make: Callable[[], object]) -> None:
    issued = authority.issue_device("passo-1", csr(make()), NOW_MS)
    assert leaf_of(issued.chain)[0].subject.rfc4514_string() == "CN=passo-1"


@pytest.mark.parametrize(
    "make",
    [
        lambda: csr(rsa.generate_private_key(65537, 2048)),
        lambda: csr(ec.generate_private_key(ec.SECP224R1())),
        lambda: csr(ec.generate_private_key(ec.SECP521R1())),
        lambda: csr(dsa.generate_private_key(2048)),
        lambda: b"",
        lambda: b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        lambda: b"\xff" * 100,
        lambda: b"A" * 9000,
    ],
    ids=["RSA 2048", "P-224", "P-521", "DSA", "empty", "no DER", "binary", "too long"],
)
def test_weak_keys_and_what_is_no_request_are_refused(authority: Authority, make: Callable[[], bytes]) -> None:
    with pytest.raises(BadRequest):
        authority.issue_device("passo-1", make(), NOW_MS)


def test_a_request_signed_by_another_key_is_refused(authority: Authority) -> None:
    request = x509.load_pem_x509_csr(csr(ec.generate_private_key(ec.SECP256R1())))
    der = bytearray(request.public_bytes(Encoding.DER))
    der[-1] ^= 1
    spoilt = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM)
    with pytest.raises(BadRequest, match="does not hold"):
        authority.issue_device("passo-1", spoilt, NOW_MS)


@pytest.mark.parametrize(
    "name",
    [
        "gateway",
        "broker",
        "provisioning",
        "kick",
        "gw-1",
        "canary-good",
        "kewang-x",
        "a/b",
        "+",
        "#",
        "AMB",
        "",
        "a" * 33,
    ],
)
def test_no_box_gets_a_name_of_ours_or_no_name(authority: Authority, name: str) -> None:
    with pytest.raises(WireError):
        authority.issue_device(name, csr(ec.generate_private_key(ec.SECP256R1())), NOW_MS)


@pytest.mark.parametrize("name", ["device-ca", "service-root", "time", "canary-x", "../x", "A"])
def test_a_service_can_not_take_the_place_of_a_ca(authority: Authority, name: str) -> None:
    with pytest.raises(AuthorityError):
        authority.issue_service(name, ["x"], NOW_MS)


def test_every_certificate_is_for_one_purpose_and_from_its_own_root(authority: Authority, folder: Path) -> None:
    found = {file.stem: files.read_chain(file) for file in (folder / "ca").glob("*.pem")}
    purposes = {
        name: (making.usages(chain[0]), chain[1].subject.rfc4514_string().split()[2])
        for name, chain in found.items()
        if len(chain) > 1
    }
    server, client, signer = [making.SERVER], [making.CLIENT], [making.SIGNER]
    assert purposes == {
        "broker": (server, "service"),
        "api": (server, "service"),
        "gateway": (client, "service"),
        "provisioning": (client, "service"),
        "time": (signer, "service"),
        "canary-good": (client, "device"),
        "canary-revoked": (client, "device"),
    }
    assert making.hosts_of(found["broker"][0]) == ["broker.lan", "127.0.0.1"]


def test_only_the_owner_can_read_keys_and_both_roots_lie_apart(folder: Path) -> None:
    keys = [*(folder / "ca").glob("*.key"), *(folder / "offline").glob("*.key")]
    assert {stat.S_IMODE(file.stat().st_mode) for file in keys} == {0o600}
    assert {file.name for file in (folder / "offline").iterdir()} == {"device-root.key", "service-root.key"}
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in ("ca", "offline")} == {0o700}


def test_everything_but_a_new_ca_works_while_the_roots_keys_are_on_a_stick(folder: Path, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    (folder / "offline").rename(stick)
    authority = open_authority(folder)
    authority.issue_device("passo-1", csr(making.new_key()), NOW_MS)
    authority.device_crl([("ab", NOW_MS)], NOW_MS)
    assert authority.renew_services(NOW_MS + 70 * DAY_MS)
    with pytest.raises(AuthorityError, match="stick"):
        authority.renew_ca("device", NOW_MS)
    open_authority(folder, offline=stick).renew_ca("device", NOW_MS)


@pytest.mark.parametrize("name", ["device-ca.key", "service-ca.key", "time.key"])
def test_a_key_that_others_can_read_or_that_is_gone_is_refused_with_the_next_step(folder: Path, name: str) -> None:
    file = folder / "ca" / name
    file.chmod(0o640)
    with pytest.raises(AuthorityError, match=f"chmod 600 .*{name}"):
        open_authority(folder)
    file.unlink()
    with pytest.raises(AuthorityError, match=f"{name} is not there: .*backup"):
        open_authority(folder)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN", b"\x00" * 300])
@pytest.mark.parametrize("name", ["device-ca.key", "device-ca.pem", "service-root.pem", "time.pem"])
def test_a_half_written_file_is_refused(folder: Path, name: str, content: bytes) -> None:
    (folder / "ca" / name).write_bytes(content)
    with pytest.raises(AuthorityError, match="restore"):
        open_authority(folder)


def test_keys_of_two_backups_are_not_mixed(folder: Path) -> None:
    files.write_key(folder / "ca" / "device-ca.key", making.new_key())
    with pytest.raises(AuthorityError, match="is not the key of"):
        open_authority(folder)


def test_there_is_never_a_second_authority(folder: Path) -> None:
    with pytest.raises(AuthorityError, match="is there already"):
        create(folder, city="amb", broker_hosts=["x"], api_hosts=["x"], now_ms=NOW_MS)


def test_what_a_killed_creation_left_does_not_matter(tmp_path: Path) -> None:
    left = tmp_path / ".authority.new" / "ca"
    left.mkdir(parents=True)
    (left / "device-ca.key").write_text("half of a k")
    create(tmp_path, city="amb", broker_hosts=["x"], api_hosts=["x"], now_ms=NOW_MS)
    assert not (tmp_path / ".authority.new").exists()


def crls(bundle: bytes) -> list[x509.CertificateRevocationList]:
    mark = b"-----BEGIN X509 CRL-----"
    return [x509.load_pem_x509_crl(mark + part) for part in bundle.split(mark)[1:]]


def test_a_revocation_list_names_all_and_ends_in_a_week(authority: Authority) -> None:
    of_ca, of_root = crls(authority.device_crl([("ab12", NOW_MS), ("1", NOW_MS - DAY_MS)], NOW_MS))
    assert {f"{each.serial_number:x}" for each in of_ca} == {"ab12", "1"}
    assert of_ca.next_update_utc is not None
    assert of_root.next_update_utc is not None
    assert making.unix_ms(of_ca.next_update_utc) == NOW_MS + 7 * DAY_MS
    assert making.unix_ms(of_root.next_update_utc) > NOW_MS + 19 * 365 * DAY_MS
    issuer = leaf_of(authority.issue_device("passo-1", csr(making.new_key()), NOW_MS).chain)[1]
    assert of_ca.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    assert len(list(crls(authority.service_crl((), NOW_MS))[0])) == 0


def test_a_new_ca_leaves_the_old_ones_boxes_in_and_both_sign_their_lists(authority: Authority) -> None:
    before = leaf_of(authority.issue_device("passo-1", csr(making.new_key()), NOW_MS).chain)
    authority.renew_ca("device", NOW_MS + DAY_MS)
    after = leaf_of(authority.issue_device("passo-2", csr(making.new_key()), NOW_MS + DAY_MS).chain)
    assert before[1].subject != after[1].subject
    issuers = [each.issuer for each in crls(authority.device_crl((), NOW_MS + DAY_MS))]
    assert set(issuers) == {before[1].subject, after[1].subject, after[1].issuer}


@pytest.mark.parametrize("moved", range(6))
def test_a_power_cut_while_a_ca_is_renewed_leaves_the_old_or_the_new_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    """The disk goes away after `moved` files were put in place; the next start puts the rest there."""
    authority, real, left = open_authority(folder), Path.rename, [moved]

    def rename(self: Path, target: Path) -> Path:
        if self.parent.name == "next":
            if not left[0]:
                raise OSError("power cut")
            left[0] -= 1
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    try:
        authority.renew_ca("device", NOW_MS)
    except OSError:
        assert moved < 5
    monkeypatch.undo()
    again = open_authority(folder)
    leaf, issuer = leaf_of(again.issue_device("passo-1", csr(making.new_key()), NOW_MS).chain)
    leaf.verify_directly_issued_by(issuer)
    assert issuer.subject.rfc4514_string().endswith("CA 2")
    assert not (folder / "ca" / "next").exists()


def test_everything_that_runs_out_is_listed_the_soonest_first(authority: Authority) -> None:
    found = authority.expiring(NOW_MS, {"devices": authority.device_crl((), NOW_MS)})
    assert [each.not_after_ms for each in found] == sorted(each.not_after_ms for each in found)
    assert {each.name for each in found} >= {
        "broker",
        "api",
        "time",
        "device-ca",
        "service-ca",
        "device-root",
        "devices",
    }
    by_name = {each.name: each for each in found}
    assert by_name["devices"].due_ms == NOW_MS + DAY_MS
    assert by_name["broker"].due_ms == NOW_MS + 60 * DAY_MS
    assert by_name["broker"].by_itself
    assert not by_name["device-ca"].by_itself


def test_certificates_of_ours_are_renewed_when_two_thirds_are_over_and_keep_key_and_hosts(authority: Authority) -> None:
    before = files.read_chain(authority.service("broker").certificate)[0]
    assert authority.renew_services(NOW_MS + 59 * DAY_MS) == []
    assert set(authority.renew_services(NOW_MS + 61 * DAY_MS)) == {
        "api",
        "broker",
        "canary-good",
        "canary-revoked",
        "gateway",
        "provisioning",
        "time",
    }
    after = files.read_chain(authority.service("broker").certificate)[0]
    assert after.public_key() == before.public_key()
    assert making.hosts_of(after) == making.hosts_of(before)
    assert after.serial_number != before.serial_number
    assert making.unix_ms(after.not_valid_after_utc) == NOW_MS + 151 * DAY_MS


def test_no_certificate_outlives_its_ca(authority: Authority) -> None:
    late_ms = NOW_MS + 725 * DAY_MS
    assert authority.issue_device("passo-1", csr(making.new_key()), late_ms).not_after_ms == NOW_MS + 731 * DAY_MS


def test_lifetimes_can_be_divided_for_a_bench(folder: Path) -> None:
    quick = open_authority(folder, Lifetimes().divided(1440))
    issued = quick.issue_device("passo-1", csr(making.new_key()), NOW_MS)
    assert issued.not_after_ms - NOW_MS == 30 * DAY_MS // 1440
