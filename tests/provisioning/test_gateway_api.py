"""Asking the gateway what is stored, against a server that answers as agreed and one that does not."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from provisioning.gateway_api import LIMIT_BYTES, GatewayAddress, GatewayApi, GatewayAway
from tests.provisioning.gateway_server import TOKEN, GatewayServer, Scripted


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    return file


@pytest.fixture
async def gateway() -> AsyncIterator[GatewayServer]:
    async with GatewayServer() as server:
        yield server


async def test_what_is_stored_since_then(gateway: GatewayServer, token: Path) -> None:
    gateway.store("amb-env-2b4c6d", "env", "env-1", {"temp_c": 30.1})
    async with GatewayApi(GatewayAddress(gateway.url + "/", token)) as api:
        found = await api.acceptance("amb-env-2b4c6d", 1)
        stored = found.of("env-1")
        assert stored is not None
        assert (stored.rows, stored.values, found.heard_ms, found.trouble) == (
            1,
            {"temp_c": 30.1},
            stored.newest_ms,
            None,
        )
        assert found.birth is not None
        assert found.birth.fw == "1.0"
        later = await api.acceptance("amb-env-2b4c6d", stored.newest_ms + 1)
        assert (later.of("env-1"), later.heard_ms) == (None, stored.newest_ms)
        assert (await api.devices())["amb-env-2b4c6d"].condition == "ok"
    assert gateway.asked[0] == "/api/v1/acceptance/amb-env-2b4c6d?since_ms=1"


async def test_a_database_that_is_away_is_said(gateway: GatewayServer, token: Path) -> None:
    gateway.store("amb-env-2b4c6d", "env", "env-1", {"temp_c": 30.1})
    gateway.trouble = "it does not answer"
    async with GatewayApi(GatewayAddress(gateway.url, token)) as api:
        found = await api.acceptance("amb-env-2b4c6d", 1)
    assert (found.trouble, found.sources) == ("it does not answer", ())


ABOUT_ANOTHER = json.dumps({"device": "another", "now_ms": 1}).encode()
WRONG = json.dumps({"device": "x-1", "now_ms": 1, "sources": [{"stream": "env"}]}).encode()


@pytest.mark.parametrize(
    ("scripted", "why"),
    [
        (Scripted(500, b"{}"), "answers 500"),
        (Scripted(302, b"{}"), "answers 302"),
        (Scripted(200, b"<html>"), "can't be read"),
        (Scripted(200, WRONG), "can't be read"),
        (Scripted(200, b"[" * 100_000), "can't be read"),
        (Scripted(200, b"x" * (LIMIT_BYTES + 1)), "too long"),
        (Scripted(200, ABOUT_ANOTHER), "another device"),
        (Scripted(200, None), "does not answer"),
    ],
)
async def test_no_usable_answer(gateway: GatewayServer, token: Path, scripted: Scripted, why: str) -> None:
    gateway.script(scripted)
    async with GatewayApi(GatewayAddress(gateway.url, token)) as api:
        with pytest.raises(GatewayAway, match=why):
            await api.acceptance("x-1", 0)
        assert (await api.acceptance("x-1", 0)).sources == ()


async def test_nobody_there(token: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with GatewayApi(GatewayAddress(f"http://127.0.0.1:{port}", token)) as api:
        with pytest.raises(GatewayAway, match="does not answer"):
            await api.acceptance("x-1", 0)


async def test_a_wrong_token_and_one_that_others_can_read(gateway: GatewayServer, token: Path) -> None:
    async with GatewayApi(GatewayAddress(gateway.url, token)) as api:
        put(token, "another", 0o600)
        with pytest.raises(GatewayAway, match="refuses our token"):
            await api.acceptance("x-1", 0)
        put(token, TOKEN, 0o644)
        with pytest.raises(GatewayAway, match="chmod 600"):
            await api.acceptance("x-1", 0)
        put(token, TOKEN, 0o600)
        assert (await api.acceptance("x-1", 0)).device == "x-1"


def put(file: Path, text: str, mode: int) -> None:
    file.write_text(text)
    file.chmod(mode)
