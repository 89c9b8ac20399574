"""Settings of provisioning: one TOML file, `kewang provision serve --config provision.toml`."""

from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field
from sqlalchemy import make_url

from kewang.runtime.broker import BrokerSettings
from kewang.runtime.settings import Settings, TimeZone, load, secret
from provisioning.guard.settings import GuardSettings

STATE_FOLDER: Final = Path("/var/lib/kewang/provisioning")


class InventorySettings(Settings):
    """The inventory."""

    url: str | None = Field(
        None,
        description="sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE; default: inventory.db in state_folder.",
    )
    password_file: Path | None = Field(
        None, description="File with the password for PostgreSQL, readable by its owner only."
    )


class WebSettings(Settings):
    """The web app for technicians and the office."""

    host: str = Field("127.0.0.1", description="Address the web app listens on.")
    port: int = Field(8443, ge=0, le=65535, description="Port of the web app; 0 = a free one.")
    public_url: str = Field(
        "https://localhost:8443",
        pattern=r"^https?://[A-Za-z0-9.:\[\]-]+$",
        description="How phones reach it; printed on the labels.",
    )
    cert_file: Path | None = Field(
        None, description="The city's certificate for this name (PEM, with its chain); phones need HTTPS."
    )
    key_file: Path | None = Field(None, description="Its private key (PEM), readable by its owner only.")
    office_phone: str = Field(
        "", pattern=r"^[0-9]{0,15}$", description="The office's WhatsApp number without signs (62811...), for help."
    )
    language: Literal["id", "en"] = Field("id", description="Language of a page until its reader chooses one.")
    time_zone: TimeZone = Field("Asia/Jayapura", description="Time zone of the city, by its name (Asia/Makassar).")


class DevicesSettings(Settings):
    """The device API: where boxes enrol and fetch their settings."""

    host: str = Field("127.0.0.1", description="Address the device API listens on.")
    port: int = Field(8444, ge=0, le=65535, description="Port of the device API; 0 = a free one.")
    public_url: str = Field(
        "https://localhost:8444",
        pattern=r"^https://[A-Za-z0-9.:\[\]-]+$",
        description="How boxes reach it.",
    )
    names: tuple[str, ...] = Field(
        ("localhost", "127.0.0.1"), description="Host names and addresses in the service certificates."
    )
    broker_host: str = Field("localhost", max_length=253, description="Name of the broker as boxes reach it.")
    broker_port: int = Field(8883, ge=1, le=65535, description="Its port for boxes.")


class GatewayApiSettings(Settings):
    """The gateway's JSON API, which says what is stored of a device."""

    url: str = Field(
        "http://127.0.0.1:8080", pattern=r"^https?://", description="Address of the gateway's live page and API."
    )
    token_file: Path | None = Field(
        None, description="File with the token that the gateway asks for; default: gateway.token in state_folder."
    )
    copies_folder: Path | None = Field(
        None,
        description="Folder with copies of what the gateway reads (certificate, its key, token, session key), for one "
        "that must not see state_folder, as in containers; default: none are made.",
    )


class ProvisionSettings(Settings):
    """Settings of provisioning."""

    city: str = Field("amb", pattern=r"^[a-z]{2,5}$", description="Short name of the city; device ids begin with it.")
    state_folder: Path = Field(
        STATE_FOLDER, description="Folder of inventory, keys and photos; for this program's user alone."
    )
    inventory: InventorySettings = InventorySettings()
    web: WebSettings = WebSettings()
    devices: DevicesSettings = DevicesSettings()
    broker: BrokerSettings = BrokerSettings()
    guard: GuardSettings | None = Field(
        None, description="The guard of the broker's files; without this section the broker is yours to keep."
    )
    gateway: GatewayApiSettings = GatewayApiSettings()

    def inventory_url(self) -> str:
        """Where the inventory is, with its password. Raises SettingsError for a password file that can't be used."""
        url = self.inventory.url or f"sqlite:///{self.state_folder.absolute()}/inventory.db"
        if self.inventory.password_file is None:
            return url
        password = secret(self.inventory.password_file)
        return make_url(url).set(password=password).render_as_string(hide_password=False)

    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return ZoneInfo(self.web.time_zone)


def read_settings(file: Path | None, flags: dict[str, object] | None = None) -> ProvisionSettings:
    """Settings from `file`, environment and `flags`. Raises SettingsError."""
    return load(ProvisionSettings, "provision", file, flags)
