"""The VIM interface as Airflow mounts it: a Keystone and a starter of the tests, a real ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.airflow_home import write_inventory

from escalator.cloud_manager.token_check import TokenFacts
from escalator.ledger.ledger import Ledger
from escalator.model.maintenance_session import MaintenanceSession, SessionState
from escalator.model.notice import InstanceAction, Notice, NoticeState

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
SID = "7d8fbd7e-2d7e-4f2a-9d0a-3d0c8c1f0001"
OURS, THEIRS = "a" * 32, "b" * 32
GENERAL, FAST = "cell1/az1/general", "cell1/az2/fast"
DAGS = ("upgrade__lab__cell1-az1-general", "upgrade__lab__cell1-az2-fast")
ANY_ACTION = (InstanceAction.MIGRATE, InstanceAction.LIVE_MIGRATE, InstanceAction.OWN_ACTION)


def facts(project: str | None, *roles: str) -> TokenFacts:
    return TokenFacts(
        user="somebody", project_id=project, roles=frozenset(roles), expires_at=NOW + timedelta(hours=1)
    )


@dataclass
class World:
    """What the API is given, and what it did with it."""

    tokens: dict[str, TokenFacts] = field(
        default_factory=lambda: {
            "admin": facts("f" * 32, "admin", "member"),
            "vnfm": facts(OURS, "member"),
            "other": facts(THEIRS, "member"),
            "unscoped": facts(None),
        }
    )
    now: datetime = NOW
    owners: dict[str, str] = field(default_factory=dict)
    keystone_error: Exception | None = None
    nova_error: Exception | None = None
    check_error: Exception | None = None
    start_error: Exception | None = None
    going: int = 0
    checked: list[Any] = field(default_factory=list)
    started: list[Any] = field(default_factory=list)

    def find_facts(self, _inventory: Any, token: str) -> TokenFacts | None:
        if self.keystone_error is not None:
            raise self.keystone_error
        return self.tokens.get(token)

    def find_owner(self, _inventory: Any, about: str) -> str | None:
        if self.nova_error is not None:
            raise self.nova_error
        return self.owners.get(about)

    def check(self, runs: Sequence[Any]) -> None:
        self.checked.append(tuple(runs))
        if self.check_error is not None:
            raise self.check_error

    def start(self, runs: Sequence[Any], run_id: str, user: str) -> None:
        if self.start_error is not None:
            raise self.start_error
        self.started.append((tuple(runs), run_id, user))

    def count_going(self, _runs: Sequence[tuple[str, str]]) -> int:
        return self.going


@pytest.fixture
def world(stage: Stage) -> World:
    stage.world = World()
    return stage.world


@pytest.fixture
def ledger(ledger: Ledger, folders: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger of the test's own, and a cloud of two domains."""
    monkeypatch.delenv("ESCALATOR_VIM_BUNDLE", raising=False)
    write_inventory(folders / "inventory", "lab", {GENERAL: 3, FAST: 2})
    write_inventory(folders / "inventory", "second", {GENERAL: 2})
    return ledger


@dataclass
class Stage:
    """Where the app, which is made once, finds the world of the test that runs."""

    world: World = field(default_factory=World)

    def find_facts(self, inventory: Any, token: str) -> TokenFacts | None:
        return self.world.find_facts(inventory, token)

    def find_owner(self, inventory: Any, about: str) -> str | None:
        return self.world.find_owner(inventory, about)


@pytest.fixture(scope="session")
def stage() -> Stage:
    return Stage()


@pytest.fixture(scope="session")
def app(airflow_home: Path, stage: Stage) -> Any:
    """The app as Airflow mounts it."""
    from fastapi import FastAPI

    from escalator_airflow.web.application import create_app
    from escalator_airflow.web.means import Means

    assert airflow_home.is_dir()
    outer = FastAPI()
    means = Means(
        find_facts=stage.find_facts,
        find_server_owner=stage.find_owner,
        find_group_owner=stage.find_owner,
        starter=Starter(stage),
        clock=lambda: stage.world.now,
    )
    outer.mount("/vim", create_app(means))
    return outer


@dataclass
class Starter:
    """Hands on to the world of the test."""

    stage: Stage

    def check(self, runs: Sequence[Any]) -> None:
        self.stage.world.check(runs)

    def start(self, runs: Sequence[Any], run_id: str, user: str) -> None:
        self.stage.world.start(runs, run_id, user)

    def count_going(self, runs: Sequence[tuple[str, str]]) -> int:
        return self.stage.world.count_going(runs)


@dataclass
class Caller:
    """Calls the API of the cloud "lab" with one token."""

    client: Any
    token: str | None

    def __call__(self, method: str, path: str, body: Any = None, **words: Any) -> Any:
        headers = {} if self.token is None else {"X-Auth-Token": self.token}
        headers |= words.pop("headers", {})
        if body is not None:
            words["json"] = body
        return self.client.request(method, f"/vim/lab/v1{path}", headers=headers, **words)


@pytest.fixture(scope="session")
def one_client(app: Any) -> Iterator[Any]:
    from fastapi.testclient import TestClient

    with TestClient(app) as made:
        yield made


@pytest.fixture
def client(one_client: Any, ledger: Ledger, world: World) -> Any:
    del ledger, world
    return one_client


@pytest.fixture
def admin(client: Any) -> Caller:
    return Caller(client, "admin")


@pytest.fixture
def vnfm(client: Any) -> Caller:
    return Caller(client, "vnfm")


@pytest.fixture
def session(ledger: Ledger) -> MaintenanceSession:
    """A session of the cloud "lab" that is under way."""
    return ledger.notices().open_session(
        MaintenanceSession(
            id=SID,
            cloud="lab",
            state=SessionState.MAINTENANCE,
            opened_at=NOW,
            runs=((DAGS[0], f"maintenance__{SID}"),),
        )
    )


def ask(ledger: Ledger, state: NoticeState = NoticeState.MAINTENANCE, **changes: Any) -> int:
    """Queue a notice to our project that expects a reply within ten minutes, and send it."""
    words: dict[str, Any] = {
        "session_id": SID,
        "vnfm": "sample",
        "project_id": OURS,
        "state": state,
        "instance_ids": ("vm-1", "vm-2"),
        "reply_at": NOW + timedelta(minutes=10),
        "allowed_actions": ANY_ACTION,
    }
    (record,) = ledger.notices().queue([Notice(**(words | changes))], NOW)
    ledger.notices().claim_due(SID, NOW, lease_seconds=60)
    return record.id
