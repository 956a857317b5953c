from fake_airflow import FakeAirflow, run_document, task_document

from escalator.airflow_client.records import DagRun, TaskInstance
from escalator.airflow_client.run_end import (
    describe_failures,
    find_reason,
    find_report,
    find_report_of_run,
)

RUN = DagRun.from_json(run_document("failed"))
INSTANCES = "/api/v2/dags/upgrade__lab__a/dagRuns/manual__1/taskInstances"
LOG = """2026-11-22T08:00:00Z info report: /srv/reports/upgrade__lab__a/manual__1/report.html
2026-11-22T08:00:01Z error Task failed with exception
  /src/operators/campaign.py:218 in execute
  AirflowFailException: Not every node was upgraded: node-01 is failed: disk full"""


def records(*events: dict[str, object]) -> tuple[int, dict[str, object]]:
    return 200, {"content": list(events), "continuation_token": None}


def failed(task_id: str, **changes: object) -> TaskInstance:
    return TaskInstance.from_json(task_document(task_id, "failed", **changes))


def test_the_report_and_the_reason_are_found_in_a_log() -> None:
    assert find_report(LOG) == "/srv/reports/upgrade__lab__a/manual__1/report.html"
    assert find_reason(LOG) == "Not every node was upgraded: node-01 is failed: disk full"
    assert find_reason("2026-11-22T08:00:00Z error killed by signal 9") == "killed by signal 9"
    assert find_report("") is find_reason("2026-11-22T08:00:00Z info all well") is None


def test_every_failed_task_says_why_and_the_campaign_comes_last() -> None:
    airflow = FakeAirflow()
    error = {"exc_type": "AirflowFailException", "exc_value": "node-01 failed: disk full", "frames": []}
    airflow.on(
        "GET",
        f"{INSTANCES}/node-01.upgrade/logs/2",
        records({"event": "Task failed", "level": "error", "error_detail": [error]}),
    )
    tasks = [failed("conclude"), failed("node-01.upgrade", try_number=2), failed("x", note="by hand")]
    assert list(describe_failures(airflow.client(), RUN, tasks)) == [
        "node-01.upgrade failed: node-01 failed: disk full",
        "x failed: by hand",
        "conclude failed: see its log",
    ]


def test_no_more_logs_are_read_than_a_person_reads() -> None:
    airflow = FakeAirflow()
    tasks = [failed(f"node-{number:02d}.verify") for number in range(40)]
    assert len(list(describe_failures(airflow.client(), RUN, tasks))) == 40
    assert len(airflow.requests) <= 20  # each is asked for once, and once more after the log-in


def test_a_run_whose_log_cannot_be_had_has_ended_all_the_same() -> None:
    airflow = FakeAirflow()
    assert find_report_of_run(airflow.client(), RUN, [failed("conclude")]) is None
    assert find_report_of_run(airflow.client(), RUN, []) is None


def test_a_log_of_another_form_than_airflows_is_one_that_cannot_be_had() -> None:
    for content in (7, [7], [{"error_detail": ["?"]}]):
        airflow = FakeAirflow()
        airflow.on("GET", f"{INSTANCES}/conclude/logs/1", (200, {"content": content}))
        assert find_report_of_run(airflow.client(), RUN, [failed("conclude")]) is None
