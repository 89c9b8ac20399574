"""Writes the parts of the pages that the code knows best: settings, commands, metrics.

`python docs/generate.py` rewrites the blocks between `<!-- generated: NAME -->` and `<!-- /generated -->`;
with `--check` it only says which pages are out of date (exit code 1). Indonesian texts come from `docs/words.id.po`;
a setting without one is an error, so that no page is half translated.
"""

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, get_args

import typer
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel

import kewang.cli
from docs.settings_tables import alternatives, bare, sections, table
from docs.words import Untranslated, Words
from edge.cameras.sight import HARD
from edge.cameras.stream import outage_state
from edge.settings import EdgeSettings
from edge.sources import driver, installed
from edge.sources.derived import Level
from edge.sources.mqtt import Key
from edge.sources.registers import Register, RegisterMap
from gateway.incidents.rules import Rule, load_rules
from gateway.metrics import GatewayMetrics
from gateway.notify.channel_settings import ChannelSettings
from gateway.notify.contacts import RecipientSettings
from gateway.notify.routes import NotifySettings, QuietSettings, RouteSettings
from gateway.settings import GatewaySettings
from kewang.ui.words import LANGUAGES, Language
from kewang.wire.cameras import FIRST_STEPS, REASON_WORDS, STATE_WORDS, CameraReason, CameraState
from kewang.wire.catalogue import BY_NAME, METRICS, Metric
from kewang.wire.contract.files import files
from provisioning.settings import ProvisionSettings

DOCS: Final = Path(__file__).resolve().parent
CONTRACT: Final = DOCS / "dev" / "contract"
_BLOCK: Final = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- /generated -->)", re.DOTALL)
FOR_DEVELOPERS: Final = frozenset({"sim", "bench"})


def blocks(words: Words) -> dict[str, str]:
    """Every generated block by its name, in one language. Raises Untranslated."""
    made: dict[str, Callable[[Words], Iterator[str]]] = {
        "edge": _edge,
        "gateway": _gateway,
        "provision": _provision,
        "notify": _notify,
        "rules": _rules,
        "rule-list": _rule_list,
        "register-map": _register_map,
        "commands": _commands,
        "metrics": _metrics,
        "signals": _signals,
        "camera-reasons": _camera_reasons,
    }
    texts = {name: "\n".join(make(words)).strip() for name, make in made.items()}
    words.check()
    return texts


def rendered(page: Path, made: dict[str, str]) -> str:
    """The page's text with its blocks up to date."""
    return _BLOCK.sub(lambda block: f"{block[1]}\n{made[block[2]]}\n\n{block[3]}", page.read_text())


def outdated() -> dict[Path, str]:
    """Pages that are not up to date, with the text they should have."""
    found = {}
    for language in LANGUAGES:
        made = blocks(Words(language))
        for page in sorted((DOCS / language).glob("*.md")):
            text = rendered(page, made)
            if text != page.read_text():
                found[page] = text
    return found | _outdated_contract()


def _outdated_contract() -> dict[Path, str]:
    """Files of the published contract that are not up to date."""
    made = {CONTRACT / name: text for name, text in files().items()}
    return {file: text for file, text in made.items() if not file.exists() or file.read_text() != text}


def source_models() -> dict[str, type[BaseModel]]:
    """Settings of the drivers that come with Kewang, by driver name."""
    own = [name for name, point in installed().items() if point.value.startswith("edge.")]
    return {name: driver(name).Settings for name in own}


def _edge(words: Words) -> Iterator[str]:
    yield from sections(EdgeSettings, words, skip=("sources",))
    for name, model in source_models().items():
        yield from table(f"[[sources]] driver = {name!r}".replace("'", '"'), model, words, with_sections=True)
    yield from table("[sources.level]", Level, words)
    yield from table("[[sources.keys]]", Key, words)


def _gateway(words: Words) -> Iterator[str]:
    yield from sections(GatewaySettings, words)


def _provision(words: Words) -> Iterator[str]:
    yield from sections(ProvisionSettings, words)


def _notify(words: Words) -> Iterator[str]:
    yield from sections(NotifySettings, words, skip=("channels", "recipients", "routes", "quiet"))
    for kind, model in channel_models().items():
        yield from table(f'[channels.NAME] kind = "{kind}"', model, words, skip=("kind",))
    yield from table("[recipients.NAME]", RecipientSettings, words)
    yield from table("[[routes]]", RouteSettings, words)
    yield from table("[[quiet]]", QuietSettings, words)


def channel_models() -> dict[str, type[BaseModel]]:
    """Settings of the channels of notices, by kind."""
    models: list[type[BaseModel]] = alternatives(bare(ChannelSettings))
    return {get_args(model.model_fields["kind"].annotation)[0]: model for model in models}


def _rules(words: Words) -> Iterator[str]:
    yield from table("", Rule, words, skip=("name",))


def _rule_list(words: Words) -> Iterator[str]:
    """The shipped rules: when each begins and ends."""
    titles = ("Rule", "What it is", "Metric", "Begins", "Critical", "Ends", "Lasts", "One for each", "Severity")
    yield f"| {' | '.join(words(title) for title in titles)} |\n{'|---' * len(titles)}|"
    for rule in load_rules():
        metric, sign = BY_NAME[rule.metric], {"above": "≥", "below": "≤", "codes": ""}[rule.when]
        codes = ", ".join(metric.word(code, words.language) or str(code) for code in rule.codes)
        limits = [_limit(sign, each, metric.unit) for each in (rule.from_, rule.critical_from)]
        ends = _limit({"≥": "≤", "≤": "≥"}.get(sign, ""), rule.clear, metric.unit)
        told = [rule.en if words.language == "en" else rule.id, f"`{rule.metric}`", codes or limits[0], limits[1], ends]
        shown = [f"[`{rule.name}`](runbook.md#{rule.name}-{rule.per})", *told, f"{rule.hold_s / 60:g} min"]
        yield f"| {' | '.join([*shown, words(rule.per), words(rule.severity)])} |"


