"""`kewang provision audit`: what was done, and whether the log is whole."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from kewang.cli.common import FOUND, UNREACHABLE, AsJson, Config, fail, print_json
from kewang.cli.provision_common import opened

app = typer.Typer(no_args_is_help=True, add_completion=False, help="What was done, and whether the log of it is whole.")


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many, the newest.")] = 50,
    subject: Annotated[str | None, typer.Option("--subject", help="Only about this device, person or site.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show the newest rows of the audit log, oldest first.

    Exit codes: 0 shown; 2 wrong words; 3 no inventory.

    Example: kewang provision audit list --subject amb-cam-7k3f93 --config provision.toml
    """
    from provisioning.inventory.queries import newest_audit

    with opened(config, as_json) as here, here.inventory.reading() as rows:
        found = newest_audit(rows, limit, subject)
        zone = here.settings.zone()
    if as_json:
        names = ("number", "time_ms", "actor", "act", "subject", "detail")
        print_json({"ok": True, "rows": [{name: getattr(row, name) for name in names} for row in found]})
        return
    for row in found:
        moment = datetime.fromtimestamp(row.time_ms / 1000, zone).isoformat(sep=" ", timespec="seconds")
        typer.echo(f"{row.number:>6}  {moment}  {row.actor:<16} {row.act:<22} {row.subject}  {row.detail}")


@app.command()
def verify(
    head: Annotated[
        list[Path] | None, typer.Option("--head", help="audit-head-....json that was kept elsewhere, to compare.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Check that no row of the audit log was edited, deleted, put in or exchanged.

    Exit codes: 0 whole; 1 not, with the row; 2 wrong words; 3 no inventory.

    Example: kewang provision audit verify --config provision.toml
    """
    from provisioning.inventory.verify import matches_export
    from provisioning.inventory.verify import verify as look

    with opened(config, as_json) as here:
        verdict = look(here.inventory)
        problem = verdict.problem
        for file in head or ():
            try:
                if not matches_export(here.inventory, file):
                    problem = problem or f"the log is not the one that {file} was taken from"
            except (OSError, ValueError, KeyError, TypeError) as error:
                fail(f"{file} is no exported head: {error}", UNREACHABLE)
    if as_json:
        print_json({"ok": not problem, "rows": verdict.rows, "row": verdict.row, "problem": problem})
    else:
        typer.echo(f"not whole: {problem}" if problem else f"whole: {verdict.rows} rows", err=bool(problem))
    if problem:
        raise typer.Exit(FOUND)
