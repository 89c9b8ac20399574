"""The tables as SQL statements of one database: `python -m provisioning.inventory.migrations.statements sqlite`.

A new version's file is written by hand; this shows what fresh tables look like, and the tests compare the two.
"""

import sys
from collections.abc import Iterator

from sqlalchemy import create_mock_engine

from provisioning.inventory import Base


def statements(dialect: str) -> Iterator[str]:
    """CREATE statements for `sqlite` or `postgresql`, in an order that foreign keys allow."""
    found: list[str] = []
    url = "sqlite://" if dialect == "sqlite" else "postgresql+psycopg://"

    def keep(statement: object, *_: object, **__: object) -> None:
        found.append(str(statement.compile(dialect=engine.dialect)).strip())  # type: ignore[attr-defined]

    engine = create_mock_engine(url, keep)
    Base.metadata.create_all(engine, checkfirst=False)
    for statement in found:
        yield "\n".join(line.rstrip() for line in statement.replace("\t", "    ").splitlines() if line.strip())


if __name__ == "__main__":
    sys.stdout.write("".join(f"{each};\n\n" for each in statements(sys.argv[1])))
