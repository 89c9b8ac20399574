"""Tasks: what somebody should look at."""

from provisioning.inventory import Task, Work


def assign(
    work: Work, text: str, *, device: str | None = None, source: str | None = None, assignee: str | None = None
) -> Task:
    """A new open task, for one technician or (None) for whoever takes it."""
    raise NotImplementedError


def take(work: Work, task: int) -> Task:
    """open → taken, by the actor. P-409 `taken` if somebody else has it."""
    raise NotImplementedError


def done(work: Work, task: int, note: str = "") -> Task:
    """open, taken → done."""
    raise NotImplementedError


def note(work: Work, task: int, note: str) -> Task:
    """Write down something about a task."""
    raise NotImplementedError
