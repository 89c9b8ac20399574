"""The inventory: what provisioning knows, in SQLite or PostgreSQL. `open_inventory`, then `provisioning.acts`."""

from provisioning.inventory.actor import Actor
from provisioning.inventory.base import Base
from provisioning.inventory.database import Inventory, InventoryError, open_inventory
from provisioning.inventory.people_tables import Audit, Contact, LoginSession, Person, Request, Role, Shift, Task
from provisioning.inventory.tables import (
    Certificate,
    Device,
    Maintenance,
    Photo,
    PhotoKind,
    Place,
    Site,
    Source,
    State,
    Visit,
    VisitKind,
)
from provisioning.inventory.work import Work

__all__ = [
    "Actor",
    "Audit",
    "Base",
    "Certificate",
    "Contact",
    "Device",
    "Inventory",
    "InventoryError",
    "LoginSession",
    "Maintenance",
    "Person",
    "Photo",
    "PhotoKind",
    "Place",
    "Request",
    "Role",
    "Shift",
    "Site",
    "Source",
    "State",
    "Task",
    "Visit",
    "VisitKind",
    "Work",
    "open_inventory",
]
