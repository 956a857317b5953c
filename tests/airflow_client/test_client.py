from datetime import UTC, datetime

import pytest
from fake_airflow import FakeAirflow, dag_document, run_document, task_document

from escalator.airflow_client import (
    Connection,
    RequestRefusedError,
    RunState,
    RunTimeoutError,
    TaskState,
)

RUNS = "/api/v2/dags/d/dagRuns"
TASKS = f"{RUNS}/r/taskInstances"


def test_trigger_sends_the_parameters_and_a_null_date() -> None:
    airflow = FakeAirflow()
    airflow.on("POST", RUNS, (200, run_document()))
    run = airflow.client().trigger("d", {"bundle": "nova-34"}, run_id="mine")
    assert run.state is RunState.QUEUED
    assert run.started_at == datetime(2026, 11, 22, 8, tzinfo=UTC)
    assert airflow.sent("POST", RUNS)[-1] == {
        "conf": {"bundle": "nova-34"},
        "logical_date": None,
        "dag_run_id": "mine",
    }


def test_trigger_leaves_the_name_of_the_run_to_airflow() -> None:
    airflow = FakeAirflow()
    airflow.on("POST", RUNS, (200, run_document()))
    airflow.client().trigger("d", logical_date=datetime(2026, 1, 1, tzinfo=UTC))
    assert airflow.sent("POST", RUNS)[-1] == {"conf": {}, "logical_date": "2026-01-01T00:00:00+00:00"}


def test_bad_parameters_carry_airflows_message() -> None:
    airflow = FakeAirflow()
    airflow.on("POST", RUNS, (400, {"detail": "0 is less than the minimum of 1"}))
    with pytest.raises(RequestRefusedError, match="less than the minimum") as caught:
        airflow.client().trigger("d", {"max_parallel": 0})
    assert caught.value.status == 400


def test_only_unfinished_runs_of_some_dags_are_ended() -> None:
    airflow = FakeAirflow()
    airflow.on(
        "GET", "/api/v2/dags", (200, {"dags": [dag_document("d"), dag_document("e")], "total_entries": 2})
    )
    runs = [run_document(state, dag_id="d", dag_run_id=state) for state in ("running", "success", "queued")]
    airflow.on("GET", RUNS, (200, {"dag_runs": runs, "total_entries": 3}))
    for run_id in ("running", "queued"):
        airflow.on("PATCH", f"{RUNS}/{run_id}", (200, run_document("failed", dag_id="d", dag_run_id=run_id)))
    ended = airflow.client().end_runs(prefix="d")
    assert [(run.run_id, run.state) for run in ended] == [
        ("running", RunState.FAILED),
        ("queued", RunState.FAILED),
    ]
    assert airflow.sent("PATCH", f"{RUNS}/running") == [{"state": "failed"}]


def test_wait_outlives_an_api_server_that_is_away() -> None:
    airflow = FakeAirflow()
    airflow.on(
        "GET",
        f"{RUNS}/r",
        (200, run_document("running")),
        (503, {"detail": "starting"}),
        (200, run_document("success", end_date="2026-11-22T08:01:00Z")),
    )
    polled: list[RunState] = []
    run = airflow.client().wait(
        "d", "r", timeout_seconds=5, poll_seconds=0, on_poll=lambda run: polled.append(run.state)
    )
    assert run.ended_at is not None
    assert polled == [RunState.RUNNING, RunState.SUCCESS]


def test_wait_ends_in_time_and_says_the_last_state() -> None:
    airflow = FakeAirflow()
    airflow.on("GET", f"{RUNS}/r", (200, run_document("running")))
    with pytest.raises(RunTimeoutError, match="running"):
        airflow.client().wait("d", "r", timeout_seconds=0)


def test_lists_are_read_to_the_last_page() -> None:
    airflow = FakeAirflow()
    first = [task_document(f"node-{number:02d}.admit", "deferred") for number in range(100)]
    airflow.on(
        "GET",
        TASKS,
        (200, {"task_instances": first, "total_entries": 101}),
        (200, {"task_instances": [task_document("conclude")], "total_entries": 101}),
    )
    tasks = airflow.client().task_instances("d", "r")
    assert len(tasks) == 101
    assert tasks[0].state is TaskState.DEFERRED
    assert tasks[-1].state is None
    assert [query["offset"] for query in airflow.sent("GET", TASKS)[-2:]] == ["0", "100"]


def test_clearing_a_task_clears_what_follows_whether_it_failed_or_not() -> None:
    airflow = FakeAirflow()
    path = "/api/v2/dags/d/clearTaskInstances"
    airflow.on(
        "POST", path, (200, {"task_instances": [task_document("n.upgrade"), task_document("n.release")]})
    )
    assert airflow.client().clear_tasks("d", "r", ["n.upgrade"]) == ("n.upgrade", "n.release")
    body = airflow.sent("POST", path)[-1]
    assert (body["include_downstream"], body["only_failed"], body["dry_run"]) == (True, False, False)


def test_a_log_becomes_text() -> None:
    airflow = FakeAirflow()
    content = [
        "head",
        {"timestamp": "T", "level": "info", "event": "moved"},
        {
            "event": "failed",
            "error_detail": [
                {"exc_type": "E", "exc_value": "v", "frames": [{"filename": "f", "lineno": 3, "name": "g"}]}
            ],
        },
    ]
    airflow.on("GET", f"{TASKS}/t/logs/2", (200, {"content": content, "continuation_token": None}))
    text = airflow.client().task_log("d", "r", "t", try_number=2)
    assert text.splitlines() == ["head", "T info moved", "failed", "  f:3 in g", "  E: v"]


