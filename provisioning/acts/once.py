"""A phone that got no answer asks again: the second time it gets the first time's answer."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import delete, func, select

from provisioning.acts import fields
from provisioning.inventory import Request, Work
from provisioning.inventory.audit import canonical
from provisioning.refusals import answered_differently

Answer = dict[str, Any]


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


def once(work: Work, request: str, content: Mapping[str, Any], do: Callable[[], Answer]) -> Answer:
    """What `do()` gave the first time `request` (UUID) came; it is done only then, in this same transaction.

    P-409 if the id came before from somebody else or with another `content`.
    """
    name = fields.uuid_text("request", request)
    try:
        digest = hashlib.sha256(canonical(content).encode()).hexdigest()
    except (TypeError, ValueError, RecursionError):
        raise fields.refuse("request", _("%(field_word)s is wrong.")) from None
    known = work.rows.get(Request, name)
    if known:
        if (known.person, known.digest) == (work.actor.name, digest):
            return known.answer
        raise answered_differently(name)
    answer = do()
    work.rows.add(Request(id=name, person=work.actor.name, digest=digest, answer=answer, done_ms=work.now_ms))
    work.rows.flush()
    return answer


def forget_old(work: Work, older_than_ms: int) -> int:
    """Forget requests answered before Unix ms `older_than_ms` (for `upkeep`; no audit row); how many."""
    old = Request.done_ms < older_than_ms
    count = work.rows.scalar(select(func.count()).select_from(Request).where(old)) or 0
    work.rows.execute(delete(Request).where(old))
    return count
