import io
from datetime import UTC, datetime

import pytest
from fake_airflow import FakeAirflow, dag_document, run_document, task_document
from rich.console import Console
from rich.live import Live

from escalator.airflow_client import follow as following
from escalator.airflow_client.errors import RunTimeoutError
from escalator.airflow_client.follow import Lines, NodeTable, choose_view, follow, make_table, wait_for_dag
from escalator.airflow_client.progress import find_changes, read_node_states
from escalator.airflow_client.records import DagRun, RunState, TaskInstance, TaskState

NOW = datetime(2026, 11, 22, 8, 0, 30, tzinfo=UTC)
RUN = "/api/v2/dags/upgrade__lab__a/dagRuns/manual__1"


def tasks(*documents: dict[str, object]) -> list[TaskInstance]:
    return [TaskInstance.from_json(document) for document in documents]


def page(*documents: dict[str, object]) -> tuple[int, dict[str, object]]:
    return 200, {"task_instances": list(documents), "total_entries": len(documents)}


def test_every_change_is_one_line_up_to_the_end_of_the_run() -> None:
    airflow = FakeAirflow()
    airflow.on(
        "GET",
        RUN,
        (200, run_document("running")),
        (200, run_document("running")),
        (200, run_document("failed")),
    )
    airflow.on(
        "GET",
        f"{RUN}/taskInstances",
        page(task_document("node-01.admit", "running")),
        (503, {"detail": "away"}),
        page(
            task_document("node-01.admit", "success"),
            task_document("node-01.precheck", "failed", note="ERROR vm"),
        ),
    )
    lines: list[str] = []
    ended = follow(
        airflow.client(),
        DagRun.from_json(run_document()),
        Lines(lines.append, clock=lambda: NOW),
        poll_seconds=0,
    )
    assert ended.state is RunState.FAILED
    assert lines == [
        "08:00:30 node-01 admit running",
        "08:00:30 node-01 admit success",
        "08:00:30 node-01 precheck failed: ERROR vm",
    ]


def test_states_that_are_left_out_get_no_line() -> None:
    found = tasks(task_document("node-01.admit", "queued"), task_document("node-01.precheck", "running"))
    lines: list[str] = []
    view = Lines(lines.append, clock=lambda: NOW, leave_out={TaskState.QUEUED})
    view.show(find_changes({}, found), found)
    assert lines == ["08:00:30 node-01 precheck running"]


def test_the_table_says_where_every_node_is_and_for_how_long() -> None:
    console = Console(file=io.StringIO(), width=100, record=True)
    nodes = read_node_states(
        tasks(
            task_document("node-01.migrate", "running", start_date="2026-11-22T08:00:10Z"),
            task_document("node-02.admit"),
        )
    )
    console.print(make_table(nodes, now=NOW))
    rows = [line.split("│")[1:-1] for line in console.export_text().splitlines() if "│" in line]
    assert [cell.strip() for cell in rows[0]] == ["node-01", "migrate", "running", "1", "20", ""]
    assert [cell.strip() for cell in rows[1]][:3] == ["node-02", "-", "waiting"]


def test_trouble_stays_above_the_table() -> None:
    written = io.StringIO()
    console = Console(file=written, width=100, force_terminal=True)
    found = tasks(task_document("node-01.upgrade", "failed", note="[disk] full"))
    with Live(console=console, auto_refresh=False) as live:
        NodeTable(live, clock=lambda: NOW).show(find_changes({}, found), found)
    shown = written.getvalue()
    assert "08:00:30 node-01 upgrade failed: [disk] full" in shown
    assert shown.count("[disk] full") > shown.count("08:00:30")


def test_a_pipe_gets_lines_and_a_terminal_a_table() -> None:
    with choose_view(Console(file=io.StringIO())) as view:
        assert isinstance(view, Lines)
    with choose_view(Console(file=io.StringIO(), force_terminal=True)) as view:
        assert isinstance(view, NodeTable)


def test_a_dag_that_an_earlier_airflow_left_behind_is_not_there_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "POLL_SECONDS", 0.0)
    airflow = FakeAirflow()
    stale, read = dag_document("d", is_stale=True), dag_document("d")
    airflow.on("GET", "/api/v2/dags/d", (200, stale), (404, {"detail": "no"}), (200, stale), (200, read))
    wait_for_dag(airflow.client(), "d", timeout_seconds=60)
    assert len(airflow.sent("GET", "/api/v2/dags/d")) == 4

    airflow.on("GET", "/api/v2/dags/d", (200, stale))
    airflow.on("GET", "/api/v2/importErrors", (200, {"import_errors": []}))
    with pytest.raises(RunTimeoutError, match="Airflow has no DAG d"):
        wait_for_dag(airflow.client(), "d", timeout_seconds=0)
