"""Where the broker is and how to be let in: the same keys for every program that speaks MQTT."""

import ssl
from pathlib import Path
from typing import Final

from pydantic import Field

from kewang.runtime.settings import Settings, SettingsError, secret

_NO_CHECK_TIME: Final = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for."""


class TlsSettings(Settings):
    """Files of TLS. The identity (certificate and key) is for brokers that ask for one."""

    ca_file: Path | None = Field(None, description="Certificates that are trusted; default: the system's.")
    cert_file: Path | None = Field(None, description="This program's certificate (PEM).")
    key_file: Path | None = Field(None, description="Its private key (PEM), readable by its owner only.")


class BrokerSettings(Settings):
    """The MQTT broker."""

    host: str = Field("127.0.0.1", description="Name or address of the broker.")
    port: int = Field(1883, ge=1, le=65535, description="TCP port of the broker.")
    username: str | None = Field(None, description="User name, for brokers with passwords.")
    password_file: Path | None = Field(None, description="File with the password, readable by its owner only.")
    tls: TlsSettings | None = Field(None, description="TLS; without this section the connection is plain.")

    def password(self) -> str | None:
        """The password, read now. Raises SettingsError."""
        return secret(self.password_file) if self.password_file else None

    def tls_context(self, *, check_dates: bool = True) -> ssl.SSLContext | None:
        """The TLS context, None for a plain connection. Raises SettingsError for files that can't be used.

        Without `check_dates` the broker's certificate may seem to have ended, or not begun: for a machine that does not
        know the date.
        """
        if self.tls is None:
            return None
        try:
            context = ssl.create_default_context(cafile=self.tls.ca_file)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if not check_dates:
                context.verify_flags |= _NO_CHECK_TIME
            if self.tls.cert_file:
                if self.tls.key_file:
                    secret(self.tls.key_file)
                context.load_cert_chain(self.tls.cert_file, self.tls.key_file)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"broker.tls: {error}: check ca_file, cert_file and key_file") from None
        return context
