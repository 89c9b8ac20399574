"""Making the authority, once in the life of a city."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from provisioning.authority import issuing
from provisioning.authority.authority import KINDS, Authority
from provisioning.authority.files import AuthorityError
from provisioning.authority.making import Lifetimes
from provisioning.files import make_folder, sync_folder


def create(
    folder: Path,
    *,
    city: str,
    broker_hosts: Sequence[str],
    api_hosts: Sequence[str],
    now_ms: int,
    lifetimes: Lifetimes | None = None,
) -> Authority:
    """Make roots, CAs and certificates below `folder`; all of it or nothing. Raises AuthorityError, OSError.

    Afterwards `offline/` belongs on a stick in a safe, and a copy of `ca/` into the backup.
    """
    lifetimes = lifetimes or Lifetimes()
    for taken in (folder / "ca", folder / "offline"):
        if taken.exists():
            raise AuthorityError(f"{taken} is there already: a second CA would lock out every box. Move it away first")
    draft = folder / ".authority.new"
    shutil.rmtree(draft, ignore_errors=True)
    for part in ("ca", "offline"):
        make_folder(draft / part)
    for kind in KINDS:
        issuing.make_root(draft, kind, city, now_ms, lifetimes)
    issuing.make_signer(draft / "ca", now_ms, lifetimes)
    made = Authority(draft, lifetimes)
    made.issue_service("broker", broker_hosts, now_ms)
    made.issue_service("api", api_hosts, now_ms)
    for name in ("gateway", "provisioning"):
        made.issue_service(name, (), now_ms, "client")
    for name in ("canary-good", "canary-revoked"):
        made.issue_canary(name, now_ms)
    for part in ("offline", "ca"):
        (draft / part).rename(folder / part)
    draft.rmdir()
    sync_folder(folder)
    return open_authority(folder, lifetimes)


def open_authority(folder: Path, lifetimes: Lifetimes | None = None, *, offline: Path | None = None) -> Authority:
    """The authority below `folder`. Raises AuthorityError with the next step. `offline`: where the roots' keys are."""
    return Authority(folder, lifetimes or Lifetimes(), offline)
