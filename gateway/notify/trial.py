"""One test message by a channel of production's, past every outbox, and what became of it."""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from gateway.notify.channel_settings import (
    AppriseSettings,
    ChannelSettings,
    MailSettings,
    TelegramSettings,
    WebhookSettings,
)
from gateway.notify.channels import channel
from gateway.notify.message import Message, Unclear
from gateway.ports import Misconfigured, Poison, RetryLater
from kewang.ui.words import Language, words

Verdict = Literal["taken", "refused", "mend", "away", "unclear"]
"""`refused`: for this recipient; `mend`: for all; `away`: nobody answers; `unclear`: it may have arrived."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of it. `trouble`: in the other side's words and ours; `step`: what to do next."""

    verdict: Verdict
    receipt: str = ""
    trouble: str = ""
    step: str = ""


def trial_message(name: str, recipient: str, language: Language, time_zone: str, now_s: float) -> Message:
    """A message to the address `recipient` on the channel `name` that nobody can take for an outage."""
    known = words(language)
    when = datetime.fromtimestamp(now_s, ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M %Z")
    subject = known.gettext("[TEST] Notices of Kewang arrive here")
    told = known.gettext(
        "This is a test of the channel %(channel)s at %(when)s. Nothing is out, nothing is to be done."
    )
    text = told % {"channel": name, "when": when}
    step = known.gettext("Nothing is to be done.")
    facts = {"kind": "test", "incident": "0", "about": "test", "level": "gateway", "title": subject, "where": "Kewang"}
    facts |= {"since": when, "devices": "0", "cause": known.gettext("a test"), "step": step, "link": ""}
    key = f"test-{secrets.token_hex(6)}"
    return Message(key, name, recipient, subject, f"{subject}\n{text}", "info", now_s, now_s + 3600, facts=facts)


async def tried(settings: ChannelSettings, message: Message, try_s: float) -> Trial:
    """Send it once. Raises SettingsError for a secret that can't be read."""
    way = channel(settings)
    try:
        async with asyncio.timeout(try_s):
            return Trial("taken", await way.send(message))
    except TimeoutError:
        return Trial("unclear", "", f"no answer in {try_s:g} s", _LOOK)
    except Unclear as error:
        return Trial("unclear", "", str(error), _LOOK)
    except RetryLater as error:
        return Trial("away", "", str(error), "is its name or address right, and has this machine a network? Try again")
    except Misconfigured as error:
        return Trial("mend", "", str(error), _mend(settings))
    except Poison as error:
        return Trial("refused", "", str(error), _correct(settings))
    finally:
        await way.close()


_LOOK = "look whether it has arrived, then try again"


def _mend(settings: ChannelSettings) -> str:
    """What nothing gets through without."""
    if isinstance(settings, TelegramSettings):
        return f"is the token wrong? Write the one of @BotFather into {settings.token_file}"
    if isinstance(settings, MailSettings):
        password = f" and the password in {settings.password_file}" if settings.password_file else ""
        return f"compare host, port, security, sender, username{password} with what the mail server wants"
    if isinstance(settings, WebhookSettings):
        return f"correct {_named('url', settings.url_file)}, {_named('secret_file', settings.secret_file)} or allowed"
    if isinstance(settings, AppriseSettings):
        return f"correct the address in {settings.url_file}"
    return f"look at the token in {settings.token_file}, and at templates, account and payment at Meta"


def _correct(settings: ChannelSettings) -> str:
    """What this recipient does not get it without."""
    if isinstance(settings, TelegramSettings):
        return "correct the chat's number under [recipients], and let the bot into that chat"
    return "correct the recipient's address under [recipients]"


def _named(key: str, file: Path | None) -> str:
    return f"{key} ({file})" if file else key
