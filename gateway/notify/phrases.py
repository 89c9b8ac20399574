"""The words of notices: what is the matter, why, and what to do first, by an incident's kind and level."""

from collections.abc import Mapping
from typing import Final

from gateway.incidents.maintenance import MAINTENANCE
from gateway.incidents.model import Incident, Level, Severity
from kewang.ui import figures
from kewang.ui.words import Language, words
from kewang.wire.catalogue import BY_NAME
from kewang.wire.names import BOX_SOURCE
from kewang.wire.state import Why


def _(text: str) -> str:
    """Marks a text for the catalogue; it is translated when it is shown."""
    return text


SEVERITY: Final[Mapping[Severity, str]] = {
    "info": _("NOTE"),
    "warning": _("WARNING"),
    "critical": _("CRITICAL"),
}
CAUSE: Final[Mapping[Why, str]] = {
    "power": _("the power was away"),
    "watchdog": _("the boxes started themselves anew"),
    "link": _("the boxes ran on, their connection was away"),
    "update": _("an update"),
    "config": _("new settings"),
}
_OUTAGE: Final[Mapping[Level, tuple[str, str]]] = {
    "source": (
        _("%(name)s sends nothing, its box is well"),
        _("Look at the cable and the power of this sensor or camera."),
    ),
    "device": (
        _("Device %(name)s is not heard"),
        _("Look whether the box has power and its lights are on."),
    ),
    "site": (
        _("Site %(name)s is not heard"),
        _("Ask at the site whether there is power, then look at its router."),
    ),
    "uplink": (
        _("Sites behind uplink %(name)s are not heard"),
        _("Call the provider of this uplink."),
    ),
    "feeder": (
        _("Sites on feeder %(name)s are not heard"),
        _("Ask the power company about this feeder."),
    ),
    "city": (
        _("The whole city is not heard"),
        _("Look at the gateway's own network and broker first, then ask about power and provider."),
    ),
    "gateway": (
        _("The gateway hears nobody: %(name)s"),
        _("Look whether the broker runs and the gateway reaches it."),
    ),
}
_OTHER: Final[Mapping[str, tuple[str, str]]] = {
    "sources": (
        _("Several sources of %(name)s send nothing, the box is well"),
        _("Look at the power and the cables of these sensors or cameras."),
    ),
    "unstable": (
        _("%(name)s comes and goes"),
        _("Look at signal, cable and power supply: one of them is loose."),
    ),
    "self": (
        _("The gateway has trouble: %(name)s"),
        _("Look at the gateway's own page and its log."),
    ),
    "canary": (
        _("Daily test: %(name)s is silent, as it must be"),
        _("Nothing to do: that you read this proves that notices arrive."),
    ),
    "two-boxes": (
        _("Two boxes have the identity %(name)s"),
        _("Enrol one of the two anew."),
    ),
}
_MAINTENANCE: Final[Mapping[Level, str]] = {
    "device": _("Maintenance of device %(name)s"),
    "site": _("Maintenance of site %(name)s"),
    "uplink": _("Maintenance of uplink %(name)s"),
    "feeder": _("Maintenance of feeder %(name)s"),
}
OURSELVES: Final[Mapping[str, tuple[str, str]]] = {
    "broker": (
        _("no connection to the broker"),
        _("On the server: does Mosquitto run, and what does its log say?"),
    ),
    "loop": (
        _("no message comes through the broker"),
        _("On the server: restart Mosquitto, then look at the server's network."),
    ),
    "database": (
        _("the database is away"),
        _("On the server: does the database run, and has its disk room?"),
    ),
    "notify": (
        _("a channel of notices does not get through"),
        _("The gateway's log names the channel and why; mend its address or secret."),
    ),
    "office": (
        _("the office's list of contacts"),
        _("On the server: does provisioning run, and has the list somebody who can be told?"),
    ),
    "disk": (
        _("its disk fills up"),
        _("On the server: df -h; move old backups and logs away."),
    ),
    "backup": (
        _("the backup is overdue"),
        _("On the server: look why kewang-backup.service failed, then run it by hand."),
    ),
    "certificate": (
        _("a certificate runs out"),
        _("Renew the gateway's certificate for the broker, then restart the gateway."),
    ),
    "clock": (
        _("its clock is wrong"),
        _("On the server: timedatectl; does the network let NTP through?"),
    ),
    "process": (
        _("one of its processes does not stay up"),
        _("The gateway's log says how it ended; is there memory left? The boxes keep what it would store."),
    ),
    "canary": (
        _("the daily test of the notices did not arrive"),
        _("Notices may not arrive: look at the channels in the gateway's log, then run the test by hand."),
    ),
    "ping": (
        _("its ping to the watcher outside does not get through"),
        _("The gateway's log says why: the way out, the address, or the watcher itself."),
    ),
}
"""Trouble of our own: what it is, and the first step."""
_RULE: Final = (
    _("%(kind)s at %(name)s"),
    _("Look under %(heading)s in the runbook (docs/%(language)s/runbook.md)."),
)
_RULE_OF_SOURCE: Final = (_("%(kind)s: %(name)s"), _RULE[1])

