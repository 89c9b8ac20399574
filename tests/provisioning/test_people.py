"""People, passwords and sessions, on both databases."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import cast

import pytest
from sqlalchemy import select

from provisioning.acts import people, sessions
from provisioning.acts.people import NewPerson, PersonChange
from provisioning.inventory import Actor, Audit, Inventory, LoginSession, Person, Work
from provisioning.inventory.actor import NOBODY
from provisioning.inventory.audit import record
from provisioning.refusals import Refused
from tests.provisioning.town import ADA, OPI, RUDI, Town

RIGHT = "Kota-Ambon-Manise"


def refusal(town: Town, actor: Actor, act: Callable[[Work], object]) -> Refused:
    with pytest.raises(Refused) as caught, town.inventory.writing(actor) as work:
        act(work)
    return caught.value


def found(town: Town, sid: str) -> Person | None:
    with town.inventory.reading() as rows:
        return sessions.find(rows, sid, town.clock())


def test_a_session_begins_with_the_right_password_and_ends_idle(town: Town) -> None:
    login = sessions.log_in(town.inventory, "rudi", RIGHT)
    person = found(town, login.sid)
    assert person
    assert sessions.actor(person) == RUDI
    town.clock.tick(sessions.IDLE_MS - 1000)
    with town.inventory.writing(RUDI) as work:
        sessions.touch(work, login.sid)
    town.clock.tick(sessions.IDLE_MS)
    assert found(town, login.sid)
    town.clock.tick(1)
    assert found(town, login.sid) is None


def test_the_table_does_not_hold_what_the_cookie_holds(town: Town) -> None:
    login = sessions.log_in(town.inventory, "rudi", RIGHT)
    with town.inventory.reading() as rows:
        assert login.sid not in str(rows.scalars(select(LoginSession.id_hash)).all())
        hashes = rows.scalars(select(Person.password_hash)).all()
        assert all(one.startswith("$argon2id$") for one in hashes)
        assert not any(RIGHT in detail for detail in rows.scalars(select(Audit.detail)))


@pytest.mark.parametrize("name", ["rudi", "nobody", "", "x" * 40, "\x00", "ru\ud800di", "' OR 1=1--", None, 7])
def test_a_wrong_name_or_password_sounds_alike(town: Town, name: object) -> None:
    with pytest.raises(Refused) as caught:
        sessions.log_in(town.inventory, name, "wrong-password")
    assert (caught.value.code, caught.value.kind) == ("P-401", "login")


def test_after_five_failures_the_right_password_waits_too(town: Town) -> None:
    for _ in range(5):
        with pytest.raises(Refused, match="P-401"):
            sessions.log_in(town.inventory, "rudi", "wrong-password")
    with pytest.raises(Refused, match="P-429"):
        sessions.log_in(town.inventory, "rudi", RIGHT)
    assert sessions.log_in(town.inventory, "siti", RIGHT).sid
    town.clock.tick(sessions.FAILURES_MS)
    assert sessions.log_in(town.inventory, "rudi", RIGHT).sid


def test_names_that_nobody_has_do_not_use_up_the_limit_of_a_name(town: Town) -> None:
    with town.inventory.writing(NOBODY) as work:
        for _ in range(sessions.FAILURES_AN_HOUR):
            record(work, "session.failure", "?")
    for _ in range(sessions.FAILURES):
        with pytest.raises(Refused):
            sessions.log_in(town.inventory, "rudi", "wrong-password")
    with pytest.raises(Refused) as caught:
        sessions.log_in(town.inventory, "rudi", RIGHT)
    assert caught.value.code == "P-429"


class Meanwhile:
    """The inventory, and what somebody else does between reading and writing."""

    def __init__(self, town: Town, act: Callable[[Work], object]) -> None:
        self._town, self._act = town, act
        self.reading, self.clock_ms = town.inventory.reading, town.inventory.clock_ms

    def writing(self, actor: Actor) -> AbstractContextManager[Work]:
        with self._town.inventory.writing(ADA) as work:
            self._act(work)
        return self._town.inventory.writing(actor)


def test_a_password_that_is_changed_while_its_hash_is_computed_lets_nobody_in(town: Town) -> None:
    changing = Meanwhile(town, lambda work: people.set_password(work, "rudi", "Papeda-Kuah-Kuning"))
    with pytest.raises(Refused) as caught:
        sessions.log_in(cast(Inventory, changing), "rudi", RIGHT)
    assert caught.value.code == "P-401"
    with town.inventory.reading() as rows:
        assert not rows.scalars(select(LoginSession).where(LoginSession.ended_ms.is_(None))).all()
    again = Meanwhile(town, lambda work: people.set_password(work, "rudi", "Papeda-Kuah-Kuning"))
    assert sessions.log_in(cast(Inventory, again), "rudi", "Papeda-Kuah-Kuning").person.login == "rudi"


def test_outside_of_tests_a_hash_is_dear() -> None:
    """RFC 9106, second recommendation: 64 MiB, 3 passes. Asked of a process of its own: ours has quick ones."""
    look = "from provisioning.acts.passwords import hashed; print(hashed('Kota-Ambon-Manise'))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_logging_out_and_ending_all(town: Town) -> None:
    one, two, three = (sessions.log_in(town.inventory, "rudi", RIGHT).sid for _ in range(3))
    with town.inventory.writing(RUDI) as work:
        sessions.log_out(work, one)
    assert [found(town, sid) is not None for sid in (one, two, three)] == [False, True, True]
    assert refusal(town, OPI, lambda work: sessions.end_all(work, "rudi")).kind == "role"
    with town.inventory.writing(RUDI) as work:
        assert sessions.end_all(work, "rudi") == 2
    assert [found(town, sid) for sid in (one, two, three)] == [None, None, None]


def test_who_is_shut_out_loses_the_sessions_and_can_not_log_in(town: Town) -> None:
    sid = sessions.log_in(town.inventory, "rudi", RIGHT).sid
    with town.inventory.writing(ADA) as work:
        people.disable(work, "rudi")
    assert found(town, sid) is None
    with pytest.raises(Refused, match="P-401"):
        sessions.log_in(town.inventory, "rudi", RIGHT)
    with town.inventory.writing(ADA) as work:
        people.enable(work, "rudi")
    assert sessions.log_in(town.inventory, "rudi", RIGHT).sid


def test_a_new_password_ends_all_sessions(town: Town) -> None:
    sid = sessions.log_in(town.inventory, "rudi", RIGHT).sid
    with town.inventory.writing(RUDI) as work:
        people.set_password(work, "rudi", "Gong-Perdamaian-7")
    assert found(town, sid) is None
    assert sessions.log_in(town.inventory, "rudi", "Gong-Perdamaian-7").sid
    with town.inventory.writing(ADA) as work:
        made = people.set_password(work, "rudi")
    assert sessions.log_in(town.inventory, "rudi", made).sid
    assert refusal(town, RUDI, lambda work: people.set_password(work, "siti", "Gong-Perdamaian-7")).kind == "role"


@pytest.mark.parametrize(
    "password", ["", "short", "x" * 201, "rudi-rudi-1", "aaaaaaaaaaaa", "tab\tin it here", 7, None]
)
def test_bad_passwords_are_refused(town: Town, password: object) -> None:
    if password is None:
        return
    told = refusal(town, RUDI, lambda work: people.set_password(work, "rudi", password))  # type: ignore[arg-type]
    assert (told.code, told.values["field_word"]) == ("P-400", "password")


def test_made_up_passwords_differ_and_are_shown_once(town: Town) -> None:
    with town.inventory.writing(ADA) as work:
        made = [people.add(work, NewPerson(f"new{number}", "New", "technician"))[1] for number in range(3)]
    assert len(set(made)) == 3
    assert all(len(password) == 19 for password in made)
    assert sessions.log_in(town.inventory, "new0", made[0]).sid


def test_the_last_administrator_stays(town: Town) -> None:
    assert refusal(town, ADA, lambda work: people.disable(work, "ada")).kind == "last-admin"
    change = PersonChange(role="operator")
    assert refusal(town, ADA, lambda work: people.change(work, "ada", change)).kind == "last-admin"
    with town.inventory.writing(ADA) as work:
        people.change(work, "opi", PersonChange(role="admin", name="Opi Baru", phone="+62 812 3456", district=""))
        people.change(work, "ada", change)
    with town.inventory.reading() as rows:
        opi = rows.get(Person, "opi")
        assert opi
        assert (opi.role, opi.name, opi.phone, opi.district) == ("admin", "Opi Baru", "+62 812 3456", None)


def test_only_administrators_let_people_in(town: Town) -> None:
    for actor in (RUDI, OPI):
        assert refusal(town, actor, lambda work: people.add(work, NewPerson("eve", "Eve", "admin"))).kind == "role"
    assert refusal(town, ADA, lambda work: people.add(work, NewPerson("rudi", "R", "admin"))).kind == "person"


def test_one_chooses_the_own_language(town: Town) -> None:
    with town.inventory.writing(RUDI) as work:
        assert people.set_language(work, "en").language == "en"


def test_old_sessions_are_forgotten(town: Town) -> None:
    sessions.log_in(town.inventory, "rudi", RIGHT)
    town.clock.tick(sessions.KEEP_MS + 1)
    with town.inventory.writing(ADA) as work:
        assert sessions.forget_old(work) == 1
