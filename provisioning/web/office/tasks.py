"""Tasks: a fault given to a technician, whose phone shows it."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from provisioning.acts import tasks
from provisioning.inventory import Person, Task, Work
from provisioning.refusals import unknown
from provisioning.web.office.forms import Choice, Field, Form
from provisioning.web.office.house import House, asked

SHOWN: Final = 200
STATES: Final = ("open", "taken", "done")


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


class Tasks:
    """`/office/tasks`, `/office/task`, `/office/task/{task}`."""

    def __init__(self, house: House) -> None:
        self._house = house

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/office/tasks", self.list, methods=["GET"])
        router.add_api_route("/office/task", self.ask, methods=["GET"])
        router.add_api_route("/office/task", self.assign, methods=["POST"])
        router.add_api_route("/office/task/{task}", self.ask_done, methods=["GET"])
        router.add_api_route("/office/task/{task}", self.done, methods=["POST"])
        return router

    async def list(self, request: Request) -> Response:
        """The tasks, the newest first."""
        who = await self._house.who(request)
        state = request.query_params.get("state", "")
        known = await self._house.desk.read(lambda rows: _listed(rows, state if state in STATES else ""))
        return await self._house.page(request, who, "tasks", known)

    async def ask(self, request: Request) -> Response:
        """The form; `?device=` and `?source=` are filled in."""
        who = await self._house.who(request, "task.assign")
        said = request.query_params
        filled = {"device": asked(said.get("device", ""), 32), "source": asked(said.get("source", ""), 32)}
        form = await self._form()
        return await self._house.form(request, who, form.filled(filled))

    async def assign(self, request: Request) -> Response:
        """Gives a task."""
        who = await self._house.who(request, "task.assign")
        form = await self._form()
        return await self._house.act(request, who, lambda: form, _assign, lambda _task: "/office/tasks?done=assigned")

    async def ask_done(self, task: int, request: Request) -> Response:
        """The form that ends a task from the office."""
        who = await self._house.who(request, "task.done")
        return await self._house.form(request, who, _ending(await self._known(task)))

    async def done(self, task: int, request: Request) -> Response:
        """Ends a task from the office."""
        who = await self._house.who(request, "task.done")
        known = await self._known(task)
        return await self._house.act(
            request,
            who,
            lambda: _ending(known),
            lambda work, fields: tasks.done(work, task, fields.get("note", "")),
            lambda _task: "/office/tasks?done=done",
        )

    async def _known(self, task: int) -> Task:
        found = await self._house.desk.read(lambda rows: rows.get(Task, task) if 0 < task < 2**63 else None)
        if found is None:
            raise unknown(_("task"), str(task)[:20])
        return found

    async def _form(self) -> Form:
        people = await self._house.desk.read(_technicians)
        return Form(
            title=_("Give a task"),
            lead=_("It is on the technician's phone at once."),
            action="/office/task",
            back="/office/tasks",
            button=_("Give it"),
            fields=(
                Field("text", _("What is to be done"), "area", most=500, required=True),
                Field("device", _("Device id"), "code", most=32, hint=_("Not needed.")),
                Field("source", _("Source"), "code", most=32, hint=_("Not needed.")),
                Field(
                    "assignee", _("Technician"), "choice",
                    choices=(
                        Choice("", _("whoever takes it"), say=True),
                        *(Choice(one.login, f"{one.name} ({one.login})") for one in people),
                    ),
                ),
            ),
        )  # fmt: skip


def _technicians(rows: Session) -> list[Person]:
    wanted = select(Person).where(Person.role == "technician", Person.disabled.is_(False)).order_by(Person.name)
    return list(rows.scalars(wanted))


def _listed(rows: Session, state: str) -> dict[str, Any]:
    wanted = select(Task, Person.name).outerjoin(Person, Person.login == Task.assignee)
    wanted = wanted.where(Task.state == state) if state else wanted
    counts = dict(rows.execute(select(Task.state, func.count()).group_by(Task.state)).all())
    found = rows.execute(wanted.order_by(Task.id.desc()).limit(SHOWN)).all()
    return {"tasks": found, "state": state, "counts": counts, "states": STATES}


def _assign(work: Work, fields: dict[str, str]) -> Task:
    return tasks.assign(
        work,
        fields.get("text", ""),
        device=fields.get("device", "").strip().lower() or None,
        source=fields.get("source", "").strip().lower() or None,
        assignee=fields.get("assignee") or None,
    )


def _ending(task: Task) -> Form:
    return Form(
        title=_("This task is done"),
        about=task.text,
        action=f"/office/task/{task.id}",
        back="/office/tasks",
        button=_("It is done"),
        fields=(Field("note", _("Note"), "area", value=task.note, most=500),),
    )
