"""The outbox of notices: what is put is there once, in order, within bounds, whatever happens to process and file."""

import math
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.notify.outbox import Outbox
from gateway.notify.outbox_file import OutboxRefused
from tests.gateway.notify.messengers import NOW_S, message


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    one = Outbox(tmp_path / "notices.db")
    yield one
    one.close()


def states(outbox: Outbox) -> dict[str, str]:
    return {row.key + " " + row.channel: row.state for row in outbox.rows()}


def test_the_file_is_ours_alone_from_its_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "notices.db"
    found: list[int] = []
    monkeypatch.setattr(os, "chmod", lambda of, mode: found.append(Path(of).stat().st_mode & 0o777))
    before = os.umask(0)
    try:
        Outbox(path).close()
    finally:
        os.umask(before)
    assert found == [0o600]
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_same_message_put_again_is_the_same(outbox: Outbox) -> None:
    assert outbox.put([message("a"), message("b")], {"budget": {"n": 1}}) == 2
    assert outbox.put([message("a", text="other"), message("a", recipient="-200")], {"budget": {"n": 2}}) == 1
    assert outbox.kept("budget") == {"n": 2}
    assert outbox.kept("engine") is None
    claimed = outbox.claim("chat", NOW_S)
    assert claimed is not None
    assert claimed.message == message("a")


def test_messages_and_state_are_kept_together_or_not_at_all(outbox: Outbox) -> None:
    outbox.put([message("a")], {"budget": 1})
    with pytest.raises(TypeError):
        outbox.put([message("b")], {"budget": object()})
    assert outbox.kept("budget") == 1
    assert states(outbox) == {"a chat": "waiting"}


def test_the_worst_goes_first_then_the_oldest(outbox: Outbox) -> None:
    outbox.put([message("a", severity="info"), message("b", severity="warning"), message("c"), message("d")])
    assert [one.message.key for one in iter(lambda: outbox.claim("chat", NOW_S), None)] == ["c", "d", "b", "a"]


def test_a_closing_waits_for_its_opening_at_the_same_recipient(outbox: Outbox) -> None:
    outbox.put([message("1-opened", about="1"), message("1-resolved", about="1"), message("2-opened", about="2")])
    first = outbox.claim("chat", NOW_S)
    assert first is not None
    outbox.later(first.row, NOW_S + 9, "busy", NOW_S, unclear=False)
    second = outbox.claim("chat", NOW_S)
    assert second is not None
    assert second.message.key == "2-opened"
    assert outbox.claim("chat", NOW_S) is None
    assert outbox.next_s("chat") == NOW_S + 9
    again = outbox.claim("chat", NOW_S + 9)
    assert again is not None
    assert (again.message.key, again.tries) == ("1-opened", 2)
    outbox.delivered(again.row, "7", NOW_S + 9)
    last = outbox.claim("chat", NOW_S + 9)
    assert last is not None
    assert last.message.key == "1-resolved"


def test_a_claim_that_a_dead_process_left_is_sent_again(tmp_path: Path) -> None:
    before = Outbox(tmp_path / "notices.db")
    before.put([message("a")])
    before.recover(NOW_S)
    assert before.claim("chat", NOW_S) is not None
    beside = Outbox(tmp_path / "notices.db")
    with pytest.raises(OutboxRefused, match="another process"):
        beside.recover(NOW_S)
    beside.close()
    before.close()
    after = Outbox(tmp_path / "notices.db")
    assert after.claim("chat", NOW_S) is None
    assert after.recover(NOW_S) == 1
    claimed = after.claim("chat", NOW_S)
    assert claimed is not None
    assert (claimed.tries, claimed.unclear) == (2, True)
    after.close()


def test_the_second_channel_after_two_minutes_and_the_first_is_spared_when_it_arrived(outbox: Outbox) -> None:
    outbox.put([message("a", then=(message("a", "mail", then=(message("a", "sms"),)),))])
    first = outbox.claim("chat", NOW_S)
    assert first is not None
    assert outbox.instead(NOW_S + 119) == 0
    assert outbox.next_s() == NOW_S + 120
    assert (outbox.instead(NOW_S + 120), outbox.instead(NOW_S + 120)) == (1, 0)
    mail = outbox.claim("mail", NOW_S + 120)
    assert mail is not None
    assert outbox.refused(mail.row, "no such mailbox", NOW_S + 121)
    sms = outbox.claim("sms", NOW_S + 121)
    assert sms is not None
    outbox.delivered(sms.row, "", NOW_S + 122)
    outbox.later(first.row, NOW_S + 130, "no answer", NOW_S + 123, unclear=True)
    assert states(outbox) == {"a chat": "spared", "a mail": "refused", "a sms": "delivered"}
    assert outbox.next_s() == math.inf


