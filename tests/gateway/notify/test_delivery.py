"""The delivery against a server that misbehaves in every way: each message arrives, waits are kept, others go on."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.notify.delivery import OUTBOX, Delivery, DeliveryRules
from gateway.notify.guard import Guard
from gateway.notify.message import Channel, Message
from gateway.notify.outbox import Outbox, Row
from gateway.notify.telegram import Telegram
from gateway.notify.webhook import Webhook, signature
from tests.gateway.notify.messengers import NOW_S, Messenger, message, messenger, until

TOKEN = "123456:AAsecret-of-the-bot"
QUICK = DeliveryRules(try_s=0.5, first_wait_s=0.01, longest_wait_s=0.05)
INSIDE = Guard(["127.0.0.1"], plain_http=True)


def now_s() -> float:
    """A clock that begins at NOW_S."""
    return NOW_S + time.monotonic() - _START_S


_START_S = time.monotonic()


def telegram(server: Messenger) -> Telegram:
    return Telegram(server.url, TOKEN, limit_s=0.5)


def webhook(server: Messenger) -> Webhook:
    return Webhook(f"{server.url}/hook", "key of the hook", INSIDE, limit_s=0.5)


@asynccontextmanager
async def delivering(outbox: Outbox, rules: DeliveryRules = QUICK, **channels: Channel) -> AsyncIterator[Delivery]:
    """A delivery that runs meanwhile."""
    delivery = Delivery(outbox, channels, rules, now_s)
    running = asyncio.create_task(delivery.run())
    try:
        yield delivery
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "notices.db")


def ended(outbox: Outbox) -> list[Row]:
    """All rows once none is open, oldest first."""
    rows = outbox.rows()
    return [] if any(row.ended_s is None for row in rows) else rows[::-1]


async def test_a_message_arrives_and_its_receipt_is_kept(outbox: Outbox) -> None:
    async with messenger() as server, delivering(outbox, chat=telegram(server)) as delivery:
        outbox.put([message(text="Pasar Mardika padam 🔌")])
        delivery.wake()
        await until(lambda: ended(outbox))
        (request,) = server.requests
        assert request.path == f"/bot{TOKEN}/sendMessage"
        assert (request.body["chat_id"], request.body["text"]) == ("-100", "Pasar Mardika padam 🔌")
        (row,) = outbox.rows()
        assert (row.state, row.receipt, row.tries) == ("delivered", "1", 1)


@pytest.mark.parametrize("word", ["429", "429 0", "500", "503", "hang", "reset", "lie", "mute", "408"])
async def test_what_may_pass_is_tried_again_until_it_arrives(outbox: Outbox, word: str) -> None:
    outbox.put([message()])
    async with messenger([word, word]) as server, delivering(outbox, chat=telegram(server)):
        await until(lambda: ended(outbox))
        assert [row.state for row in outbox.rows()] == ["delivered"]
        assert len(server.requests) == 3
        assert len(server.taken) == 1


async def test_a_server_that_says_when_is_not_asked_before(outbox: Outbox) -> None:
    outbox.put([message("a"), message("b")])
    async with messenger(["429 1"]) as server, delivering(outbox, chat=telegram(server)):
        begun_s = time.monotonic()
        await until(lambda: ended(outbox))
        assert time.monotonic() - begun_s >= 1
        assert len(server.requests) == 3


async def test_one_refused_message_holds_up_no_other(outbox: Outbox) -> None:
    outbox.put([message("a"), message("b")])
    async with messenger(["400"]) as server, delivering(outbox, chat=telegram(server)):
        await until(lambda: ended(outbox))
        assert [(row.key, row.state) for row in ended(outbox)] == [("a", "refused"), ("b", "delivered")]
        assert "because of 400" in ended(outbox)[0].said


@pytest.mark.parametrize("expires_s", [3600.0, 0.3])
async def test_the_address_of_a_contacts_webhook_stands_in_no_log(
    outbox: Outbox, caplog: pytest.LogCaptureFixture, expires_s: float
) -> None:
    """Who knows it may write there. A server that tells it back does not change that."""
    async with messenger(["400"] * 9 if expires_s > 1 else ["500"] * 99) as server:
        address = f"{server.url}/services/T0/secret-of-the-hook"
        outbox.put([message(recipient=address, expires_s=now_s() + expires_s)])
        async with delivering(outbox, chat=Webhook("{recipient}", None, INSIDE, limit_s=0.5)):
            await until(lambda: ended(outbox) and server.url in caplog.text)
    assert [row.state for row in outbox.rows()] == ["refused" if expires_s > 1 else "expired"]
    assert "secret-of-the-hook" not in caplog.text + outbox.rows()[0].said


@pytest.mark.parametrize("word", ["400", "401", "403", "404"])
async def test_what_the_first_channel_never_takes_goes_to_the_second_at_once(outbox: Outbox, word: str) -> None:
    outbox.put([message("a", then=(message("a", "hook"),))])
    async with (
        messenger([word] * 1000) as bad,
        messenger() as good,
        delivering(outbox, chat=telegram(bad), hook=webhook(good)) as delivery,
    ):
        await until(lambda: ended(outbox))
        assert {row.channel: row.state for row in outbox.rows()}["hook"] == "delivered"
        assert ("chat" in delivery.troubles) == (word in ("401", "404"))


async def test_a_mended_token_delivers_what_waited_and_the_trouble_is_over(outbox: Outbox) -> None:
    outbox.put([message("a"), message("b")])
    async with messenger(["401"] * 3) as server, delivering(outbox, chat=telegram(server)) as delivery:
        await until(lambda: delivery.troubles)
        await until(lambda: ended(outbox))
        assert [row.state for row in ended(outbox)] == ["delivered", "delivered"]
        await until(lambda: not delivery.troubles)


async def test_the_second_channel_when_the_first_hangs_and_each_arrives_once(outbox: Outbox) -> None:
    outbox.put([message("a", created_s=now_s(), patience_s=0.2, then=(message("a", "hook"),))])
    async with (
        messenger(["hang"] * 1000) as bad,
        messenger() as good,
        delivering(outbox, chat=telegram(bad), hook=webhook(good)),
    ):
        await until(lambda: ended(outbox))
        assert {row.channel: row.state for row in outbox.rows()} == {"chat": "spared", "hook": "delivered"}


async def test_a_channel_that_hangs_holds_up_no_other(outbox: Outbox) -> None:
    outbox.put([message("a"), message("b", "hook")])
    patient = DeliveryRules(try_s=60)
    async with (
        messenger(["hang"] * 1000) as bad,
        messenger() as good,
        delivering(outbox, patient, chat=Telegram(bad.url, TOKEN, 60), hook=webhook(good)),
    ):
        await until(lambda: good.taken)
        assert len(bad.requests) <= 1


async def rests(delivery: Delivery) -> None:
    """Until it waits for something to do."""
    await until(lambda: delivery._new["chat"]._waiters)


async def test_it_ends_when_it_is_cancelled_at_the_moment_of_a_wake_up(outbox: Outbox) -> None:
    for _ in range(20):
        delivery = Delivery(outbox, {"chat": Surprise()}, QUICK, now_s)
        running = asyncio.create_task(delivery.run())
        await rests(delivery)
        delivery.wake()
        running.cancel()
        async with asyncio.timeout(30):
            with pytest.raises(asyncio.CancelledError):
                await running


async def test_a_cancellation_at_the_moment_of_a_time_limit_is_a_cancellation() -> None:
    """The loop is held up over both moments, so that both come in one of its rounds."""
    async with messenger(["hang"]) as server:
        chat = Telegram(server.url, TOKEN, limit_s=0.3)
        sending = asyncio.create_task(chat.send(message()))
        await until(lambda: server.requests)
        loop = asyncio.get_running_loop()
        loop.call_soon(time.sleep, 0.5)
        loop.call_later(0.1, sending.cancel)
        await asyncio.wait([sending])
        await chat.close()
        assert sending.cancelled()


async def test_what_expires_is_not_sent_and_told(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    outbox.put([message("a", expires_s=now_s() + 0.3)])
    async with messenger(["500"] * 1000) as server, delivering(outbox, chat=telegram(server)):
        await until(lambda: ended(outbox))
        assert outbox.rows()[0].state == "expired"
        await until(lambda: "a to -100 by chat expired: Telegram answered 500" in caplog.text)


async def test_a_webhook_is_signed_and_its_key_honoured(outbox: Outbox) -> None:
    outbox.put([message("a", "hook", facts={"site": "pasar"})])
    async with messenger(["mute", "mute"]) as server, delivering(outbox, hook=webhook(server)):
        await until(lambda: ended(outbox))
        assert server.arrivals == {"a.-100": 3}
        (request,) = server.taken.values()
        date_s = int(request.headers["kewang-signature"].partition(",")[0].removeprefix("t="))
        assert request.headers["kewang-signature"] == signature("key of the hook", date_s, request.raw)
        assert (request.body["site"], request.body["severity"]) == ("pasar", "critical")
        assert outbox.rows()[0].receipt == "w1"


async def test_an_answer_in_two_pieces_is_one_answer() -> None:
    async with messenger(["two"]) as server:
        chat = Telegram(server.url, TOKEN, limit_s=30)
        sending = asyncio.create_task(chat.send(message()))
        await until(lambda: server.taken)
        await asyncio.wait([sending], timeout=0.2)
        assert not sending.done()
        server.second.set()
        assert await sending == "1"
        await chat.close()


@pytest.mark.parametrize(
    ("status", "state", "receipt"), [("200", "delivered", "?"), ("500", "delivered", "1"), ("400", "refused", "")]
)
async def test_a_lone_surrogate_ends_nothing(outbox: Outbox, status: str, state: str, receipt: str) -> None:
    outbox.put([message("a")])
    async with messenger([f"lone {status}"]) as server, delivering(outbox, chat=telegram(server)):
        await until(lambda: ended(outbox))
        (row,) = outbox.rows()
        assert (row.state, row.receipt) == (state, receipt)
        assert len(server.requests) == row.tries


class Unstorable:
    """A channel whose first receipt the outbox can't take."""

    def __init__(self) -> None:
        self.receipts: list[Any] = [object(), "at last"]

    async def send(self, message: Message) -> str:
        receipt: str = self.receipts.pop(0)
        return receipt

    async def close(self) -> None:
        pass


