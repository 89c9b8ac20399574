"""`kewang provision people`: who may log in."""

from enum import StrEnum
from typing import Annotated

import typer

from kewang.cli.common import AsJson, Config, print_json
from kewang.cli.provision_common import opened, tell, working

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Who may log in, and as what.")

Login = Annotated[str, typer.Argument(help="Login name.")]


class As(StrEnum):
    """Roles."""

    TECHNICIAN = "technician"
    OPERATOR = "operator"
    ADMIN = "admin"


@app.command("list")
def list_(config: Config = None, as_json: AsJson = False) -> None:
    """Show everybody who may log in, or once could.

    Exit codes: 0 shown; 2 wrong words; 3 no inventory.

    Example: kewang provision people list --config provision.toml
    """
    from provisioning.inventory.queries import everybody

    with opened(config, as_json) as here, here.inventory.reading() as rows:
        found = everybody(rows)
    names = ("login", "name", "role", "district", "phone", "language", "disabled")
    if as_json:
        print_json({"ok": True, "people": [{name: getattr(one, name) for name in names} for one in found]})
        return
    for one in found:
        shut = "  shut out" if one.disabled else ""
        typer.echo(f"{one.login:<16} {one.role:<11} {one.district or '-':<16} {one.name}{shut}")


@app.command()
def add(
    login: Login,
    name: Annotated[str, typer.Option("--name", help="Name.")],
    role: Annotated[As, typer.Option("--role", help="What the person may do.")] = As.TECHNICIAN,
    district: Annotated[str | None, typer.Option("--district", help="A technician's; default: every one.")] = None,
    phone: Annotated[str, typer.Option("--phone", help="Telephone.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Let somebody in. The password is made up, shown once and kept nowhere.

    Exit codes: 0 done; 1 refused, and why; 2 wrong words; 3 no inventory.

    Example: kewang provision people add rudi --name Rudi --district sirimau --config provision.toml
    """
    from provisioning.acts import people

    with working(config, as_json) as work:
        new = people.NewPerson(login, name, role.value, phone, district)
        person, password = people.add(work, new)
    tell(as_json, f"{person.login} may log in. Password, shown only now: {password}", login=login, password=password)


@app.command()
def password(login: Login, config: Config = None, as_json: AsJson = False) -> None:
    """Give somebody a new password, shown once; all sessions of the person end.

    Exit codes: 0 done; 1 refused, and why; 2 wrong words; 3 no inventory.

    Example: kewang provision people password rudi --config provision.toml
    """
    from provisioning.acts import people

    with working(config, as_json) as work:
        new = people.set_password(work, login)
    tell(as_json, f"Password of {login}, shown only now: {new}", login=login, password=new)


@app.command()
def disable(login: Login, config: Config = None, as_json: AsJson = False) -> None:
    """Shut somebody out: every session ends now.

    Exit codes: 0 done; 1 refused, and why; 2 wrong words; 3 no inventory.

    Example: kewang provision people disable rudi --config provision.toml
    """
    from provisioning.acts import people

    with working(config, as_json) as work:
        people.disable(work, login)
    tell(as_json, f"{login} is shut out", login=login, disabled=True)


@app.command()
def enable(login: Login, config: Config = None, as_json: AsJson = False) -> None:
    """Let somebody in again who was shut out.

    Exit codes: 0 done; 1 refused, and why; 2 wrong words; 3 no inventory.

    Example: kewang provision people enable rudi --config provision.toml
    """
    from provisioning.acts import people

    with working(config, as_json) as work:
        people.enable(work, login)
    tell(as_json, f"{login} may log in again", login=login, disabled=False)