def test_a_stuck_channel_hands_over_at_once_but_not_what_waits_for_the_morning(outbox: Outbox) -> None:
    then = (message("a", "mail"),)
    outbox.put([message("a", then=then), message("b", due_s=NOW_S + 3600, then=(message("b", "mail"),))])
    assert outbox.instead(NOW_S, "chat") == 1
    assert states(outbox) == {"a chat": "waiting", "b chat": "waiting", "a mail": "waiting"}


def test_what_is_too_old_ends_and_is_told(outbox: Outbox) -> None:
    outbox.put([message("a")])
    assert outbox.expire(NOW_S + 3599) == []
    assert outbox.next_s() == NOW_S + 3600
    assert [row.key for row in outbox.expire(NOW_S + 3600)] == ["a"]
    assert states(outbox) == {"a chat": "expired"}


def test_it_is_bounded(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "notices.db", max_waiting=10, max_ended=5)
    outbox.put([message(f"low-{n}", severity="info") for n in range(8)])
    outbox.put([message(f"high-{n}") for n in range(8)])
    assert outbox.counts() == {("chat", "waiting"): 10, ("chat", "dropped"): 6}
    outbox.put([message("last")])
    assert outbox.counts() == {("chat", "waiting"): 10, ("chat", "dropped"): 6}
    outbox.put([message("more")])
    assert sum(outbox.counts().values()) <= 10 + 5 + 1
    assert {row.key for row in outbox.rows() if row.state == "waiting"} >= {f"high-{n}" for n in range(8)}
    outbox.close()


def test_a_clock_that_was_set_back_holds_nothing_up(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "notices.db")
    outbox.put([message("a", then=(message("a", "mail"),))])
    outbox.close()
    outbox = Outbox(tmp_path / "notices.db")
    past_s = NOW_S - 1e8
    outbox.recover(past_s)
    assert outbox.claim("chat", past_s) is not None
    assert outbox.next_s() == past_s
    assert outbox.expire(past_s + 3599) == []
    outbox.close()


@pytest.mark.parametrize("damage", [b"no database at all", None])
def test_a_damaged_file_is_set_aside_and_told(tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "notices.db"
    outbox = Outbox(path)
    outbox.put([message(f"a{n}", text="x" * 3000) for n in range(50)])
    outbox.close()
    content = path.read_bytes()
    path.write_bytes(damage or content[:8192] + b"\xff" * (len(content) - 8192))
    again = Outbox(path)
    assert again.set_aside == path.with_name("notices.db.damaged-1")
    assert again.set_aside.exists()
    assert again.put([message("b")]) == 1
    again.close()


def test_damaged_files_are_kept_but_not_without_end(tmp_path: Path) -> None:
    path = tmp_path / "notices.db"
    for _ in range(6):
        path.write_bytes(b"no database at all")
        Outbox(path).close()
    assert sorted(one.name for one in tmp_path.glob("*.damaged-*")) == [f"notices.db.damaged-{n}" for n in (4, 5, 6)]


def test_another_programs_file_and_a_newer_ones_are_left_alone(tmp_path: Path) -> None:
    for name, statement in (("other.db", "CREATE TABLE t (a)"), ("newer.db", "PRAGMA user_version = 99")):
        if name == "newer.db":
            Outbox(tmp_path / name).close()
        db = sqlite3.connect(tmp_path / name)
        db.execute(statement)
        db.close()
        with pytest.raises(OutboxRefused):
            Outbox(tmp_path / name)
        assert [one.name for one in tmp_path.glob("*.damaged-*")] == []


def test_what_was_kept_and_is_broken_is_as_if_it_was_never_kept(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "notices.db")
    outbox.put((), {"watch": [1], "told": [2]})
    outbox._db.execute("UPDATE kept SET json = '[1' WHERE name = 'watch'")
    assert (outbox.kept("watch"), outbox.kept("told")) == (None, [2])
    outbox.close()
