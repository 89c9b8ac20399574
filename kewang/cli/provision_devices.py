"""`kewang provision approve`, `revoke`, `replace`, `move`, `retire`, `export`: acts on devices, and lists of them."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kewang.cli.common import UNREACHABLE, USAGE, AsJson, Config, fail
from kewang.cli.provision_common import Device, Reason, opened, tell, who, working
from kewang.cli.store import moment_ms

DAY_MS = 86_400_000


class Export(StrEnum):
    """What can be exported."""

    INVENTORY = "inventory"
    WORK = "work"
    AUDIT = "audit"


class Told(StrEnum):
    """Languages."""

    ID = "id"
    EN = "en"


def add_to(app: typer.Typer) -> None:
    """Put the commands into the program."""
    for command in (approve, revoke, replace, move, retire, export):
        app.command()(command)


def approve(
    device: Device,
    site: Annotated[str, typer.Option("--site", help="Id of the site where it is.")],
    label: Annotated[str | None, typer.Option("--fingerprint", help="As on the label, to compare.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Approve a device for a site: its next request gets a certificate.

    Exit codes: 0 approved; 1 refused, and why; 2 wrong words; 3 no inventory.

    Example: kewang provision approve amb-cam-7k3f93 --site mardika --config provision.toml
    """
    from provisioning.acts import devices

    with working(config, as_json) as work:
        row = devices.approve(work, device, site, label=label)
    tell(as_json, f"{device} is approved at {row.site}", device=device, state=row.state, site=row.site)


def revoke(device: Device, reason: Reason, config: Config = None, as_json: AsJson = False) -> None:
    """Revoke a device: the guard of 'kewang provision serve' throws it out within a second.

    Exit codes: 0 revoked; 1 refused, and why; 2 wrong words; 3 no inventory.

    Example: kewang provision revoke amb-cam-7k3f93 --reason stolen --config provision.toml
    """
    from provisioning.acts import devices

    with working(config, as_json) as work:
        row = devices.revoke(work, device, reason)
    tell(as_json, f"{device} is revoked", device=device, state=row.state)


def replace(
    old: Annotated[str, typer.Argument(help="Id of the device that goes.")],
    new: Annotated[str, typer.Argument(help="Id of the device that comes.")],
    reason: Reason = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Let the device NEW take the place and the sources of OLD, which is revoked.

    Exit codes: 0 done; 1 refused, and why; 2 wrong words; 3 no inventory.

    Example: kewang provision replace amb-cam-7k3f93 amb-cam-2m8r4w --reason broken --config provision.toml
    """
    from provisioning.acts import devices

    with working(config, as_json) as work:
        row = devices.replace(work, old, new, reason=reason)
    tell(as_json, f"{new} stands for {old} at {row.site}", device=new, replaces=old, site=row.site, state=row.state)


def move(
    device: Device,
    site: Annotated[str, typer.Option("--site", help="Id of the site where it is from now on.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Say that a device hangs at another site from now on.

    Exit codes: 0 moved; 1 refused, and why; 2 wrong words; 3 no inventory.

    Example: kewang provision move amb-cam-7k3f93 --site passo --config provision.toml
    """
    from provisioning.acts import devices

    with working(config, as_json) as work:
        row = devices.move(work, device, site)
    tell(as_json, f"{device} is at {row.site}", device=device, state=row.state, site=row.site)


def retire(device: Device, reason: Reason = "", config: Config = None, as_json: AsJson = False) -> None:
    """Say that a device was taken down for good.

    Exit codes: 0 retired; 1 refused, and why; 2 wrong words; 3 no inventory.

    Example: kewang provision retire amb-cam-7k3f93 --reason 'market closed' --config provision.toml
    """
    from provisioning.acts import devices

    with working(config, as_json) as work:
        row = devices.retire(work, device, reason)
    tell(as_json, f"{device} is retired", device=device, state=row.state)


def export(
    what: Annotated[Export, typer.Argument(help="What to write.")],
    into: Annotated[Path, typer.Argument(help="File to write (CSV for spreadsheets).")],
    from_: Annotated[str | None, typer.Option("--from", help="From this time on; default: 30 days ago.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Up to this time; default: now.")] = None,
    language: Annotated[Told, typer.Option("--language", help="Language of the header.")] = Told.ID,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write the inventory, the technicians' work or the audit log as CSV. Cells that could run as formulas are quoted.

    Exit codes: 0 written; 2 wrong words; 3 no inventory, or no room for the file.

    Example: kewang provision export work work.csv --from 2026-11-01T00:00+09:00 --config provision.toml
    """
    from provisioning.acts import exporting

    to_ms = moment_ms(to, "--to") if to else time.time_ns() // 1_000_000
    from_ms = moment_ms(from_, "--from") if from_ else to_ms - 30 * DAY_MS
    if from_ms >= to_ms:
        fail("--from must be before --to", USAGE)
    with opened(config, as_json) as here, here.inventory.writing(who()) as work:
        zone = here.settings.zone()
        if what == Export.INVENTORY:
            text = exporting.inventory_csv(work, language.value, zone)
        elif what == Export.WORK:
            text = exporting.work_csv(work, from_ms, to_ms, language.value)
        else:
            text = exporting.audit_csv(work, from_ms, to_ms, language.value, zone)
        try:
            into.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            fail(f"{into}: {error.strerror}", UNREACHABLE)
    lines = text.count("\r\n") - 1
    tell(as_json, f"{into}: {lines} lines", file=str(into), lines=lines)
