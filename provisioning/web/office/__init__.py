"""The office's pages: for operators and administrators. Their routes are below `/office`."""

from fastapi import FastAPI

from provisioning.web.desk import Desk


def mount(app: FastAPI, desk: Desk) -> None:
    """Adds the office's routes to `app`."""
