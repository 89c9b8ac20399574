"""`kewang bench attacks`: every threat that concerns what exists, as attempts on the shipped configuration.

Each attempt has its control: the same act with right credentials succeeds. A row that breaks counts as a success of
the attacker. All of it on this machine.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from kewang.bench import attacks_api, attacks_audit, attacks_broker, attacks_flood
from kewang.bench.attacks_forms import Forms
from kewang.bench.attacks_pictures import Pictures
from kewang.bench.attacks_rows import Attack, Row
from kewang.bench.attacks_sessions import Sessions
from kewang.bench.attacks_stage import Post
from kewang.bench.attacks_visits import Visits
from kewang.bench.attacks_webhooks import Webhooks
from kewang.bench.envelope import envelope
from kewang.bench.guard import Guard
from kewang.bench.stack import SecuredStack

FEWEST: Final = 60
SABOTAGES: Final = ("none", "open-broker")
NOT_RUN: Final = {
    "T16": "names of firmware files: there are no updates over the air yet",
    "T17": "firmware: there are no updates over the air yet",
    "T24": "a stolen card in another board: nothing compares the hardware; revoking it is tried under T8",
    "T25": "a lost key of the device CA: the drill with 300 boxes is the administrator's",
    "T26": "supply chain: a matter of the release, not of what runs",
}
"""Rows about later features."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class AttacksPlan:
    """`only`: threats that are tried ("": all). `sabotage`: what is left open, to be found out."""

    only: tuple[str, ...] = ()
    sabotage: str = "none"
    seed: int = 1


def measure(plan: AttacksPlan, say: Say = lambda text: None) -> dict[str, Any]:
    """The envelope with its figures. Raises MissingPart, PartFailed, TimeoutError."""
    started_s, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="kewang-attacks-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        guard = Guard(folder)
        stack.callback(guard.close)
        rows = _run(Webhooks(folder).attacks(), plan, say) if plan.sabotage == "none" else []
        rows += [*_office(folder / "office", guard, plan, say), *_broker(folder / "broker", guard, plan, say)]
    figures = told(rows)
    failed = judge(rows, whole=not plan.only)
    parts = attacks_broker.PARTS
    return envelope("bench attacks", seed=plan.seed, parts=parts, started_s=started_s, failed=failed, figures=figures)


def _office(folder: Path, guard: Guard, plan: AttacksPlan, say: Say) -> list[Row]:
    """Against web app, device API and inventory."""
    if plan.sabotage != "none":
        return []
    with SecuredStack(folder, guard=guard) as stack:
        return _run(office_attacks(Post.set(stack)), plan, say)


def office_attacks(post: Post) -> list[Attack]:
    """All of them that need no more than the office, not run yet; the flood at last."""
    return [
        *attacks_api.attacks(post),
        *Visits(post).attacks(),
        *Sessions(post).attacks(),
        *Forms(post).attacks(),
        *Pictures(post).attacks(),
        *attacks_audit.attacks(post),
        *attacks_flood.attacks(post),
    ]


def _broker(folder: Path, guard: Guard, plan: AttacksPlan, say: Say) -> list[Row]:
    """Against broker, guard, HAProxy and gateway."""
    with attacks_broker.standing(folder, guard) as yard:
        if plan.sabotage == "open-broker":
            (yard.stage.broker.settings.folder / "devices.acl").write_text("topic readwrite #\n")
            yard.stage.broker.signal.reload()
        return _run(attacks_broker.attacks(yard), plan, say)


def _run(attacks: Sequence[Attack], plan: AttacksPlan, say: Say) -> list[Row]:
    """One after the other, for most look at what arrives."""
    done = []
    for attack in attacks:
        if not plan.only or attack.threat in plan.only:
            say(f"{attack.threat} {attack.name}")
            done.append(attack.run())
    return done


def told(rows: Sequence[Row]) -> dict[str, Any]:
    """The figures."""
    controls = [row.control_passed for row in rows if row.control_passed is not None]
    return {
        "rows": len({row.threat for row in rows}),
        "attempts": len(rows),
        "refused": sum(row.refused for row in rows),
        "not_run": [{"threat": threat, "why": why} for threat, why in NOT_RUN.items()],
        "controls": len(controls),
        "controls_passed": sum(controls),
        "by_row": [asdict(row) for row in sorted(rows, key=lambda row: int(row.threat[1:]))],
    }


def judge(rows: Sequence[Row], *, whole: bool) -> list[str]:
    """A sentence for each thing that is not as it must be."""
    failed = [f"{row.threat} {row.name}: not refused {row.detail}".strip() for row in rows if not row.refused]
    failed += [
        f"{row.threat} {row.name}: its control fails {row.detail}" for row in rows if row.control_passed is False
    ]
    if whole and len(rows) < FEWEST:
        failed.append(f"{len(rows)} attempts, at least {FEWEST}")
    return failed


def show(result: Mapping[str, Any]) -> None:
    """For people: a line for each threat, and every attempt that was not refused."""
    table = Table("threat", "attempts", "refused", "controls", "passed", title="Attacks", title_justify="left")
    rows: list[Mapping[str, Any]] = result["by_row"]
    for threat in dict.fromkeys(row["threat"] for row in rows):
        of = [row for row in rows if row["threat"] == threat]
        controls = [row["control_passed"] for row in of if row["control_passed"] is not None]
        counted = (len(of), sum(row["refused"] for row in of), len(controls), sum(controls))
        table.add_row(threat, *map(str, counted))
    for each in result["not_run"]:
        table.add_row(each["threat"], f"not run: {each['why']}")
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{result['attempts']} attempts, {result['refused']} refused; ", end="")
    console.print(f"{result['controls']} controls, {result['controls_passed']} passed; {result['seconds']} s")
    for reason in result["failed"]:
        console.print(f"FAILED: {reason}", style="bold red", markup=False)
    console.print("ok" if result["ok"] else "not ok", style="bold green" if result["ok"] else "bold red")
