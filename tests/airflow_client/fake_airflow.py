"""An Airflow REST API in memory, behind the client's HTTP transport."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from escalator.airflow_client import AirflowClient, Password, cli

Answer = tuple[int, Any]
URL = "http://airflow.test"
RIGHT = "right"


@dataclass
class FakeAirflow:
    """Answers by method and path; a list of answers is used up one by one, the last one stays."""

    answers: dict[tuple[str, str], Answer | list[Answer] | Callable[[httpx.Request], Answer]] = field(
        default_factory=dict
    )
    password: str = RIGHT
    valid_tokens: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    logins: int = 0

    def client(self, password: str = RIGHT) -> AirflowClient:
        transport = httpx.MockTransport(self._handle)
        return AirflowClient(URL, login=Password(user="admin", password=password), http=transport)

    def on(self, method: str, path: str, *answers: Answer) -> None:
        self.answers[method, path] = list(answers)

    def sent(self, method: str, path: str) -> list[Any]:
        return [body for verb, place, body in self.requests if (verb, place) == (method, path)]

    def _handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().partition("?")[0]
        if path == "/auth/token":
            return self._login(json.loads(request.content))
        body = json.loads(request.content) if request.content else dict(request.url.params)
        self.requests.append((request.method, path, body))
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.valid_tokens and not path.startswith("/api/v2/monitor"):
            return httpx.Response(401, json={"detail": "Not authenticated"})
        status, document = self._answer(request, path)
        return httpx.Response(status, json=document)

    def _answer(self, request: httpx.Request, path: str) -> Answer:
        known = self.answers.get((request.method, path), (404, {"detail": f"{path} is not here"}))
        if callable(known):
            return known(request)
        if isinstance(known, list):
            return known.pop(0) if len(known) > 1 else known[0]
        return known

    def _login(self, body: Mapping[str, str]) -> httpx.Response:
        if body != {"username": "admin", "password": self.password}:
            return httpx.Response(401, json={"detail": "Invalid credentials"})
        self.logins += 1
        self.valid_tokens = {f"token-{self.logins}"}
        return httpx.Response(201, json={"access_token": f"token-{self.logins}"})


def run_document(state: str = "queued", **changes: object) -> dict[str, Any]:
    return {
        "dag_id": "upgrade__lab__a",
        "dag_run_id": "manual__1",
        "state": state,
        "conf": {"bundle": "nova-34"},
        "note": None,
        "logical_date": None,
        "start_date": "2026-11-22T08:00:00Z",
        "end_date": None,
    } | changes


def task_document(task_id: str, state: str | None = None, **changes: object) -> dict[str, Any]:
    return {
        "id": f"id-of-{task_id}",
        "task_id": task_id,
        "map_index": -1,
        "state": state,
        "try_number": 1,
        "max_tries": 2,
        "start_date": None,
        "end_date": None,
        "note": None,
        "pid": None,
        "hostname": None,
    } | changes


def dag_document(dag_id: str, *, is_paused: bool = False, is_stale: bool = False) -> dict[str, Any]:
    return {
        "dag_id": dag_id,
        "is_paused": is_paused,
        "is_stale": is_stale,
        "tags": [{"name": "escalator"}],
        "last_parsed_time": None,
    }


def let_start(dag_id: str, monkeypatch: pytest.MonkeyPatch) -> FakeAirflow:
    """Give the verbs of the command line an Airflow that knows a DAG and starts its runs."""
    fake = FakeAirflow()
    fake.on("GET", f"/api/v2/dags/{dag_id}", (200, dag_document(dag_id)))
    fake.on("POST", f"/api/v2/dags/{dag_id}/dagRuns", (200, run_document(dag_id=dag_id)))
    monkeypatch.setattr(cli, "open_client", lambda _args: fake.client())
    return fake