async def test_what_fails_while_it_is_marked_is_a_failure_of_that_message(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.put([message("a")])
    async with delivering(outbox, chat=Unstorable()):
        await until(lambda: ended(outbox))
    (row,) = outbox.rows()
    assert (row.receipt, row.tries) == ("at last", 2)
    assert "with a by chat" in caplog.text


async def test_a_row_that_cannot_be_read_ends_no_channel(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    outbox.put([message("a"), message("b"), message("c", "hook")])
    outbox._db.execute("UPDATE message SET content = '{}' WHERE key = 'a'")
    async with (
        messenger() as chat,
        messenger() as hook,
        delivering(outbox, chat=telegram(chat), hook=webhook(hook)),
    ):
        await until(lambda: chat.taken and hook.taken)
    assert "in the delivery by chat" in caplog.text


class Surprise:
    """A library that fails with something nobody thought of, which holds a secret."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, message: Message) -> str:
        self.sent.append(message.key)
        if len(self.sent) < 3:
            raise ZeroDivisionError(TOKEN)
        return "at last"

    async def close(self) -> None:
        pass


async def test_an_unexpected_error_ends_nothing_and_says_no_secret(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.put([message("a")])
    async with delivering(outbox, chat=Surprise()):
        await until(lambda: ended(outbox))
    assert outbox.rows()[0].receipt == "at last"
    assert "ZeroDivisionError" in caplog.text
    assert TOKEN not in caplog.text


def contents(folder: Path) -> str:
    return "".join(file.read_bytes().decode(errors="replace") for file in folder.iterdir())


@pytest.mark.parametrize("word", ["400", "401", "403", "429", "500", "hang", "reset", "lie", "away"])
async def test_no_secret_in_log_error_or_outbox(
    outbox: Outbox, word: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    then, both = (message("a", "hook"),), ("chata", "hookb")
    outbox.put([message("a", then=then), message("b", "hook")])
    async with messenger([word] * 1000 if word != "away" else []) as server:
        url = server.url if word != "away" else "http://127.0.0.1:9"
        hook = Webhook(f"{url}/services/T0-hidden-path", "key of the hook", INSIDE, limit_s=0.5)
        async with delivering(outbox, chat=Telegram(url, TOKEN, 0.5), hook=hook):
            await until(lambda: all(row.said or row.ended_s for row in outbox.rows() if row.channel + row.key in both))
    outbox.close()
    written = caplog.text + contents(tmp_path)
    assert "chat" in written
    for secret in (TOKEN, "AAsecret", "T0-hidden-path", "key of the hook"):
        assert secret not in written


def hold(outbox: Outbox) -> None:
    outbox._db.execute("BEGIN IMMEDIATE")


async def test_a_disk_that_fails_is_waited_for_and_what_was_sent_is_not_sent_again(outbox: Outbox) -> None:
    outbox._db.execute("PRAGMA busy_timeout = 20")
    outbox.put([message("a")])
    other = Outbox(outbox.path)
    async with messenger() as server, delivering(outbox, chat=telegram(server)) as delivery:
        server.taking = lambda request: hold(other)
        await until(lambda: OUTBOX in delivery.troubles)
        other._db.execute("ROLLBACK")
        await until(lambda: ended(outbox))
        assert len(server.requests) == 1
        assert outbox.rows()[0].state == "delivered"
    other.close()
