"""Channels from their settings."""

from collections.abc import Mapping
from pathlib import Path

from gateway.notify.apprise_channel import Apprise
from gateway.notify.channel_settings import (
    AppriseSettings,
    ChannelSettings,
    MailSettings,
    TelegramSettings,
    WebhookSettings,
)
from gateway.notify.guard import Guard
from gateway.notify.mail import Mail
from gateway.notify.message import Channel
from gateway.notify.telegram import Telegram
from gateway.notify.webhook import Webhook
from gateway.notify.whatsapp import WhatsApp
from kewang.runtime.settings import secret


def channels(settings: Mapping[str, ChannelSettings]) -> dict[str, Channel]:
    """Every channel by its name, its secrets read. Raises SettingsError."""
    return {name: channel(one) for name, one in settings.items()}


def channel(settings: ChannelSettings) -> Channel:
    """One channel, its secrets read. Raises SettingsError."""
    if isinstance(settings, TelegramSettings):
        return Telegram(settings.base_url, secret(settings.token_file))
    if isinstance(settings, WebhookSettings):
        url = settings.url or _secret(settings.url_file) or ""
        return Webhook(url, _secret(settings.secret_file), Guard(settings.allowed, plain_http=settings.plain_http))
    if isinstance(settings, MailSettings):
        password = _secret(settings.password_file)
        login = (settings.username or settings.sender, password) if password else None
        return Mail(settings.host, settings.port, settings.security, settings.sender, login, settings.ca_file)
    if isinstance(settings, AppriseSettings):
        return Apprise(secret(settings.url_file), settings.allowed)
    templates = (settings.opened, settings.resolved)
    token = secret(settings.token_file)
    return WhatsApp(
        settings.base_url, settings.phone_number_id, token, templates, settings.language, settings.parameters
    )


def _secret(file: Path | None) -> str | None:
    return None if file is None else secret(file)
