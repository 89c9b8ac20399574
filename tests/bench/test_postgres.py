"""PostgreSQL as a part: in a user namespace and as nobody, at the same address after a restart, behind a password."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from kewang.bench.parts import Postgres

MODES = [None, False] if os.geteuid() == 0 else [None]


def answer(url: str, question: str) -> object:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            return connection.execute(text(question)).scalar()
    finally:
        engine.dispose()


@pytest.mark.parametrize("namespace", MODES)
def test_a_cluster_keeps_its_data_and_address(tmp_path: Path, namespace: bool | None) -> None:
    tmp_path.chmod(0o700)
    with Postgres(tmp_path / "postgres", namespace=namespace) as cluster:
        url = cluster.url()
        assert answer(url, "SELECT current_setting('unix_socket_directories')") == ""
        assert (
            answer(url, "WITH made AS (SELECT 7 AS x) SELECT lo_from_bytea(7, convert_to(x::text, 'UTF8')) FROM made")
            == 7
        )
        cluster.restart()
        assert (cluster.url(), answer(url, "SELECT convert_from(lo_get(7), 'UTF8')")) == (url, "7")
        with pytest.raises(OperationalError, match="password authentication failed"):
            answer(url.replace(cluster.password, "guessed"), "SELECT 1")
