"""Databases of their own in a running cluster, empty or copied from one that is ready."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, text

from kewang.bench.parts import Postgres

_numbers = itertools.count(1)


class Databases:
    """Makes and drops databases of one cluster, over one connection: one for each call would leave processes."""

    def __init__(self, cluster: Postgres) -> None:
        self.cluster = cluster
        self._engine = create_engine(cluster.url(), isolation_level="AUTOCOMMIT")
        self._admin = self._engine.connect()

    @contextmanager
    def one(self, like: str = "template1") -> Iterator[str]:
        """The address of a new database, a copy of `like`; it is dropped afterwards."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self._admin.execute(text(f"CREATE DATABASE {name} TEMPLATE {like}"))
        try:
            yield self.cluster.url(name)
        finally:
            self._admin.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))

    def close(self) -> None:
        self._admin.close()
        self._engine.dispose()
