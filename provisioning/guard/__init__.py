"""The guard of the broker: who may connect, and what each may say.

Mosquitto 2.0.11 falls open when it is told to read a spoilt ACL or revocation list, so its files have one writer:
every change is staged, read back, tried on a broker that is thrown away, put in place, signalled, and proven on the
real one, or undone. `Guard` is that writer; `keep_guarded` runs it beside everything else.
"""

from provisioning.guard.guard import Guard
from provisioning.guard.keeper import Keeping, keep_guarded
from provisioning.guard.ports import Denied, Issuer, Revocation, Signal, Wanted
from provisioning.guard.report import Alarm, Report
from provisioning.guard.settings import GuardSettings

__all__ = [
    "Alarm",
    "Denied",
    "Guard",
    "GuardSettings",
    "Issuer",
    "Keeping",
    "Report",
    "Revocation",
    "Signal",
    "Wanted",
    "keep_guarded",
]
