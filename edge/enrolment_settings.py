"""Settings of enrolment."""

from pathlib import Path

from pydantic import Field

from edge.sources.settings import File, SettingsPath
from kewang.runtime.settings import Settings


class EnrolmentSettings(Settings):
    """Where the box gets its certificate and its sources. Without this section both are given by hand."""

    url: str = Field(
        pattern=r"^https://[A-Za-z0-9.:\[\]-]+/?$", description="The office's device API: https://HOST:PORT."
    )
    ca_file: File = Field(description="The office's service-root.pem: who else answers is not believed.")
    folder: SettingsPath = Field(
        default=Path("/var/lib/kewang/identity"), description="Where key and certificate are kept; for us alone."
    )
    city: str = Field(
        default="amb", pattern=r"^[a-z0-9]{2,8}$", description="First part of an id that the box makes for itself."
    )
    kind: str = Field(default="box", pattern=r"^[a-z0-9]{2,8}$", description="Second part of such an id.")
    label_host: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9.-]+(:[0-9]{1,5})?$",
        description="Host of the technicians' page, for the label; default: that of url.",
    )
    blur: bool = Field(default=True, description="The picture shown at an installation is blurred on the box already.")
