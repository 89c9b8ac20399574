"""Channels as `notify.toml` names them. Secrets are files that others can't read."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from kewang.runtime.settings import Settings


def _are_networks(texts: list[str]) -> list[str]:
    for text in texts:
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            raise ValueError(f"{error}: write 10.1.2.0/24 or 10.1.2.3") from None
    return texts


Networks = Annotated[list[str], AfterValidator(_are_networks)]
"""Networks and single addresses, as people write them."""


class TelegramSettings(Settings):
    """A Telegram bot."""

    kind: Literal["telegram"]
    token_file: Path = Field(description="File with the bot's token, readable by its owner only.")
    base_url: str = Field("https://api.telegram.org", description="Address of the bot API.")


class WebhookSettings(Settings):
    """An address that takes notices as JSON."""

    kind: Literal["webhook"]
    url: str | None = Field(None, description="Its address, https; {recipient}: each recipient is one.")
    url_file: Path | None = Field(None, description="File with the address, where the address itself is a secret.")
    secret_file: Path | None = Field(None, description="File with the key of the signature.")
    allowed: Networks = Field([], description="Inner networks and addresses it may be in (10.1.2.0/24).")
    plain_http: bool = Field(False, description="http:// is allowed too; for inner networks only.")

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("give url or url_file, one of them")
        return self


class MailSettings(Settings):
    """A mail server."""

    kind: Literal["mail"]
    host: str = Field(description="Mail server.")
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="starttls (587), tls (465), or none: only for a server on this machine."
    )
    sender: str = Field(pattern=r"^[^@\s<>]+@[^@\s<>]+$", description="Address that notices come from.")
    username: str | None = Field(None, description="User name, if the server asks for one.")
    password_file: Path | None = Field(None, description="File with the password, readable by its owner only.")
    ca_file: Path | None = Field(None, description="Certificate that the server's is signed by, if it is our own.")

    @model_validator(mode="after")
    def _no_password_in_the_open(self) -> Self:
        if self.password_file and self.security == "none" and self.host not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError("a password goes over tls or starttls only: change security")
        return self


class WhatsAppSettings(Settings):
    """WhatsApp by Meta's Cloud API: templates that Meta has approved."""

    kind: Literal["whatsapp"]
    phone_number_id: str = Field(pattern=r"^\d{3,32}$", description="Id of the sending number.")
    token_file: Path = Field(description="File with the access token, readable by its owner only.")
    opened: str = Field("gangguan_baru", description="Template of notices but closings.")
    resolved: str = Field("gangguan_selesai", description="Template of closings.")
    language: str = Field("id", description="Language the templates are approved in.")
    parameters: list[str] = Field(
        ["title", "where", "since", "devices", "step"], description="What fills in {{1}}, {{2}} and so on."
    )
    base_url: str = Field("https://graph.facebook.com/v21.0", description="Address of the Cloud API with its version.")


class AppriseSettings(Settings):
    """Anything else that the library apprise speaks: ntfy, SMS gateways, Matrix and a hundred more."""

    kind: Literal["apprise"]
    url_file: Path = Field(
        description="File with apprise's address, readable by its owner only; {recipient} is filled in."
    )
    allowed: Networks = Field([], description="Inner networks and addresses it may be in (10.1.2.0/24).")


ChannelSettings = Annotated[
    TelegramSettings | WebhookSettings | MailSettings | WhatsAppSettings | AppriseSettings, Field(discriminator="kind")
]
