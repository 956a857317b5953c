"""Whether this Airflow has several components, which must agree where ledger and inventory are.

Nothing of ``escalator`` is imported: the scheduler reads this when it starts, and hands what it has imported
down to tasks, which run the code that is there when they start.
"""

from __future__ import annotations

import os
import re

SHARED_VARIABLE = "ESCALATOR_SHARED"
"""Why the components are several, in words; empty when they are not."""
_EXECUTOR = re.compile(r"\w*Executor\b")
_ON_THIS_MACHINE = frozenset({"LocalExecutor", "SequentialExecutor"})
_TELLS_NOTHING = frozenset({"", "sqlite", "airflow-db-not-allowed"})
"""Kinds of database that tell of no second component: tasks are not told where Airflow's is."""


def find_sharing(executor: str, database: str) -> str | None:
    """Say why an Airflow has several components that must agree; None when one user's machine is all of it.

    :param executor: ``[core] executor`` of Airflow, one name or several.
    :param database: ``[database] sql_alchemy_conn``; nothing but its kind is said.
    """
    others = [name for name in _EXECUTOR.findall(executor) if name not in _ON_THIS_MACHINE]
    if others:
        return f"Airflow's executor is {others[0]}"
    kind = re.split(r"[+:]", database, maxsplit=1)[0].strip().lower()
    return None if kind in _TELLS_NOTHING else f"Airflow's database is {kind}"


def record_sharing() -> str | None:
    """Note in the environment that this Airflow has several components, and why; return the reason.

    What is started from here inherits the note. A second call only reads it.
    """
    if SHARED_VARIABLE not in os.environ:
        from airflow.configuration import conf  # noqa: PLC0415  where the note is inherited it is not needed

        executor = conf.get("core", "executor", fallback="")
        database = conf.get("database", "sql_alchemy_conn", fallback="")
        os.environ[SHARED_VARIABLE] = find_sharing(executor, database) or ""
    return os.environ[SHARED_VARIABLE] or None
