"""Words of the office's pages for what the inventory says in short."""

from typing import Final

from provisioning.web.phrases import STATE_WORDS


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated where it is shown."""
    return text


DONE_WORDS: Final = {
    "added": _("It is in the list now."),
    "approved": _("The device is approved: it gets its certificate when it calls."),
    "accepted": _("The device is accepted as installed."),
    "quarantined": _("The device is set apart: what it sends is not taken."),
    "released": _("The device is what it was before."),
    "revoked": _("The device is revoked: it is cut off now, and can't come back."),
    "replaced": _("The new device has its place, sources and history; the old one is revoked."),
    "moved": _("The device has its new place."),
    "retired": _("The device is retired."),
    "maintenance": _("Maintenance has begun: nobody is called for this device."),
    "maintained": _("Maintenance has ended."),
    "saved": _("Saved."),
    "source": _("Saved. The device fetches it within a minute."),
    "removed": _("It is gone."),
    "imported": _("All of the file is in the list."),
    "shut": _("Shut out: no login from now on, every session has ended."),
    "opened": _("May log in again."),
    "ended": _("Every session has ended."),
    "assigned": _("The task is on the technician's phone."),
    "done": _("The task is done."),
}
"""What was done, by the word in the address it led to."""

ROLE_WORDS: Final = {
    "technician": _("Technician"),
    "operator": _("Operator"),
    "admin": _("Administrator"),
}

CHANNEL_WORDS: Final = {
    "whatsapp": _("WhatsApp"),
    "sms": _("SMS"),
    "email": _("E-mail"),
    "telegram": _("Telegram"),
    "webhook": _("Webhook"),
}

LINK_WORDS: Final = {"wired": _("cable"), "cellular": _("mobile network")}

TASK_WORDS: Final = {"open": _("not taken yet"), "taken": _("being done"), "done": _("done")}

LIFE_WORDS: Final = {"maintenance": _("in maintenance")}

CONDITION_WORDS: Final = {"ok": _("sends"), "silent": _("silent"), "never": _("never heard")}

DAY_WORDS: Final = {
    "1": _("Mon"),
    "2": _("Tue"),
    "3": _("Wed"),
    "4": _("Thu"),
    "5": _("Fri"),
    "6": _("Sat"),
    "7": _("Sun"),
}

SORT_WORDS: Final = {
    "root": _("root certificate"),
    "ca": _("certificate authority"),
    "leaf": _("certificate"),
    "list": _("revocation list"),
}

ACT_WORDS: Final = {
    "device.add": _("device put on the list"),
    "device.request": _("device asked to be let in"),
    "device.approve": _("device approved"),
    "device.certificate": _("certificate given out"),
    "device.accept": _("device accepted"),
    "device.quarantine": _("device set apart"),
    "device.release": _("device released"),
    "device.revoke": _("device revoked"),
    "device.replace": _("device replaced"),
    "device.move": _("device moved"),
    "device.retire": _("device retired"),
    "device.describe": _("device described"),
    "maintenance.begin": _("maintenance begun"),
    "maintenance.end": _("maintenance ended"),
    "visit.start": _("visit begun"),
    "visit.step": _("step of a visit"),
    "visit.pictures": _("new pictures asked for"),
    "visit.finish": _("visit ended"),
    "photo.add": _("picture kept"),
    "photo.expire": _("old pictures deleted"),
    "source.put": _("source written"),
    "source.remove": _("source removed"),
    "site.put": _("site written"),
    "site.remove": _("site removed"),
    "contact.put": _("contact written"),
    "contact.remove": _("contact removed"),
    "task.assign": _("task given"),
    "task.take": _("task taken"),
    "task.done": _("task done"),
    "task.note": _("note on a task"),
    "person.add": _("person added"),
    "person.change": _("person changed"),
    "person.disable": _("person shut out"),
    "person.enable": _("person let in again"),
    "person.password": _("new password"),
    "person.language": _("language chosen"),
    "person.end-sessions": _("sessions ended"),
    "session.begin": _("login"),
    "session.end": _("logout"),
    "session.failure": _("wrong password"),
    "inventory.import": _("file imported"),
    "inventory.export": _("inventory exported"),
    "work.export": _("work exported"),
    "audit.export": _("audit log exported"),
    "backup.make": _("backup made"),
    "authority.ca": _("new CA made"),
    "authority.key": _("new key made for a service"),
    "device.bundle": _("bundle made for a stick"),
}
"""What was done, by its name in the audit log."""

TABLES: Final = {
    "role": ROLE_WORDS,
    "channel": CHANNEL_WORDS,
    "link": LINK_WORDS,
    "task_state": TASK_WORDS,
    "life": STATE_WORDS | LIFE_WORDS,
    "condition": CONDITION_WORDS,
    "weekday": DAY_WORDS,
    "sort_word": SORT_WORDS,
    "act": ACT_WORDS,
}
"""By the name of their filter in the templates."""
