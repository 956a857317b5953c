"""The board's app as Airflow mounts it: a log-in of the tests, a real ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.builders import make_plan

from escalator.ledger.ledger import Ledger

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
DAG, OTHER_DAG = "upgrade__lab__cell1-az1-general", "upgrade__lab__cell1-az2-fast"
RUN = "manual__2026-11-22T08:00:00+00:00"
EDITS, READS = "edits", "reads"


@dataclass
class TestGate:
    """Knows people by the token or the cookie that they send.

    :ivar edits: who may edit which DAGs, :ivar reads: who may read which.
    """

    __test__ = False
    edits: dict[str, set[str]] = field(default_factory=lambda: {EDITS: {DAG, OTHER_DAG}})
    reads: dict[str, set[str]] = field(
        default_factory=lambda: {EDITS: {DAG, OTHER_DAG}, READS: {DAG}, "nobody": set()}
    )

    async def find_person(self, request: Any) -> Any:
        from escalator_airflow.board.means import Person

        kind, _, name = request.headers.get("Authorization", "").partition(" ")
        name = name if kind == "Bearer" else request.cookies.get("_token", "")
        return Person(name=name) if name in self.reads else None

    def may_read(self, person: Any, dag_id: str) -> bool:
        return dag_id in self.reads.get(person.name, ())

    def may_edit(self, person: Any, dag_id: str) -> bool:
        return dag_id in self.edits.get(person.name, ())

    def find_readable(self, person: Any, dag_ids: Collection[str]) -> frozenset[str]:
        return frozenset(dag_ids) & self.reads.get(person.name, set())

    def find_login(self, request: Any) -> str:
        return f"/auth/login?next={request.url.path}"


def open_run(ledger: Ledger, *hosts: str, dag_id: str = DAG, run_id: str = RUN, **asked: Any) -> Any:
    """Open a run of these nodes; return its handle."""
    run = ledger.run(dag_id, run_id)
    plan = make_plan(*hosts, campaign=dag_id, run_id=run_id, **asked)
    run.open(plan, dag_id=dag_id, bundle_document={}, snapshot_before={}, now=NOW)
    return run


@pytest.fixture(scope="session")
def gate() -> TestGate:
    return TestGate()


@dataclass
class TestQuestions:
    """What a run asks, and what was answered: (task, word, person)."""

    __test__ = False
    asks: list[Any] = field(default_factory=list)
    answered: list[tuple[str, str, str]] = field(default_factory=list)
    ended: bool = False

    def find(self, dag_id: str, run_id: str) -> tuple[Any, ...]:
        return tuple(q for q in self.asks if (q.dag_id, q.run_id) == (dag_id, run_id))

    def answer(self, question: Any, word: str, person: Any) -> bool:
        self.answered.append((question.task_id, word, person.name))
        self.asks.remove(question)
        return True

    def has_ended(self, _dag_id: str, _run_id: str) -> bool:
        return self.ended


@pytest.fixture(scope="session")
def one_questions() -> TestQuestions:
    return TestQuestions()


@pytest.fixture
def questions(one_questions: TestQuestions) -> TestQuestions:
    one_questions.__init__()  # type: ignore[misc]
    return one_questions


@pytest.fixture(scope="session")
def app(airflow_home: Path, gate: TestGate, one_questions: TestQuestions) -> Any:
    """The app as Airflow mounts it, with a route that changes something."""
    from fastapi import FastAPI
    from tests.plugins.board.changing import router

    from escalator_airflow.board.application import create_app
    from escalator_airflow.board.means import Means

    assert airflow_home.is_dir()
    outer, inner = FastAPI(), create_app(Means(gate=gate, clock=lambda: NOW, questions=lambda: one_questions))
    outer.state.board = inner
    inner.include_router(router)
    outer.mount("/escalator", inner)
    return outer


@pytest.fixture(scope="session")
def one_client(app: Any) -> Iterator[Any]:
    from fastapi.testclient import TestClient

    with TestClient(app, raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def client(one_client: Any, ledger: Ledger) -> Any:
    from escalator.board.record import BoardReader
    from escalator_airflow.board.looks import SharedLooks

    del ledger
    state = one_client.app.state.board.state
    looks = SharedLooks(BoardReader(), shared_for=timedelta())  # a test sees at once what it has changed
    state.means = replace(state.means, looks=looks)
    return one_client


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}
