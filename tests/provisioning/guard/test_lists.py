"""Revocation lists, read back before a broker does."""

from __future__ import annotations

from pathlib import Path

import pytest

from kewang.bench.provisioned import now_ms
from provisioning.authority import Authority, create
from provisioning.authority.making import DAY_MS
from provisioning.guard import lists

SERIAL = "1f2e"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder: Path = tmp_path_factory.mktemp("authority")
    return create(folder, city="ambon", broker_hosts=["127.0.0.1"], api_hosts=["127.0.0.1"], now_ms=now_ms())


@pytest.fixture
def chain(authority: Authority) -> bytes:
    return authority.service("canary-good").certificate.read_bytes()


def test_a_fresh_list_has_no_fault(authority: Authority, chain: bytes) -> None:
    assert lists.lint(authority.device_crl([(SERIAL, now_ms())], now_ms()), chain, {SERIAL}, now_ms()) == []


def test_one_that_was_forgotten_is_missed(authority: Authority, chain: bytes) -> None:
    told = lists.lint(authority.device_crl([], now_ms()), chain, {SERIAL}, now_ms())
    assert told == [f"certificate {SERIAL} is revoked but not listed"]


def test_a_list_needs_three_days_to_go(authority: Authority, chain: bytes) -> None:
    old = authority.device_crl([], now_ms() - 5 * DAY_MS)
    assert "in less than 3 days" in lists.lint(old, chain, set(), now_ms())[0]
    assert lists.ends_ms(old) < now_ms() + lists.LEAST_MS


def test_a_list_of_the_future_is_not_used(authority: Authority, chain: bytes) -> None:
    early = authority.device_crl([], now_ms() + DAY_MS)
    assert "begins in the future" in lists.lint(early, chain, set(), now_ms())[0]


def test_the_other_kinds_list_is_not_ours(authority: Authority, chain: bytes) -> None:
    assert "no list of" in lists.lint(authority.service_crl([], now_ms()), chain, set(), now_ms())[0]


def test_a_list_with_our_name_and_another_key_is_not_ours(authority: Authority, chain: bytes, tmp_path: Path) -> None:
    other = create(tmp_path, city="ambon", broker_hosts=["127.0.0.1"], api_hosts=["127.0.0.1"], now_ms=now_ms())
    assert "is not signed by it" in lists.lint(other.device_crl([], now_ms()), chain, set(), now_ms())[0]


@pytest.mark.parametrize("part", [0, 1, 40, -1, -30, -400])
def test_a_part_of_a_bundle_is_refused(authority: Authority, chain: bytes, part: int) -> None:
    whole = authority.device_crl([(SERIAL, now_ms())], now_ms()).rstrip(b"\n")
    assert lists.lint(whole[:part], chain, {SERIAL}, now_ms())


def test_rubbish_is_refused(chain: bytes) -> None:
    for rubbish in (b"", b"\n", bytes(range(256)), b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"):
        assert lists.lint(rubbish, chain, set(), now_ms())
