"""Certificates by hand, while provisioning is stopped.

certificates.py ca device|service OFFLINE     a new CA; OFFLINE: the folder with the roots' keys
certificates.py new broker|api NAME...        a new key and certificate for these host names and addresses
certificates.py new gateway|provisioning      a new key and certificate

STATE=FOLDER in the environment names another state folder.
"""

import os
import sys
import time
from pathlib import Path

from provisioning.authority import AuthorityError, open_authority
from provisioning.settings import STATE_FOLDER

SERVERS, CLIENTS = ("broker", "api"), ("gateway", "provisioning")


def main(words: list[str]) -> str:
    """What was done. Raises AuthorityError, OSError."""
    state, now_ms = Path(os.environ.get("STATE", STATE_FOLDER)), time.time_ns() // 1_000_000
    match words:
        case ["ca", ("device" | "service") as kind, offline]:
            open_authority(state, offline=Path(offline)).renew_ca("device" if kind == "device" else "service", now_ms)
            return f"there is a new {kind} CA: make a backup"
        case ["new", name, *hosts] if (name in SERVERS and hosts) or (name in CLIENTS and not hosts):
            authority = open_authority(state)
            (state / "ca" / f"{name}.key").unlink(missing_ok=True)
            authority.issue_service(name, hosts, now_ms, "server" if name in SERVERS else "client")
            return f"{name} has a new key and certificate"
    sys.exit(__doc__)


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:]))
    except (AuthorityError, OSError) as error:
        sys.exit(str(error))
