"""Ask the database of a service again and again, with the interpreter of the control plane (psycopg2)."""

import time
from collections.abc import Callable, Sequence
from typing import Any

AGAIN_SECONDS = 1.0
Rows = Sequence[tuple[Any, ...]]
Ask = Callable[..., Rows]
"""Takes a statement and its parameters, and returns the rows."""


def connect(database: str) -> Ask:
    """Return what runs statements on a database; a connection that breaks is made anew."""
    import psycopg2  # type: ignore[import-untyped]  # noqa: PLC0415  (not everywhere)

    connections: list[Any] = []

    def ask(statement: str, *parameters: object) -> Rows:
        while True:
            try:
                if not connections:
                    connections.append(psycopg2.connect(database))
                    connections[0].autocommit = True
                with connections[0].cursor() as cursor:
                    cursor.execute(statement, parameters)
                    return list(cursor.fetchall())
            except psycopg2.Error:
                connections.clear()
                time.sleep(AGAIN_SECONDS)

    return ask
