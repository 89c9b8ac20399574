"""The door of a simulated camera, against examples of the RFCs and against what must not come in."""

import hashlib

import pytest

from firmware_sim.cameras.auth import REALM, AuthKind, Door

USER, PASSWORD, URI = "admin", "Rahasia:1", "rtsp://127.0.0.1/stream"
HASHES = {AuthKind.DIGEST: hashlib.md5, AuthKind.DIGEST_SHA256: hashlib.sha256}


def digest(kind: AuthKind, challenge: str, method: str = "DESCRIBE", password: str = PASSWORD, user: str = USER) -> str:
    """An Authorization header, made by hand after RFC 7616."""

    def hashed(text: str) -> str:
        return HASHES[kind](text.encode()).hexdigest()

    nonce = challenge.partition('nonce="')[2].partition('"')[0]
    inner, asked = hashed(f"{user}:{REALM}:{password}"), hashed(f"{method}:{URI}")
    given = f'Digest username="{user}", realm="{REALM}", nonce="{nonce}", uri="{URI}"'
    if "qop" in challenge:
        response = hashed(f"{inner}:{nonce}:00000001:ab12:auth:{asked}")
        return f'{given}, nc=00000001, cnonce="ab12", qop=auth, response="{response}"'
    return f'{given}, response="{hashed(f"{inner}:{nonce}:{asked}")}"'


@pytest.mark.parametrize("kind", HASHES)
def test_digest_lets_in_who_knows_the_password_and_nobody_else(kind: AuthKind) -> None:
    door = Door(kind, USER, PASSWORD)
    challenge = door.challenge()
    assert door.admits("DESCRIBE", digest(kind, challenge))
    assert door.admits("SETUP", digest(kind, challenge, "SETUP"))
    assert not door.admits("SETUP", digest(kind, challenge, "DESCRIBE"))
    assert not door.admits("DESCRIBE", digest(kind, challenge, password="wrong"))
    assert not door.admits("DESCRIBE", digest(kind, challenge, user="root"))
    assert not door.admits("DESCRIBE", digest(kind, 'nonce="made-up"'))
    assert not door.admits("DESCRIBE", None)
    assert not door.admits("DESCRIBE", "Basic YWRtaW46UmFoYXNpYTox")


def test_the_kinds_ask_for_their_own_algorithm() -> None:
    assert "SHA-256" in Door(AuthKind.DIGEST_SHA256, USER, PASSWORD).challenge()
    assert "MD5" in Door(AuthKind.DIGEST, USER, PASSWORD).challenge()


def test_nonces_are_kept_for_a_while_and_not_for_ever() -> None:
    door = Door(AuthKind.DIGEST, USER, PASSWORD)
    first = door.challenge()
    assert door.admits("DESCRIBE", digest(AuthKind.DIGEST, first))
    last = [door.challenge() for _ in range(300)][-1]
    assert not door.admits("DESCRIBE", digest(AuthKind.DIGEST, first))
    assert door.admits("DESCRIBE", digest(AuthKind.DIGEST, last))


def test_basic_and_none() -> None:
    door = Door(AuthKind.BASIC, "Aladdin", "open sesame")
    assert door.challenge() == f'Basic realm="{REALM}"'
    assert door.admits("DESCRIBE", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    assert not door.admits("DESCRIBE", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZUE=")
    assert Door(AuthKind.NONE, "", "").admits("DESCRIBE", None)


def test_a_door_does_not_show_its_password() -> None:
    assert PASSWORD not in repr(Door(AuthKind.DIGEST, USER, PASSWORD))
