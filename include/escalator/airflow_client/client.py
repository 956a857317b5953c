"""The REST calls that the project makes, one method each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from escalator.airflow_client.campaigns import Campaigns
from escalator.airflow_client.errors import (
    AirflowUnavailableError,
    NotInAirflowError,
    RunTimeoutError,
    refuse_other_forms,
)
from escalator.airflow_client.records import (
    Connection,
    Dag,
    DagImportError,
    DagRun,
    Health,
    Pool,
    RequiredAction,
    RunState,
    TaskInstance,
)
from escalator.airflow_client.task_log import read_log_text
from escalator.airflow_client.transport import Password, Token, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    import httpx

PAGE = 100
POLL_SECONDS = 1.0


@refuse_other_forms
def _find_list(page: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    return list(page[key])


class AirflowClient:
    """Speak with one Airflow. Every method raises the errors of ``Transport.request``.

    :param url: address of the API server, without ``/api/v2``.
    :param login: user and password, or a ready token.
    :param timeout_seconds: longest wait for one answer.
    :param http: replaces the network in tests.
    """

    def __init__(
        self,
        url: str,
        *,
        login: Password | Token,
        timeout_seconds: float = 30.0,
        http: httpx.BaseTransport | None = None,
    ) -> None:
        self._transport = Transport(url, login=login, timeout_seconds=timeout_seconds, http=http)

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; a second time does nothing."""
        self._transport.close()

    @property
    def url(self) -> str:
        """Return the address of the API server."""
        return self._transport.url

    @property
    def campaigns(self) -> Campaigns:
        """Return Escalator's own API in this Airflow."""
        return Campaigns(self._transport)

    # -- Airflow itself

    def health(self) -> Health:
        """Return the health of Airflow's parts; needs no login."""
        return Health.from_json(self._transport.request("GET", "monitor", "health", public=True))

    def import_errors(self) -> tuple[DagImportError, ...]:
        """Return the DAG files that cannot be imported."""
        return tuple(map(DagImportError.from_json, self._pages("import_errors", "importErrors")))

    # -- DAGs

    def list_dags(self, *, prefix: str = "") -> tuple[Dag, ...]:
        """Return the DAGs whose id begins with the prefix, by name."""
        found = map(Dag.from_json, self._pages("dags", "dags", query={"order_by": "dag_id"}))
        return tuple(dag for dag in found if dag.dag_id.startswith(prefix))

    def get_dag(self, dag_id: str) -> Dag:
        """Return one DAG.

        :raises NotInAirflowError: there is none of that name (yet).
        """
        return Dag.from_json(self._transport.request("GET", "dags", dag_id))

    def pause(self, dag_id: str) -> Dag:
        """Pause a DAG; a second run changes nothing."""
        return self._set_paused(dag_id, paused=True)

    def unpause(self, dag_id: str) -> Dag:
        """Let a DAG run; a second run changes nothing."""
        return self._set_paused(dag_id, paused=False)

    # -- runs

    def trigger(
        self,
        dag_id: str,
        conf: Mapping[str, Any] | None = None,
        *,
        run_id: str | None = None,
        logical_date: datetime | None = None,
    ) -> DagRun:
        """Start a run.

        :param conf: the parameters of the run; Airflow checks them against the DAG's form.
        :raises RequestRefusedError: bad parameters (400), or the run exists already (409).
        :raises NotInAirflowError: there is no such DAG.
        """
        body: dict[str, Any] = {
            "conf": dict(conf or {}),
            "logical_date": logical_date.isoformat() if logical_date else None,
        }
        if run_id is not None:
            body["dag_run_id"] = run_id
        return DagRun.from_json(self._transport.request("POST", "dags", dag_id, "dagRuns", body=body))

    def get_run(self, dag_id: str, run_id: str) -> DagRun:
        """Return one run."""
        return DagRun.from_json(self._transport.request("GET", "dags", dag_id, "dagRuns", run_id))

    def list_runs(self, dag_id: str) -> tuple[DagRun, ...]:
        """Return the runs of a DAG, the newest first."""
        query = {"order_by": "-run_after"}
        return tuple(map(DagRun.from_json, self._pages("dag_runs", "dags", dag_id, "dagRuns", query=query)))

    def end_runs(self, *, prefix: str) -> tuple[DagRun, ...]:
        """End the unfinished runs of the DAGs whose id begins with the prefix, as failed; return them."""
        runs = (run for dag in self.list_dags(prefix=prefix) for run in self.list_runs(dag.dag_id))
        return tuple(self.end_run(run.dag_id, run.run_id) for run in runs if not run.state.is_final)

    def end_run(self, dag_id: str, run_id: str) -> DagRun:
        """End a run as failed: what runs ends, what waits is skipped, teardowns run still."""
        body = {"state": RunState.FAILED}
        return DagRun.from_json(
            self._transport.request("PATCH", "dags", dag_id, "dagRuns", run_id, body=body)
        )

    def wait(
        self,
        dag_id: str,
        run_id: str,
        *,
        timeout_seconds: float,
        poll_seconds: float = POLL_SECONDS,
        on_poll: Callable[[DagRun], None] = lambda _run: None,
    ) -> DagRun:
        """Wait until a run has ended and return it; an API server that is away for a while is waited for.

        :param on_poll: is called with every answer, the last one included.
        :raises RunTimeoutError: the run goes on after that time.
        """
        deadline = time.monotonic() + timeout_seconds
        seen = "not seen"
        while True:
            try:
                run = self.get_run(dag_id, run_id)
            except AirflowUnavailableError as error:
                seen = error.message
            else:
                on_poll(run)
                if run.state.is_final:
                    return run
                seen = run.state.value
            if time.monotonic() >= deadline:
                raise RunTimeoutError(
                    f"{run_id} of {dag_id} has not ended in {timeout_seconds:.0f} s: {seen}"
                )
            time.sleep(poll_seconds)

    # -- tasks

    def task_instances(self, dag_id: str, run_id: str) -> tuple[TaskInstance, ...]:
        """Return the tasks of a run with their states."""
        path = ("dags", dag_id, "dagRuns", run_id, "taskInstances")
        return tuple(
            map(TaskInstance.from_json, self._pages("task_instances", *path, query={"order_by": "id"}))
        )

    def get_task_instance(self, dag_id: str, run_id: str, task_id: str) -> TaskInstance:
        """Return one (unmapped) task of a run."""
        path = ("dags", dag_id, "dagRuns", run_id, "taskInstances", task_id)
        return TaskInstance.from_json(self._transport.request("GET", *path))

    def clear_tasks(
        self,
        dag_id: str,
        run_id: str,
        task_ids: Sequence[str],
        *,
        downstream: bool = True,
        only_failed: bool = False,
    ) -> tuple[str, ...]:
        """Let tasks run again and return the ids of all that will.

        :param downstream: clear what comes after them too.
        :param only_failed: leave out tasks that did not fail; this leaves out admit and release.
        """
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": list(task_ids),
            "include_downstream": downstream,
            "only_failed": only_failed,
            "reset_dag_runs": True,
        }
        answer = self._transport.request("POST", "dags", dag_id, "clearTaskInstances", body=body)
        return tuple(document["task_id"] for document in answer["task_instances"])

    def task_log(self, dag_id: str, run_id: str, task_id: str, *, try_number: int = 1) -> str:
        """Return the log of one try of a task as text, one record a line."""
        path = ("dags", dag_id, "dagRuns", run_id, "taskInstances", task_id, "logs", str(try_number))
        answer = self._transport.request("GET", *path, query={"full_content": True, "map_index": -1})
        return read_log_text(answer.get("content") or ())

    def xcom(self, dag_id: str, run_id: str, task_id: str, *, key: str = "return_value") -> object:
        """Return a value that a task left.

        :raises NotInAirflowError: it left none under that key.
        """
        path = ("dags", dag_id, "dagRuns", run_id, "taskInstances", task_id, "xcomEntries", key)
        return self._transport.request("GET", *path, query={"stringify": False})["value"]

    # -- people

    def list_required_actions(self, dag_id: str, run_id: str) -> tuple[RequiredAction, ...]:
        """Return what tasks of a run ask a person, and nobody has answered."""
        path = ("dags", dag_id, "dagRuns", run_id, "hitlDetails")
        found = self._pages("hitl_details", *path, query={"response_received": False})
        return tuple(map(RequiredAction.from_json, found))

    def respond(self, action: RequiredAction, options: Sequence[str]) -> None:
        """Answer for the person who is logged in.

        :raises RequestRefusedError: somebody has answered, or there is no such option.
        """
        path = ("taskInstances", action.task_id, str(action.map_index), "hitlDetails")
        body = {"chosen_options": list(options), "params_input": {}}
        self._transport.request("PATCH", "dags", action.dag_id, "dagRuns", action.run_id, *path, body=body)

    # -- pools and connections

    def get_pool(self, name: str) -> Pool:
        """Return a pool."""
        return Pool.from_json(self._transport.request("GET", "pools", name))

    def ensure_pool(self, name: str, slots: int, description: str = "") -> Pool:
        """Make a pool with that many slots, or change it; a second run changes nothing."""
        wanted = Pool(name=name, slots=slots, description=description)
        body = {"slots": slots, "description": description, "include_deferred": False}
        try:
            found = self.get_pool(name)
        except NotInAirflowError:
            return Pool.from_json(self._transport.request("POST", "pools", body={"name": name, **body}))
        if found == wanted:
            return found
        return Pool.from_json(self._transport.request("PATCH", "pools", name, body={"pool": name, **body}))

    def get_connection(self, connection_id: str) -> Connection:
        """Return a connection; its secrets are masked."""
        return Connection.from_json(self._transport.request("GET", "connections", connection_id))

    def ensure_connection(self, connection: Connection) -> Connection:
        """Make a connection, or set all its fields anew (secrets cannot be compared)."""
        try:
            self.get_connection(connection.connection_id)
        except NotInAirflowError:
            answer = self._transport.request("POST", "connections", body=connection.to_json())
        else:
            answer = self._transport.request(
                "PATCH", "connections", connection.connection_id, body=connection.to_json()
            )
        return Connection.from_json(answer)

    def _set_paused(self, dag_id: str, *, paused: bool) -> Dag:
        return Dag.from_json(self._transport.request("PATCH", "dags", dag_id, body={"is_paused": paused}))

    def _pages(
        self, key: str, *path: str, query: Mapping[str, str | int | bool] | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the documents of all pages of a list."""
        offset = 0
        while True:
            page = self._transport.request(
                "GET", *path, query={**(query or {}), "limit": PAGE, "offset": offset}
            )
            documents = _find_list(page, key)
            yield from documents
            offset += len(documents)
            if not documents or offset >= (page.get("total_entries") or 0):
                return
