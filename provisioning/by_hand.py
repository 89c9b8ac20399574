"""What an administrator does with keys by hand: a new CA, a new key for a service, a bundle for a stick.

Each leaves its row in the audit log.
"""

from typing import Final, Literal

from provisioning.acts.rights import must
from provisioning.authority import Authority
from provisioning.devices import Office
from provisioning.devices.bundles import make_bundle
from provisioning.inventory import Actor, Inventory, Work
from provisioning.inventory.audit import record

SERVERS: Final = ("broker", "api")
"""Services that others connect to: their certificate names hosts."""
Service = Literal["broker", "api", "gateway", "provisioning"]


def renew_ca(work: Work, authority: Authority, kind: Literal["device", "service"]) -> None:
    """A new CA below its root; the old one signs its lists to its end. Raises AuthorityError, OSError, Refused."""
    must(work, "authority.ca", kind)
    record(work, "authority.ca", kind)
    authority.renew_ca(kind, work.now_ms)


def replace_key(work: Work, authority: Authority, service: Service, hosts: list[str]) -> None:
    """A new key and certificate for one of our services. Raises AuthorityError, OSError, Refused, ValueError."""
    if bool(hosts) != (service in SERVERS):
        raise ValueError(
            f"{service}: name the hosts that its certificate is for, those that boxes connect to"
            if service in SERVERS
            else f"{service} is no server: name no hosts"
        )
    must(work, "authority.key", service)
    record(work, "authority.key", service, {"hosts": hosts})
    authority.replace_service(service, hosts, work.now_ms, "server" if hosts else "client")


def bundle(inventory: Inventory, actor: Actor, office: Office, authority: Authority, device: str, csr: str) -> bytes:
    """The file for the stick, b"" while the box is not approved. Raises WireError, No, Refused."""
    made = make_bundle(office, authority, device, csr, inventory.clock_ms())
    if made is None:
        return b""
    with inventory.writing(actor) as work:
        must(work, "device.bundle", device)
        record(work, "device.bundle", device)
    return made.encode()