OUTAGES: Final = frozenset({"outage", "sources", "unstable"})
"""Kinds that are about not being heard: these have a cause that may become known."""


Kinds = Mapping[str, Mapping[Language, str]]
"""What people call the kinds of rules."""


def place(name: str) -> str:
    """What people call a site of that id."""
    return name.replace("-", " ").title()


def title(incident: Incident, name: str, kind: str, language: Language) -> str:
    """What is the matter, in a few words. `kind`: of a rule, as people call it."""
    return words(language).gettext(_phrases(incident)[0]) % {"name": name, "kind": kind}


def name(incident: Incident, language: Language) -> str:
    """What the incident is about, where it has no name that people gave it."""
    if incident.scope.level == "city":
        return words(language).gettext(_("the whole city"))
    own = OURSELVES.get(incident.scope.name) if incident.scope.level == "gateway" else None
    return words(language).gettext(own[0]) if own else incident.scope.name.removesuffix(f"/{BOX_SOURCE}")


def headline(incident: Incident, kinds: Kinds, language: Language) -> str:
    """The title with its place. `kinds`: what people call those of rules."""
    of = place(incident.scope.name) if incident.scope.level == "site" else name(incident, language)
    return title(incident, of, kinds.get(incident.kind, {}).get(language, incident.kind), language)


def step(incident: Incident, language: Language) -> str:
    """What to do first."""
    heading = f"{incident.kind}-{incident.scope.level}"
    return words(language).gettext(_phrases(incident)[1]) % {"heading": heading, "language": language}


def value(incident: Incident, language: Language) -> str:
    """The worst value of a rule as people read it, with its unit; "" if it has none."""
    if incident.value is None:
        return ""
    metric = BY_NAME.get(incident.metric or "")
    if metric is None:
        return f"{incident.value:g}"
    if metric.unit == "B":
        return f"{figures.number(incident.value / 1e6, 0, language)} MB"
    return metric.word(incident.value, language) or (
        f"{figures.number(incident.value, metric.decimals, language)} {metric.unit}".strip()
    )


def is_rule(incident: Incident) -> bool:
    """Whether a rule about readings made it."""
    return _phrases(incident) in (_RULE, _RULE_OF_SOURCE)


def _phrases(incident: Incident) -> tuple[str, str]:
    if incident.kind == "outage":
        return _OUTAGE[incident.scope.level]
    if incident.kind == "self" and (own := OURSELVES.get(incident.scope.name)):
        return _OTHER["self"][0], own[1]
    if incident.kind == MAINTENANCE:
        return _MAINTENANCE[incident.scope.level], _("Ask who worked there about the devices that are not back.")
    return _OTHER.get(incident.kind, _RULE_OF_SOURCE if incident.scope.level == "source" else _RULE)
