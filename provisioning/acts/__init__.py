"""What can be done. An act takes an open `Work` first, changes rows, and leaves exactly one row in the audit log.

Every act may raise `provisioning.refusals.Refused`; then nothing was changed. Called as::

    with inventory.writing(actor) as work:
        devices.approve(work, "amb-cam-7k3f93", site="mardika")
"""
