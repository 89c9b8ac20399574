"""HAProxy's file is good by its own judgement, and does what it is for (the rest: kewang.bench.attacks_load)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kewang.bench.process import find_program, free_port
from kewang.bench.provisioned import HOST, Haproxy, ProvisionedBroker
from kewang.wire import topics
from provisioning.guard.haproxy import check, haproxy_cfg, install
from provisioning.guard.settings import GuardSettings, ListenerSettings, ProxySettings


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """HAProxy, wherever `make parts` put it."""
    monkeypatch.setenv("PATH", f"{find_program('haproxy').parent}{os.pathsep}{os.environ['PATH']}")


def test_the_file_is_good(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(haproxy_cfg(ProxySettings(), ListenerSettings(port=18883), 2000))
    assert check(file) == []


def test_a_bad_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(haproxy_cfg(ProxySettings(), ListenerSettings(port=18883), 2000).replace("mode tcp", "mode tpc"))
    assert any("tpc" in line for line in check(file))


def test_tls_goes_through_untouched(broker: ProvisionedBroker, tmp_path: Path) -> None:
    box = broker.enrol("amb-box-one")
    settings = ProxySettings(host=HOST, port=free_port())
    with (
        Haproxy(tmp_path / "haproxy", settings, broker.settings.devices, 100) as proxy,
        broker.at_door(proxy.port, box, box.name, None) as client,
    ):
        assert client.publish(topics.build(box.name, topics.STATE), b"")


@pytest.mark.parametrize("word", ["inspect-delay 7s", "sc0_conn_cur gt 99", "bind 10.0.0.1:18883"])
def test_settings_are_in_the_file(word: str) -> None:
    proxy = ProxySettings(host="10.0.0.1", port=18883, hello_s=7, per_source=99)
    assert word in haproxy_cfg(proxy, ListenerSettings(port=1), 10)


def test_a_file_is_put_in_place_once_and_only_if_it_is_good(tmp_path: Path) -> None:
    file, broker = tmp_path / "haproxy.cfg", ListenerSettings(port=18883)
    proxy = ProxySettings(file=file)
    assert install(proxy, broker, 2000)
    assert not install(proxy, broker, 2000)
    good = file.read_text()
    with pytest.raises(OSError, match="the one before stays"):
        install(ProxySettings(file=file, host="no such host"), broker, 2000)
    assert file.read_text() == good
    assert [each.name for each in tmp_path.iterdir()] == ["haproxy.cfg"]


def test_with_a_proxy_boxes_find_no_other_way_in() -> None:
    with pytest.raises(ValueError, match="through HAProxy alone"):
        GuardSettings(proxy=ProxySettings())
