"""Writes the parts of the pages that the code knows best: settings, commands, metrics.

`python docs/generate.py` rewrites the blocks between `<!-- generated: NAME -->` and `<!-- /generated -->`;
with `--check` it only says which pages are out of date (exit code 1). Indonesian texts come from `docs/words.id.po`;
a setting without one is an error, so that no page is half translated.
"""

import importlib
import importlib.util
import json
import re
import sys
import types
from collections.abc import Callable, Collection, Iterator
from datetime import time
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin

import typer
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import kewang.cli
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
from kewang.ui.words import LANGUAGES, Language, read_po
from kewang.wire.cameras import FIRST_STEPS, REASON_WORDS, STATE_WORDS, CameraReason, CameraState
from kewang.wire.catalogue import BY_NAME, METRICS, Metric
from kewang.wire.contract.files import files
from provisioning.settings import ProvisionSettings

DOCS: Final = Path(__file__).resolve().parent
WORDS: Final = DOCS / "words.id.po"
CONTRACT: Final = DOCS / "dev" / "contract"
_BLOCK: Final = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- /generated -->)", re.DOTALL)
FOR_DEVELOPERS: Final = frozenset({"sim", "bench"})
_KINDS: Final = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "file",
    time: "time",
    tuple: "list",
    list: "list",
    dict: "table",
}


class Untranslated(Exception):
    """Texts have no Indonesian in `docs/words.id.po`; the message holds the lines to fill in there."""


class Words:
    """Texts in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.known = {} if language == "en" else read_po(WORDS)
        self.used: dict[str, None] = {}

    def __call__(self, text: str) -> str:
        """`text` in this language; itself if nobody has translated it."""
        self.used[text] = None
        return self.known.get(text, text)

    def check(self) -> None:
        """Raise Untranslated if a text that was used has no translation."""
        missing = [text for text in self.used if not self.known.get(text)] if self.language != "en" else []
        if missing:
            entries = (f'msgid {json.dumps(text, ensure_ascii=False)}\nmsgstr ""' for text in missing)
            raise Untranslated(f"{WORDS} lacks:\n\n" + "\n\n".join(entries))


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


def settings_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Dotted keys of a settings model: `broker.tls.ca_file`."""
    for name, field in model.model_fields.items():
        section = _section(field.annotation)
        if section:
            yield from settings_keys(section, f"{prefix}{name}.")
        else:
            yield prefix + name


def source_models() -> dict[str, type[BaseModel]]:
    """Settings of the drivers that come with Kewang, by driver name."""
    own = [name for name, point in installed().items() if point.value.startswith("edge.")]
    return {name: driver(name).Settings for name in own}


def keys(model: type[BaseModel]) -> set[str]:
    """The keys of a section that people write."""
    return {name for name, field in model.model_fields.items() if not field.exclude}


def _edge(words: Words) -> Iterator[str]:
    yield from _sections(EdgeSettings, words, skip=("sources",))
    for name, model in source_models().items():
        yield from _table(f"[[sources]] driver = {name!r}".replace("'", '"'), model, words, sections=True)
    yield from _table("[sources.level]", Level, words)
    yield from _table("[[sources.keys]]", Key, words)


def _gateway(words: Words) -> Iterator[str]:
    yield from _sections(GatewaySettings, words)


def _provision(words: Words) -> Iterator[str]:
    yield from _sections(ProvisionSettings, words)


def _notify(words: Words) -> Iterator[str]:
    yield from _sections(NotifySettings, words, skip=("channels", "recipients", "routes", "quiet"))
    for kind, model in channel_models().items():
        yield from _table(f'[channels.NAME] kind = "{kind}"', model, words, skip=("kind",))
    yield from _table("[recipients.NAME]", RecipientSettings, words)
    yield from _table("[[routes]]", RouteSettings, words)
    yield from _table("[[quiet]]", QuietSettings, words)


def channel_models() -> dict[str, type[BaseModel]]:
    """Settings of the channels of notices, by kind."""
    models: list[type[BaseModel]] = _alternatives(_bare(ChannelSettings))
    return {get_args(model.model_fields["kind"].annotation)[0]: model for model in models}


def _rules(words: Words) -> Iterator[str]:
    yield from _table("", Rule, words, skip=("name",))


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
    yield from _table("", RegisterMap, words, skip=("registers",))
    yield from _table("[[registers]]", Register, words)


def _sections(
    model: type[BaseModel], words: Words, name: str = "", skip: Collection[str] = (), given: BaseModel | None = None
) -> Iterator[str]:
    """The keys of a section, then its inner sections, each under its TOML heading. `given`: what it is by default."""
    yield from _table(f"[{name}]" if name else "", model, words, skip, given)
    for key, field in model.model_fields.items():
        inner = _section(field.annotation)
        if inner:
            default = _value(key, field, given)
            known = default if isinstance(default, inner) else None
            yield from _sections(inner, words, f"{name}.{key}" if name else key, given=known)


def _table(
    heading: str,
    model: type[BaseModel],
    words: Words,
    skip: Collection[str] = (),
    given: BaseModel | None = None,
    *,
    sections: bool = False,
) -> Iterator[str]:
    """A table of keys; with `sections` also those that are sections of their own."""
    if heading:
        yield f"### `{heading}`\n"
    yield f"| {words('Key')} | {words('Value')} | {words('Default')} | {words('Meaning')} |\n|---|---|---|---|"
    for name, field in model.model_fields.items():
        if (sections or _section(field.annotation) is None) and name in keys(model) and name not in skip:
            meaning = words(str(field.description)).replace("|", r"\|")
            default = _default(_value(name, field, given), words)
            yield f"| `{field.alias or name}` | {_kind(field, words)} | {default} | {meaning} |"
    yield ""


def _value(name: str, field: FieldInfo, given: BaseModel | None) -> Any:
    """The default of a key; PydanticUndefined if there is none."""
    return getattr(given, name) if given is not None else field.get_default(call_default_factory=True)


def _section(annotation: Any) -> type[BaseModel] | None:
    """The model of a field that is a section of its own."""
    found = [each for each in _alternatives(annotation) if isinstance(each, type) and issubclass(each, BaseModel)]
    return found[0] if found else None


def _alternatives(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        return [each for part in get_args(annotation) for each in _alternatives(part)]
    return [] if annotation is type(None) else [_bare(annotation)]


def _bare(annotation: Any) -> Any:
    """The type below Annotated."""
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    return annotation


def _kind(field: FieldInfo, words: Words) -> str:
    (kind,) = _alternatives(field.annotation)
    if _section(kind):
        return words("table")
    if get_origin(kind) is Literal:
        return words("one of") + " " + ", ".join(f"`{choice}`" for choice in get_args(kind))
    return words(_KINDS[get_origin(kind) or kind]) + _range(field)


def _range(field: FieldInfo) -> str:
    limits = {
        name: getattr(each, name) for each in field.metadata for name in ("ge", "gt", "le") if hasattr(each, name)
    }
    low = f"≥ {limits['ge']}" if "ge" in limits else f"> {limits['gt']}" if "gt" in limits else ""
    high = f"≤ {limits['le']}" if "le" in limits else ""
    return "".join(f", {limit}" for limit in (low, high) if limit)


def _default(default: Any, words: Words) -> str:
    if default is PydanticUndefined:
        return f"**{words('needed')}**"
    if default is None or default in ("", (), []):
        return "–"
    if isinstance(default, (tuple, list)):
        default = json.dumps(default)
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


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