def test_what_a_person_is_asked_is_found_and_answered() -> None:
    airflow = FakeAirflow()
    asked = {
        "subject": "node-03: VNF managers refuse",
        "options": ["Ask again", "Leave the node out"],
        "task_instance": {
            "dag_id": "d",
            "dag_run_id": "r",
            "task_id": "node-03.switchover",
            "map_index": -1,
        },
    }
    airflow.on("GET", f"{RUNS}/r/hitlDetails", (200, {"hitl_details": [asked], "total_entries": 1}))
    path = f"{TASKS}/node-03.switchover/-1/hitlDetails"
    airflow.on("PATCH", path, (200, {}))
    client = airflow.client()
    (action,) = client.list_required_actions("d", "r")
    assert (action.task_id, action.options) == ("node-03.switchover", ("Ask again", "Leave the node out"))
    client.respond(action, ["Ask again"])
    assert airflow.sent("GET", f"{RUNS}/r/hitlDetails")[-1]["response_received"] == "false"
    assert airflow.sent("PATCH", path) == [{"chosen_options": ["Ask again"], "params_input": {}}]


def test_a_value_that_a_task_left_is_returned_as_it_is() -> None:
    airflow = FakeAirflow()
    airflow.on("GET", f"{TASKS}/t/xcomEntries/return_value", (200, {"value": {"moved": [1, 2]}}))
    assert airflow.client().xcom("d", "r", "t") == {"moved": [1, 2]}


def test_dags_are_found_by_the_beginning_of_their_names() -> None:
    airflow = FakeAirflow()
    dags = [dag_document("upgrade__lab__a"), dag_document("upgrade__lab2__a"), dag_document("check__lab")]
    airflow.on("GET", "/api/v2/dags", (200, {"dags": dags, "total_entries": 3}))
    assert [dag.dag_id for dag in airflow.client().list_dags(prefix="upgrade__lab__")] == ["upgrade__lab__a"]


@pytest.mark.parametrize(("verb", "is_paused"), [("pause", True), ("unpause", False)])
def test_a_dag_is_paused_and_let_run(verb: str, is_paused: bool) -> None:  # noqa: FBT001
    airflow = FakeAirflow()
    airflow.on("PATCH", "/api/v2/dags/d", (200, dag_document("d", is_paused=is_paused)))
    assert getattr(airflow.client(), verb)("d").is_paused is is_paused
    assert airflow.sent("PATCH", "/api/v2/dags/d")[-1] == {"is_paused": is_paused}


def test_a_pool_is_made_once_changed_when_it_differs_and_left_alone_when_it_fits() -> None:
    airflow = FakeAirflow()
    document = {"name": "p", "slots": 1, "description": ""}
    airflow.on("GET", "/api/v2/pools/p", (404, {"detail": "none"}), (200, document), (200, document))
    airflow.on("POST", "/api/v2/pools", (201, document))
    airflow.on("PATCH", "/api/v2/pools/p", (200, document | {"slots": 2}))
    client = airflow.client()
    assert client.ensure_pool("p", 1).slots == 1
    assert client.ensure_pool("p", 1).slots == 1
    assert airflow.sent("PATCH", "/api/v2/pools/p") == []
    assert client.ensure_pool("p", 2).slots == 2
    assert len(airflow.sent("POST", "/api/v2/pools")) == 1


def test_a_connection_is_made_and_then_set_anew() -> None:
    airflow = FakeAirflow()
    document = {"connection_id": "lab", "conn_type": "openstack", "password": "***"}
    path = "/api/v2/connections/lab"
    airflow.on("GET", path, (404, {"detail": "none"}), (200, document))
    airflow.on("POST", "/api/v2/connections", (201, document))
    airflow.on("PATCH", path, (200, document))
    wanted = Connection(connection_id="lab", conn_type="openstack", password="secret")
    assert "secret" not in repr(wanted)
    client = airflow.client()
    assert client.ensure_connection(wanted).conn_type == "openstack"
    assert client.ensure_connection(wanted).password == "***"
    assert airflow.sent("POST", "/api/v2/connections")[-1]["password"] == "secret"
    assert airflow.sent("PATCH", path)[-1]["connection_id"] == "lab"


def test_health_names_the_parts_that_are_not_well() -> None:
    airflow = FakeAirflow()
    answer = {
        "metadatabase": {"status": "healthy"},
        "scheduler": {"status": "unhealthy", "latest_scheduler_heartbeat": "2026-11-22T08:00:00Z"},
        "dag_processor": None,
    }
    airflow.on("GET", "/api/v2/monitor/health", (200, answer))
    health = airflow.client().health()
    assert health.unhealthy == ("scheduler", "dag_processor")
    assert health.heartbeats == {"scheduler": datetime(2026, 11, 22, 8, tzinfo=UTC)}
    assert airflow.logins == 0


def test_import_errors_are_listed() -> None:
    airflow = FakeAirflow()
    error = {"filename": "upgrade.py", "stack_trace": "SyntaxError"}
    airflow.on("GET", "/api/v2/importErrors", (200, {"import_errors": [error], "total_entries": 1}))
    assert airflow.client().import_errors()[0].stack_trace == "SyntaxError"
