"""`kewang notify`: try a channel, look over who is told of what, and see what would have been sent."""

import asyncio
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kewang.cli.common import (
    FOUND,
    UNREACHABLE,
    USAGE,
    AsJson,
    Config,
    check_language,
    fail,
    print_json,
    settings_errors,
)
from kewang.cli.notify_preview import preview
from kewang.cli.notify_settings import NotifyFile, incident_settings, notify_settings

if TYPE_CHECKING:
    from gateway.notify.coverage import Coverage
    from gateway.notify.routes import NotifySettings
    from gateway.settings import IncidentSettings
    from kewang.ui.words import Language

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Who is told of outages, and whether it arrives.")
app.command()(preview)
_CODES: Final = {"taken": 0, "refused": FOUND, "mend": FOUND, "away": UNREACHABLE, "unclear": UNREACHABLE}
_ADDRESSES: Final = {"mail": r".+@.+", "telegram": r"-?\d+|@\w+", "whatsapp": r"\+?\d+"}
"""What an address looks like; other channels take any word."""
_SITES: Final = 10


@app.command("test")
def try_(
    channel: Annotated[str, typer.Argument(help="Name of a channel in notify.toml.")],
    to: Annotated[str, typer.Option("--to", help="Recipient in notify.toml, or an address on this channel.")],
    language: Annotated[str, typer.Option("--lang", help="id or en; default: the recipient's.")] = "",
    config: Config = None,
    file: NotifyFile = None,
    as_json: AsJson = False,
) -> None:
    """Send one message by CHANNEL that calls itself a test, and say what became of it.

    The gateway may run: its own messages are left alone. Exit codes: 0 the other side has taken it; 1 it is refused: it
    says why and what to mend; 2 wrong words, or settings and secrets that can't be used; 3 nobody answers, or it is not
    known whether it arrived.

    Examples:

        kewang notify test telegram --to shift --config gateway.toml

        kewang notify test mail --to siti@kota.example --lang en --notify notify.toml
    """
    from gateway.notify.trial import trial_message, tried

    settings = notify_settings(config, file)
    if channel not in settings.channels:
        fail(f"no channel is called {channel!r}: there is {', '.join(settings.channels) or 'none'}", USAGE)
    address, spoken = _recipient(settings, channel, to)
    if language:
        check_language(language)
    chosen: Language = "en" if language == "en" else "id" if language == "id" else spoken
    message = trial_message(channel, address, chosen, settings.time_zone, time.time())
    with settings_errors():
        trial = asyncio.run(tried(settings.channels[channel], message, settings.delivery.try_s))
    code = _CODES[trial.verdict]
    if as_json:
        print_json({"ok": not code, "channel": channel, "recipient": address, **asdict(trial)})
        raise typer.Exit(code)
    if code:
        fail(f"{channel} to {address}: {trial.trouble}\nkewang: next: {trial.step}", code)
    receipt = f" (receipt: {trial.receipt})" if trial.receipt else ""
    typer.echo(f"{channel} to {address}: taken{receipt}. Look whether it has arrived")


@app.command()
def check(config: Config = None, file: NotifyFile = None, as_json: AsJson = False) -> None:
    """Look over who is told of what: the file, every secret, every route, without a network.

    Told are kinds of incidents that nobody is told of, at which of the sites that the gateway knows, and names
    that are not used or fit nothing. Exit codes: 0 well; 1 something is left out; 2 the file or a secret can't be used.

    Example: kewang notify check --config gateway.toml
    """
    from gateway.incidents.rules import load_rules
    from gateway.notify.coverage import coverage

    settings = notify_settings(config, file)
    incidents = None if config is None and file is not None else incident_settings(config)
    with settings_errors():
        _check_secrets(settings)
        rules = load_rules(incidents.rules if incidents else None)
    found = coverage(settings, rules, _sites(incidents))
    if as_json:
        uncovered = [{"kind": k, "severity": s, "sites": sites} for (k, s), sites in found.uncovered.items()]
        told = {"channels": [*settings.channels], "recipients": [*settings.recipients], "uncovered": uncovered}
        unused = {name: getattr(found, name) for name in ("channels", "recipients", "sites", "kinds")}
        print_json({"ok": found.well, **told, "unused": unused})
        raise typer.Exit(0 if found.well else FOUND)
    _show(settings, found)
    raise typer.Exit(0 if found.well else FOUND)


def _check_secrets(settings: "NotifySettings") -> None:
    """Raise SettingsError with everything that can't be used, one problem a line."""
    from gateway.notify.channels import channel
    from kewang.runtime.settings import SettingsError, secret

    looks: list[Callable[[], object]] = [partial(channel, one) for one in settings.channels.values()]
    if settings.office:
        looks.append(partial(secret, settings.office.token_file))
    problems = []
    for look in looks:
        try:
            look()
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        raise SettingsError("\n".join(problems))


def _show(settings: "NotifySettings", found: "Coverage") -> None:
    for name, one in settings.channels.items():
        told_there = [who for who, each in settings.recipients.items() if name in each.addresses]
        typer.echo(f"channel {name} ({one.kind}): {', '.join(told_there) or 'nobody has an address on it'}")
    if settings.office and settings.office.by:
        typer.echo(f"the office's contacts: what is {settings.office.at_least} or worse")
    for sites, kinds in found.by_sites().items():
        some = f"{', '.join(sites[:_SITES])}{' and others' if len(sites) > _SITES else ''}"
        typer.echo(f"nobody is told {f'at {some} ' if sites else ''}of: {', '.join(kinds)}")
    for what, names in (("channel", found.channels), ("recipient", found.recipients)):
        for name in names:
            typer.echo(f"nothing uses the {what} {name}")
    for what, names in (("site", found.sites), ("kind of incident", found.kinds)):
        for name in names:
            typer.echo(f"a route names {name}, but no {what} is called so")
    if found.well:
        typer.echo("well: somebody is told of everything")


def _sites(incidents: "IncidentSettings | None") -> set[str]:
    """The sites that the gateway has known last; none if it has not run."""
    from gateway.chronicle import Chronicle
    from gateway.notify.outbox_file import OutboxRefused
    from gateway.watched import CHRONICLE_FILE

    if incidents is None:
        return set()
    try:
        with closing(Chronicle(incidents.folder / CHRONICLE_FILE, read_only=True)) as chronicle:
            return {place.site for place in chronicle.places().values()}
    except (OSError, sqlite3.Error, OutboxRefused):
        return set()


def _recipient(settings: "NotifySettings", channel: str, to: str) -> "tuple[str, Language]":
    """Their address on this channel and language; what is no recipient's name is an address, if it looks like one."""
    known = settings.recipients.get(to)
    if known is None:
        kind = settings.channels[channel].kind
        if not re.fullmatch(_ADDRESSES.get(kind, ".+"), to):
            there = ", ".join(settings.recipients) or "none"
            fail(f"no recipient is called {to!r} (there is {there}), and it is no address for {kind}", USAGE)
        return to, "id"
    if channel not in known.addresses:
        fail(f"{to!r} has no address on {channel!r}: it has one on {', '.join(known.addresses)}", USAGE)
    return known.addresses[channel], known.language
