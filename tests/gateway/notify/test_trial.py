"""One test message by each kind of channel, against real servers: what arrives, and what is to be mended."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from gateway.notify.channel_settings import ChannelSettings
from gateway.notify.trial import Trial, trial_message, tried
from tests.gateway.notify.mail_server import mail_server
from tests.gateway.notify.messengers import NOW_S, Messenger, messenger

TOKEN = "123:AAtoken"
PLACE = TypeAdapter(ChannelSettings)


def secret(folder: Path, text: str = TOKEN) -> Path:
    file = folder / "secret"
    file.write_text(text)
    file.chmod(0o600)
    return file


async def by_telegram(folder: Path, server: Messenger, language: str = "id", try_s: float = 20.0) -> Trial:
    values = {"kind": "telegram", "token_file": secret(folder), "base_url": server.url}
    message = trial_message("bot", "-100", "en" if language == "en" else "id", "Asia/Jayapura", NOW_S)
    return await tried(PLACE.validate_python(values), message, try_s)


@pytest.mark.parametrize(
    ("language", "begins", "says"),
    [
        ("id", "[UJI COBA] Pemberitahuan Kewang", "uji coba saluran bot"),
        ("en", "[TEST] Notices", "test of the channel"),
    ],
)
async def test_it_arrives_and_calls_itself_a_test(tmp_path: Path, language: str, begins: str, says: str) -> None:
    async with messenger() as server:
        assert await by_telegram(tmp_path, server, language) == Trial("taken", "1")
        (request,) = server.requests
    assert request.body["chat_id"] == "-100"
    assert request.body["text"].startswith(begins)
    assert says in request.body["text"]
    assert request.body["disable_notification"] is True


@pytest.mark.parametrize(
    ("word", "verdict", "step"),
    [
        ("401", "mend", "token wrong? Write the one of @BotFather into {folder}/secret"),
        ("400", "refused", "let the bot into that chat"),
        ("403", "refused", "let the bot into that chat"),
        ("429 7", "away", "Try again"),
        ("500", "unclear", "look whether it has arrived"),
        ("mute", "unclear", "look whether it has arrived"),
    ],
)
async def test_what_is_wrong_is_said_with_what_to_do(tmp_path: Path, word: str, verdict: str, step: str) -> None:
    async with messenger([word]) as server:
        trial = await by_telegram(tmp_path, server)
        assert len(server.requests) == 1
    assert trial.verdict == verdict
    assert step.format(folder=tmp_path) in trial.step
    assert trial.trouble
    assert TOKEN not in trial.trouble + trial.step


async def test_who_does_not_answer_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    async with messenger(["hang"]) as server:
        trial = await by_telegram(tmp_path, server, try_s=0.1)
    assert (trial.verdict, trial.trouble) == ("unclear", "no answer in 0.1 s")


async def test_nobody_there(tmp_path: Path) -> None:
    async with messenger() as server:
        gone = Messenger(port=server.port)
    assert (await by_telegram(tmp_path, gone)).verdict == "away"


@pytest.mark.parametrize(
    ("plan", "verdict", "step"),
    [
        ("", "taken", ""),
        ("MAIL 530 log in", "mend", "with what the mail server wants"),
        ("RCPT 550 no", "refused", "add"),
    ],
)
async def test_by_mail(plan: str, verdict: str, step: str) -> None:
    async with mail_server() as server:
        server.plan.extend([plan] if plan else [])
        values = {
            "kind": "mail",
            "host": "127.0.0.1",
            "port": server.port,
            "security": "none",
            "sender": "k@kota.example",
        }
        message = trial_message("mail", "siti@kota.example", "id", "Asia/Jayapura", NOW_S)
        trial = await tried(PLACE.validate_python(values), message, 20.0)
        subjects = [mail["Subject"] for mail in server.mails]
    assert trial.verdict == verdict
    assert step in trial.step
    assert subjects == (["[UJI COBA] Pemberitahuan Kewang sampai di sini"] if verdict == "taken" else [])


async def test_by_webhook_and_whatsapp(tmp_path: Path) -> None:
    async with messenger(["200", "200", "404", "meta 190"]) as server:
        hook = {"kind": "webhook", "url": server.url, "allowed": ["127.0.0.1"], "plain_http": True}
        phone = {
            "kind": "whatsapp",
            "phone_number_id": "123456",
            "token_file": secret(tmp_path),
            "base_url": f"{server.url}/v21.0",
        }
        told = [
            await tried(PLACE.validate_python(values), trial_message("c", "+628", "id", "Asia/Jayapura", NOW_S), 20.0)
            for values in (hook, phone, hook, phone)
        ]
        values = server.requests[1].body["template"]["components"][0]["parameters"]
    assert [one.verdict for one in told] == ["taken", "taken", "mend", "mend"]
    assert "correct url" in told[2].step
    assert f"token in {tmp_path}/secret" in told[3].step
    assert values[0]["text"] == "[UJI COBA] Pemberitahuan Kewang sampai di sini"
