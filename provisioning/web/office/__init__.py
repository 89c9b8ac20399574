"""The office's pages: for operators and administrators. Their routes are below `/office`."""

from fastapi import FastAPI, Request, Response

from provisioning.web.desk import Desk, see
from provisioning.web.office.audit import AuditLog
from provisioning.web.office.contacts import Contacts
from provisioning.web.office.devices import Devices
from provisioning.web.office.doing import Doing
from provisioning.web.office.exports import Exports
from provisioning.web.office.house import House
from provisioning.web.office.importing import Importing
from provisioning.web.office.people import People
from provisioning.web.office.printing import Printing
from provisioning.web.office.sites import Sites
from provisioning.web.office.sources import Sources
from provisioning.web.office.tasks import Tasks
from provisioning.web.office.watch import Watch

_PARTS = (
    Devices, Doing, Sources, Importing, Printing, Sites, People, Contacts, Tasks, AuditLog, Watch, Exports,
)  # fmt: skip


def mount(app: FastAPI, desk: Desk) -> None:
    """Adds the office's routes to `app`."""
    house = House(desk)
    for part in _PARTS:
        app.include_router(part(house).router())

    @app.get("/office", include_in_schema=False)
    async def begin(request: Request) -> Response:
        """Where people who leave out the last stroke go."""
        await house.who(request)
        return see("/office/")
