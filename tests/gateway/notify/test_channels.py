"""Mail, WhatsApp and apprise against servers on loopback; channels made of settings; how long texts may be."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import TypeAdapter

from gateway.notify.apprise_channel import Apprise
from gateway.notify.channel_settings import ChannelSettings
from gateway.notify.channels import channels
from gateway.notify.mail import Mail
from gateway.notify.message import Channel, Unclear
from gateway.notify.telegram import Telegram, cut
from gateway.notify.whatsapp import WhatsApp, parameter
from gateway.ports import Misconfigured, Poison, RetryLater
from kewang.runtime.settings import SettingsError
from tests.gateway.notify.mail_server import MailServer, mail_server
from tests.gateway.notify.messengers import Messenger, message, messenger

SENDER = "kewang@kota.example"
LOGIN = ("kewang", "the-mail-password")
OURS = ["127.0.0.1"]
MAIL = message(channel="mail", recipient="noc@kota.example", subject="Gangguan: pasar\nBcc: x@y", about="1")


@asynccontextmanager
async def closed_again(channel: Channel) -> AsyncIterator[Channel]:
    try:
        yield channel
    finally:
        await channel.close()


def mail(server: MailServer, security: str = "none", **more: Any) -> Mail:
    return Mail("127.0.0.1", server.port, security, SENDER, **{"limit_s": 2.0} | more)


async def test_a_mail_arrives_readable_and_known_again() -> None:
    async with mail_server() as server, closed_again(mail(server)) as channel:
        assert await channel.send(MAIL) == "queued as Q1"
        await channel.send(MAIL)
        first, second = server.mails
        assert first["Subject"] == "Gangguan: pasar Bcc: x@y"
        assert (first["From"], first["To"], first["Bcc"]) == (SENDER, "noc@kota.example", None)
        assert first.get_content().strip() == "Lokasi pasar padam"
        assert first["Message-ID"] == second["Message-ID"]
        assert first["References"]
        assert server.recipients[0] == "TO:<noc@kota.example>"


@pytest.mark.parametrize(
    ("word", "means"),
    [
        ("BANNER 421 busy", RetryLater),
        ("BANNER reset", RetryLater),
        ("MAIL 451 later", RetryLater),
        ("MAIL 550 not you", Misconfigured),
        ("RCPT 450 greylisted", RetryLater),
        ("RCPT 550 no such user", Poison),
        ("DATA 451 later", RetryLater),
        ("END 452 full", RetryLater),
        ("END 554 spam", Poison),
        ("END reset", Unclear),
        ("END mute", Unclear),
    ],
)
async def test_what_a_mail_server_says(word: str, means: type[Exception]) -> None:
    async with mail_server() as server, closed_again(mail(server)) as channel:
        server.plan.append(word)
        with pytest.raises(means) as refused:
            await channel.send(MAIL)
        assert type(refused.value) is means
        assert "127.0.0.1" in str(refused.value)
        await channel.send(MAIL)


async def test_greylisting_is_given_time() -> None:
    async with mail_server() as server, closed_again(mail(server)) as channel:
        server.plan.append("RCPT 450 greylisted")
        with pytest.raises(RetryLater) as refused:
            await channel.send(MAIL)
        assert refused.value.after_s == 60


async def test_a_server_that_says_no_goodbye_has_taken_it_all_the_same() -> None:
    async with mail_server() as server, closed_again(mail(server)) as channel:
        for word in ("QUIT 500 what", "QUIT reset"):
            server.plan.append(word)
            await channel.send(MAIL)
        assert len(server.mails) == 2


async def test_a_server_that_hangs_is_left_when_time_is_up_and_its_thread_ends() -> None:
    async with mail_server() as server, closed_again(mail(server, limit_s=60.0)) as channel:
        for _ in range(4):
            server.plan.append("END hang")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await channel.send(MAIL)
        async with asyncio.timeout(30):
            await channel.send(MAIL)


@pytest.mark.parametrize("word", ["BANNER hang", "BANNER drip", "BANNER drop", "EHLO drip", "END drip"])
async def test_a_server_that_drips_is_left_when_time_is_up_and_its_thread_ends(word: str) -> None:
    async with mail_server() as server, closed_again(mail(server, limit_s=60.0)) as channel:
        for _ in range(4):
            server.plan.append(word)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await channel.send(MAIL)
            server.plan.clear()
        async with asyncio.timeout(30):
            await channel.send(MAIL)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_handshake_that_hangs_is_left_when_time_is_up(
    security: str, certificate: tuple[ssl.SSLContext, Path]
) -> None:
    tls, own = certificate
    async with mail_server(tls) as server:
        more: dict[str, Any] = {"ca_file": own, "limit_s": 60.0}
        async with closed_again(mail(server, security, **more)) as channel:
            for _ in range(4):
                server.plan.append("BANNER hang" if security == "tls" else "TLS hang")
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await channel.send(MAIL)
                server.plan.clear()
            assert isinstance(channel, Mail)
            async with asyncio.timeout(30):
                await asyncio.get_running_loop().run_in_executor(channel._pool, str)


@pytest.mark.parametrize(
    ("word", "means"),
    [
        *((f"BANNER {how}", RetryLater) for how in ("drip", "drop", "flood")),
        ("EHLO flood", RetryLater),
        ("END flood", Unclear),
    ],
)
async def test_an_answer_without_end_is_none(word: str, means: type[Exception]) -> None:
    async with mail_server() as server, closed_again(mail(server, limit_s=0.3)) as channel:
        server.plan.append(word)
        async with asyncio.timeout(30):
            with pytest.raises(means) as refused:
                await channel.send(MAIL)
        assert type(refused.value) is means


async def test_nobody_at_the_port() -> None:
    async with mail_server() as server:
        port = server.port
    async with closed_again(Mail("127.0.0.1", port, "none", SENDER)) as channel:
        with pytest.raises(RetryLater):
            await channel.send(MAIL)


async def test_a_recipient_that_is_no_address_is_refused_for_good() -> None:
    async with mail_server() as server, closed_again(mail(server)) as channel:
        with pytest.raises(Poison):
            await channel.send(message(channel="mail", recipient="noc@kota.example\nRCPT TO:<x@y>"))
        assert server.recipients == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS for 127.0.0.1, and the file to trust it by."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    own, both = folder / "ca.pem", folder / "both.pem"
    own.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    both.write_bytes(own.read_bytes() + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context, own


async def test_starttls_and_a_login(certificate: tuple[ssl.SSLContext, Path]) -> None:
    tls, own = certificate
    async with mail_server(tls, LOGIN) as server:
        async with closed_again(Mail("localhost", server.port, "starttls", SENDER, LOGIN, own)) as channel:
            await channel.send(MAIL)
        assert server.asked.index("STARTTLS") < server.asked.index("AUTH") < server.asked.index("MAIL")
        assert len(server.mails) == 1


async def test_a_wrong_password_is_to_be_mended_and_never_said(
    certificate: tuple[ssl.SSLContext, Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tls, own = certificate
    wrong = ("kewang", "a-wrong-password")
    async with mail_server(tls, LOGIN) as server:
        server.plan.append("AUTH 535 a-wrong-password is wrong for kewang")
        async with closed_again(Mail("localhost", server.port, "starttls", SENDER, wrong, own)) as channel:
            with pytest.raises(Misconfigured) as refused:
                await channel.send(MAIL)
    assert "535" in str(refused.value)
    assert wrong[1] not in str(refused.value) + caplog.text
    assert refused.value.__cause__ is None


async def test_no_password_goes_out_where_tls_is_missing_or_wrong(certificate: tuple[ssl.SSLContext, Path]) -> None:
    tls, own = certificate
    for server_tls, trusted in ((None, own), (tls, None)):
        async with mail_server(server_tls, LOGIN) as server:
            async with closed_again(Mail("localhost", server.port, "starttls", SENDER, LOGIN, trusted)) as channel:
                with pytest.raises(Misconfigured):
                    await channel.send(MAIL)
            assert "AUTH" not in server.asked


def whatsapp(server: Messenger) -> WhatsApp:
    parameters = ["title", "where", "missing"]
    return WhatsApp(f"{server.url}/v21.0", "1234567", "EAAtoken", ("baru", "selesai"), "id", parameters, 2)


FACTS = {"kind": "opened", "title": "Pasar\n\tpadam", "where": "pasar"}
WA = message(channel="wa", recipient="+628123456", facts=FACTS)


async def test_whatsapp_gets_a_template_with_its_parameters() -> None:
    async with messenger() as server, closed_again(whatsapp(server)) as channel:
        assert await channel.send(WA) == "wa1"
        await channel.send(message("2", channel="wa", facts=FACTS | {"kind": "resolved"}))
        first, second = (request.body for request in server.requests)
        assert server.requests[0].path == "/v21.0/1234567/messages"
        assert server.requests[0].headers["authorization"] == "Bearer EAAtoken"
        assert (first["to"], first["template"]["name"]) == ("628123456", "baru")
        values = first["template"]["components"][0]["parameters"]
        assert [value["text"] for value in values] == ["Pasar padam", "pasar", "-"]
        assert second["template"]["name"] == "selesai"


@pytest.mark.parametrize(
    ("word", "means"),
    [
        *((f"meta {code}", RetryLater) for code in (4, 130429, 131056, 131016)),
        *((f"meta {code}", Misconfigured) for code in (190, 10, 200, 299, 132000, 132001, 131042)),
        *((f"meta {code}", Poison) for code in (131026, 131030, 100, 424242)),
        ("401", Misconfigured),
        ("429 7", RetryLater),
        ("500", Unclear),
        ("lie", Unclear),
        ("reset", Unclear),
    ],
)
async def test_what_whatsapp_says(word: str, means: type[Exception]) -> None:
    async with messenger([word]) as server, closed_again(whatsapp(server)) as channel:
        with pytest.raises(means) as refused:
            await channel.send(WA)
        assert type(refused.value) is means


def test_a_parameter_is_never_empty_nor_of_many_lines() -> None:
    assert [parameter(text) for text in ("", " \n ", "a\n b\t\tc     d")] == ["-", "-", "a b c d"]


async def test_apprise_carries_the_long_tail() -> None:
    async with messenger() as server:
        async with closed_again(Apprise(f"ntfy://127.0.0.1:{server.port}/{{recipient}}", OURS)) as channel:
            await channel.send(message(recipient="kota-ambon"))
        (request,) = server.requests
        assert request.body["topic"] == "kota-ambon"
        assert request.body["message"] == "Lokasi pasar padam"


async def test_apprise_that_fails_is_tried_again_and_logs_no_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with messenger(["500"] * 9) as server:
        url = f"ntfy://user:the-ntfy-password@127.0.0.1:{server.port}/topic"
        async with closed_again(Apprise(url, OURS)) as channel:
            with pytest.raises(Unclear):
                await channel.send(message())
        assert server.requests
    assert "the-ntfy-password" not in caplog.text


async def test_apprise_reaches_nothing_inside_not_even_sent_there() -> None:
    async with messenger() as inside:
        async with closed_again(Apprise(f"json://localhost:{inside.port}/")) as channel:
            with pytest.raises(Misconfigured, match="inner address"):
                await channel.send(message())
        async with messenger([f"away http://127.0.0.2:{inside.port}/"]) as server:
            async with closed_again(Apprise(f"json://127.0.0.1:{server.port}/", OURS)) as channel:
                with pytest.raises(Misconfigured, match=r"127\.0\.0\.2 is an inner address"):
                    await channel.send(message())
            assert len(server.requests) == 1
        assert inside.requests == []


async def test_an_address_apprise_does_not_know_is_to_be_mended() -> None:
    async with closed_again(Apprise("pigeon://roof/")) as channel:
        with pytest.raises(Misconfigured):
            await channel.send(message())


def test_a_text_is_cut_to_telegrams_units() -> None:
    assert cut("a" * 4096, 4096) == "a" * 4096
    assert cut("a" * 4097, 4096) == "a" * 4095 + "…"
    found = cut("🔌" * 3000, 4096)
    assert len(found.encode("utf-16-le")) <= 2 * 4096
    assert found == "🔌" * 2047 + "…"


def settings(tmp_path: Path, **values: object) -> dict[str, ChannelSettings]:
    made: dict[str, ChannelSettings] = TypeAdapter(dict[str, ChannelSettings]).validate_python({"one": values})
    return made


async def test_every_kind_of_channel_is_made_of_its_settings(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("https://hook.example/s3cret\n")
    secret.chmod(0o600)
    kinds: list[tuple[dict[str, object], type]] = [
        ({"kind": "telegram", "token_file": secret}, Telegram),
        ({"kind": "mail", "host": "mail.example", "sender": SENDER, "password_file": secret}, Mail),
        ({"kind": "whatsapp", "phone_number_id": "123456", "token_file": secret}, WhatsApp),
        ({"kind": "apprise", "url_file": secret}, Apprise),
    ]
    for values, kind in kinds:
        (made,) = channels(settings(tmp_path, **values)).values()
        assert type(made) is kind
        assert "s3cret" not in repr(made)
        await made.close()


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        channels(settings(tmp_path, kind="telegram", token_file=secret))
