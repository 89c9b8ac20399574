"""`kewang provision`: who the devices are, where they are, who may in."""

import typer

from kewang.cli.common import UNREACHABLE, Check, Config, Verbose, fail, settings_errors
from kewang.runtime.program import run_until_signalled, set_up_logging

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@app.callback()
def _provision() -> None:
    pass


@app.command()
def serve(config: Config = None, check: Check = False, verbose: Verbose = False) -> None:
    """Run web app, device API, placements and the broker's guard until SIGTERM or Ctrl-C."""
    from provisioning.authority import AuthorityError
    from provisioning.inventory import InventoryError
    from provisioning.service import serve as run
    from provisioning.settings import read_settings

    set_up_logging(verbose)
    with settings_errors():
        settings = read_settings(config)
        if check:
            return
        try:
            code = run_until_signalled(lambda stopping: run(settings, stopping))
        except (AuthorityError, InventoryError, OSError) as error:
            fail(str(error), UNREACHABLE)
    raise typer.Exit(code)
