"""What the board's routes need of the world; the tests bring means of their own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from fastapi import Request

from escalator.board.record import BoardReader
from escalator.ledger.ledger import Ledger
from escalator.model.clock import utcnow
from escalator_airflow.board.looks import SharedLooks
from escalator_airflow.board.questions import Questions


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whoever sent a request.

    :ivar name: as it is written down with what they order.
    :ivar user: what the log-in knows them as; only its gate looks at it.
    """

    name: str
    user: Any = None


class Gate(Protocol):
    """Knows who sends a request, and which DAGs they may read or edit."""

    async def find_person(self, request: Request) -> Person | None:
        """Return who sent a request; None: nobody who is logged in."""

    def may_read(self, person: Person, dag_id: str) -> bool:
        """Tell whether somebody may look at a DAG."""

    def may_edit(self, person: Person, dag_id: str) -> bool:
        """Tell whether somebody may change what a DAG does."""

    def find_readable(self, person: Person, dag_ids: Collection[str]) -> frozenset[str]:
        """Return which of the DAGs somebody may look at."""

    def find_login(self, request: Request) -> str:
        """Return the address of the page to log in at, which leads back to that of the request."""


def open_questions() -> Questions:
    """Give what the runs of the Airflow that serves us ask."""
    from escalator_airflow.board.airflow_questions import AirflowQuestions  # noqa: PLC0415

    return AirflowQuestions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """The world of the board.

    :ivar open_ledger: opens the ledger for one request.
    :ivar looks: the last looks at runs, that their readers share.
    :ivar questions: gives what tasks of runs ask persons.
    """

    gate: Gate
    open_ledger: Callable[[], Ledger] = Ledger
    looks: SharedLooks = field(default_factory=lambda: SharedLooks(BoardReader()))
    clock: Callable[[], datetime] = utcnow
    questions: Callable[[], Questions] = open_questions


def find_means() -> Means:
    """Return the means of a process that serves Airflow's API."""
    from escalator_airflow.board.airflow_gate import AirflowGate  # noqa: PLC0415

    return Means(gate=AirflowGate())
