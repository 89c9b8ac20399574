"""The ground under the tables: the declarative base, column types, and constraints that both databases understand."""

from typing import Any, Final

from sqlalchemy import JSON, BigInteger, CheckConstraint, MetaData, Text
from sqlalchemy.orm import DeclarativeBase

SLUG: Final = "a-z0-9-"
HEX: Final = "0-9a-f"
BASE32: Final = "A-Z2-7"
LOGIN: Final = "a-z0-9._-"

_NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of every table. An `int` is 64 bits wide (Unix ms), a `str` is text, a `dict` or `list` is JSON."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {int: BigInteger(), str: Text(), dict[str, Any]: JSON(), list[Any]: JSON()}  # noqa: RUF012


def letters(column: str, allowed: str, least: int, most: int) -> tuple[CheckConstraint, CheckConstraint]:
    """`column` holds `least` to `most` characters of the set `allowed` (a bracket expression's inside), or NULL.

    One constraint for each database: SQLite has GLOB, PostgreSQL has regular expressions.
    """
    long = f"length({column}) BETWEEN {least} AND {most}"
    return (
        CheckConstraint(f"{column} NOT GLOB '*[^{allowed}]*' AND {long}", column).ddl_if(dialect="sqlite"),
        CheckConstraint(f"{column} !~ '[^{allowed}]' AND {long}", column).ddl_if(dialect="postgresql"),
    )


def at_most(column: str, most: int) -> CheckConstraint:
    """`column` holds at most `most` characters."""
    return CheckConstraint(f"length({column}) <= {most}", column)


def one_of(column: str, words: tuple[str, ...]) -> CheckConstraint:
    """`column` holds one of `words`, or NULL."""
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", column)


def between(column: str, low: float, high: float) -> CheckConstraint:
    """`column` lies in `low` to `high`, or is NULL."""
    return CheckConstraint(f"{column} BETWEEN {low} AND {high}", column)
