"""`kewang notify`, as a process: a real server takes the test; the files of a gateway say what would have been sent."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kewang.cli.notify_preview import most_within
from tests.cli.commands import kewang, told
from tests.gateway.notify.messengers import messenger
from tests.gateway.watch_house import BOXES, House

TOKEN = "123:AAtoken"
SPAN = ("--from", "2026-07-25T00:00Z", "--until", "2026-07-27")
"""The watch house's clock is within."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "incidents")
    yield made
    made.watched.close()


def files(folder: Path, url: str = "https://chat.example/", routes: str = "") -> tuple[str, ...]:
    """`--config FILE` of a gateway whose notify.toml has a webhook and a bot."""
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    hook = f'url = "{url}"\nallowed = ["127.0.0.1"]\nplain_http = true'
    (folder / "notify.toml").write_text(
        f'[channels.chat]\nkind = "webhook"\n{hook}\n'
        f'[channels.bot]\nkind = "telegram"\ntoken_file = "{token}"\nbase_url = "{url}"\n'
        '[recipients.shift]\nlanguage = "en"\naddresses = { chat = "1", bot = "-100" }\n'
        f'[[routes]]\nto = ["shift"]\nby = ["chat", "bot"]\n{routes}\n'
    )
    (folder / "gateway.toml").write_text(
        f'[incidents]\nfolder = "{folder}/incidents"\nnotify = "{folder}/notify.toml"\n'
    )
    return "--config", str(folder / "gateway.toml")


async def test_a_test_arrives_or_says_what_is_to_be_mended(tmp_path: Path) -> None:
    async with messenger(["200", "401"]) as server:
        words = ("notify", "test", "bot", "--to", "shift", *files(tmp_path, server.url))
        taken = await asyncio.to_thread(kewang, *words)
        wrong = await asyncio.to_thread(kewang, *words[:4], "-7", *words[5:], "--lang", "id", "--json")
        first, second = server.requests
    assert (taken.returncode, "bot to -100: taken (receipt: 1)" in taken.stdout) == (0, True)
    assert (first.body["chat_id"], first.body["text"].startswith("[TEST]")) == ("-100", True)
    assert (second.body["chat_id"], second.body["text"].startswith("[UJI COBA]")) == ("-7", True)
    assert (wrong.returncode, told(wrong)["verdict"]) == (1, "mend")
    assert f"Write the one of @BotFather into {tmp_path}/token" in told(wrong)["step"]
    assert TOKEN not in wrong.stdout + wrong.stderr
    assert not (tmp_path / "incidents").exists()


def test_wrong_words_are_answered_with_the_right_ones(tmp_path: Path) -> None:
    config = files(tmp_path)
    unknown = kewang("notify", "test", "sms", "--to", "shift", *config)
    assert (unknown.returncode, "there is chat, bot" in unknown.stderr) == (2, True)
    mistyped = kewang("notify", "test", "bot", "--to", "shfit", *config)
    assert (mistyped.returncode, "no recipient is called 'shfit' (there is shift)" in mistyped.stderr) == (2, True)
    wrong_key = (tmp_path / "notify.toml").read_text().replace("base_url", "base_ulr")
    (tmp_path / "wrong.toml").write_text(wrong_key)
    unread = kewang("notify", "check", *config, "--notify", str(tmp_path / "wrong.toml"))
    assert "unknown key 'channels.bot.base_ulr'; did you mean 'base_url'?" in unread.stderr
    (tmp_path / "token").chmod(0o644)
    open_secret = kewang("notify", "test", "bot", "--to", "shift", *config)
    assert (open_secret.returncode, "chmod 600" in open_secret.stderr) == (2, True)
    away = kewang("notify", "preview", *config)
    assert (away.returncode, "has it run yet" in away.stderr) == (3, True)


async def test_what_nobody_is_told_of(tmp_path: Path, house: House) -> None:
    await house.live(1)
    config = files(tmp_path, routes='sites = ["mardika"]\nat_least = "warning"')
    found = await asyncio.to_thread(kewang, "notify", "check", *config)
    assert found.returncode == 1
    assert "channel bot (telegram): shift" in found.stdout
    assert "nobody is told of: maintenance (info), bin-full (info)" in found.stdout
    assert "nobody is told at gong of: outage (critical)" in found.stdout
    (tmp_path / "token").unlink()
    assert (await asyncio.to_thread(kewang, "notify", "check", *config)).returncode == 2


async def test_what_would_have_been_sent_beside_what_was(tmp_path: Path, house: House) -> None:
    await house.live(400)
    house.silent = set(BOXES[:3])
    await house.live(200)
    house.silent = set()
    await house.live(700)
    config = files(tmp_path)
    shown = await asyncio.to_thread(kewang, "notify", "preview", *config, *SPAN, "--compare", "--texts")
    assert shown.returncode == 0, shown.stderr + shown.stdout
    lines = [line.split() for line in shown.stdout.splitlines() if "#1" in line and line.startswith("   2026")]
    assert [line[2:6] for line in lines] == [["chat", "shift", "opened", "#1"], ["chat", "shift", "resolved", "#1"]]
    assert "      Where: Mardika" in shown.stdout
    assert "shift by chat: 2, at most 2 in 10 minutes" in shown.stdout
    assert "2 the same, 0 more, 0 fewer, 0 changed" in shown.stdout
    other = tmp_path / "other.toml"
    other.write_text((tmp_path / "notify.toml").read_text().replace('by = ["chat", "bot"]', 'by = ["bot"]'))
    (tmp_path / "token").unlink()  # no secret is read
    words = ("notify", "preview", *config, *SPAN, "--compare", "--notify", str(other), "--json")
    found = await asyncio.to_thread(kewang, *words)
    assert (found.returncode, told(found)["compared"]) == (1, {"the same": 0, "more": 2, "fewer": 2, "changed": 0})
    assert [(one["sign"], one["channel"]) for one in told(found)["messages"]][:2] == [("+", "bot"), ("-", "chat")]


def test_a_time_that_nobody_knows_of(tmp_path: Path, house: House) -> None:
    config = files(tmp_path)
    with closing(sqlite3.connect(tmp_path / "incidents" / "incidents.db")) as db:
        db.executescript("DROP TABLE turn; PRAGMA user_version = 0;")
    old = kewang("notify", "preview", *config)
    assert (old.returncode, "nothing is known of that time" in old.stderr) == (3, True)
    turned = kewang("notify", "preview", *config, "--from", "2026-07-27", "--until", "2026-07-26")
    assert (turned.returncode, "swap them" in turned.stderr) == (2, True)


def test_the_most_within_ten_minutes() -> None:
    assert most_within([], 600) == (0, 0.0)
    assert most_within([0, 600, 601, 700, 5000], 600) == (3, 600)
    assert most_within([9, 9, 9], 600) == (3, 9)
