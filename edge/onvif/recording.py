"""The recording service (profile G): is a recording under way?"""

from collections.abc import Iterable
from typing import Final
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from edge.onvif import markup
from edge.onvif.facts import Recording, Unsupported
from edge.onvif.soap import Caller

MAX_JOBS: Final = 8
_RECORDING: Final = "http://www.onvif.org/ver10/recording/wsdl"
_RUNNING: Final = frozenset({"Active", "PartiallyActive"})
_STOPPED: Final = frozenset({"Idle", "Error", "Removed"})


async def state(caller: Caller, path: str, tokens: frozenset[str]) -> Recording:
    """Whether a recording job runs. `tokens`: profile and source of the picture in question; if some jobs name one of
    them, only those count. Without a job it is UNKNOWN: the maker may record in its own way. Raises CameraError."""
    answer = await _ask(caller, path, "GetRecordingJobs", "")
    jobs = list(markup.children(answer, "JobItem"))
    ours = [job for job in jobs if tokens & {markup.clean(each.text or "", 64) for each in job.iter()}]
    states = [await _job(caller, path, job) for job in (ours or jobs)[:MAX_JOBS]]
    return _together(states)


def _together(states: Iterable[str]) -> Recording:
    known = set(states)
    if known & _RUNNING:
        return Recording.YES
    return Recording.NO if known and known <= _STOPPED else Recording.UNKNOWN


async def _job(caller: Caller, path: str, job: Element) -> str:
    """Its state; empty if it is not told. A job whose mode is idle does not run whatever else is said."""
    if markup.text(job, "JobConfiguration", "Mode") == "Idle":
        return "Idle"
    token = f"<r:JobToken>{escape(markup.text(job, 'JobToken', limit=64))}</r:JobToken>"
    try:
        answer = await _ask(caller, path, "GetRecordingJobState", token)
    except Unsupported:
        return ""
    return markup.text(answer, "State", "State")


async def _ask(caller: Caller, path: str, name: str, inside: str) -> Element:
    return await caller.call(f"{_RECORDING}/{name}", f'<r:{name} xmlns:r="{_RECORDING}">{inside}</r:{name}>', path)