def _limit(sign: str, value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{sign} {value / 1e6:g} MB" if unit == "B" else f"{sign} {value:.16g} {unit}".strip()


def _register_map(words: Words) -> Iterator[str]:
    yield from table("", RegisterMap, words, skip=("registers",))
    yield from table("[[registers]]", Register, words)


def programs() -> dict[str, Any]:
    """Every command by its words (`gateway init`), each with click's parameters."""
    found: dict[str, Any] = {}
    for name, (module, _) in kewang.cli._PROGRAMS.items():
        if importlib.util.find_spec(module) is None:
            continue
        _collect(name, typer.main.get_command(importlib.import_module(module).app), found)
    return found


def _collect(name: str, command: Any, found: dict[str, Any]) -> None:
    inner = getattr(command, "commands", None)
    if inner:
        for word, each in inner.items():
            _collect(f"{name} {word}", each, found)
    else:
        found[name] = command


def _commands(words: Words) -> Iterator[str]:
    """Every command; in Indonesian those that people who run a city need."""
    for name, command in programs().items():
        if words.language == "id" and name.split()[0] in FOR_DEVELOPERS:
            continue
        yield f"### `kewang {name}`\n"
        yield from _told(command.help or "", words)
        shown = [parameter for parameter in command.params if parameter.name != "help"]
        if shown:
            yield f"| {words('Option')} | {words('Default')} | {words('Meaning')} |\n|---|---|---|"
            yield from (_option(parameter, words) for parameter in shown)
            yield ""


def _told(text: str, words: Words) -> Iterator[str]:
    """A command's help: its paragraphs, then its examples."""
    paragraphs = [" ".join(each.replace("\b", "").split()) for each in text.split("\n\n")]
    told = [each.removeprefix("Examples: ").removeprefix("Example: ") for each in paragraphs]
    examples = [each for each in told if each.startswith("kewang ")]
    yield from (f"{words(each)}\n" for each in told if each and each not in examples and each != "Examples:")
    if examples:
        yield "\n".join(["```sh", *examples, "```\n"])


def _option(parameter: Any, words: Words) -> str:
    spelled = [*parameter.opts, *parameter.secondary_opts]
    names = ", ".join(f"`{name}`" for name in spelled) if spelled[0].startswith("-") else f"`{parameter.name.upper()}`"
    default = parameter.default
    shown = "–" if callable(default) or default is None or default is False or default == () else f"`{_plain(default)}`"
    if parameter.required:
        shown = f"**{words('needed')}**"
    meaning = " ".join((getattr(parameter, "help", None) or "").split())
    return f"| {names} | {shown} | {words(meaning) if meaning else ''} |"


def _plain(default: Any) -> str:
    return str(default.value if isinstance(default, Enum) else default)


def _metrics(words: Words) -> Iterator[str]:
    for stream in dict.fromkeys(metric.stream for metric in METRICS):
        yield f"### `{stream}`\n"
        head = (words(title) for title in ("Name", "Meaning", "Unit", "From", "To", "Decimals"))
        yield f"| {' | '.join(head)} |\n|---|---|---|---|---|---|"
        yield from (_metric(metric, words.language) for metric in METRICS if metric.stream == stream)
        yield ""


def _metric(metric: Metric, language: Language) -> str:
    meaning = metric.meaning(language)
    if metric.codes:
        meaning += ": " + ", ".join(f"{code} {metric.word(code, language)}" for code, *_ in metric.codes)
    limits = f"{metric.low:.16g} | {metric.high:.16g}"
    return f"| `{metric.name}` | {meaning} | {metric.unit or '–'} | {limits} | {metric.decimals} |"


def _signals(words: Words) -> Iterator[str]:
    """What `/metrics` gives out, in Prometheus' names."""
    yield f"| {words('Name')} | {words('Meaning')} |\n|---|---|"
    for family in text_string_to_metric_families(GatewayMetrics().text().decode()):
        if not family.name.endswith("_created"):
            name = family.name + ("_total" if family.type == "counter" else "")
            yield f"| `{name}` | {words(family.documentation)} |"


def _camera_reasons(words: Words) -> Iterator[str]:
    """Every reason with the state it goes with, and the first step."""
    column = int(words.language == "en")
    titles = (words(title) for title in ("State", "Reason", "Code", "First step"))
    yield f"| {' | '.join(titles)} |\n|---|---|---|---|"
    for reason, step in FIRST_STEPS.items():
        state = STATE_WORDS[camera_state(reason)][column]
        yield f"| {state} | **{REASON_WORDS[reason][column]}** | {reason.value} | {step[column]} |"


def camera_state(reason: CameraReason) -> CameraState:
    """The state that goes with `reason` once it is confirmed."""
    if reason < CameraReason.DNS:
        return CameraState.UNKNOWN
    if reason < CameraReason.LOW_FPS:
        return outage_state(reason)
    return CameraState.DOWN if reason in HARD else CameraState.DEGRADED


def main() -> int:
    """Write or check the pages; the exit code."""
    try:
        pages = outdated()
    except Untranslated as error:
        print(error, file=sys.stderr)
        return 1
    check = "--check" in sys.argv[1:]
    for page, text in pages.items():
        if not check:
            page.write_text(text)
        print(f"{'out of date' if check else 'written'}: {page.relative_to(DOCS.parent)}")
    return int(bool(pages) and check)


if __name__ == "__main__":
    sys.exit(main())
