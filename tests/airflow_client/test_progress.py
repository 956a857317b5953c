import pytest
from fake_airflow import run_document, task_document

from escalator.airflow_client.progress import find_changes, list_of_campaign, read_node_states, state_of
from escalator.airflow_client.records import DagRun, TaskInstance, TaskState
from escalator.model.campaign import Step


def task(task_id: str, state: str | None = None, **changes: object) -> TaskInstance:
    return TaskInstance.from_json(task_document(task_id, state, **changes))


def test_the_first_look_shows_what_has_begun() -> None:
    changes = find_changes({}, [task("conclude"), task("node-01.admit", "running"), task("node-01.verify")])
    assert [change.line() for change in changes] == ["node-01 admit running"]


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (["node-01"], {"node-01"}),
        (["node-02.example.org"], {"node-02_example_org"}),
        (["node/03"], {"node-03-0a1b2c"}),
        ([], {"node-01", "node-02_example_org", "node-03-0a1b2c", "node-01-b"}),
        (["of another spelling"], {"node-01", "node-02_example_org", "node-03-0a1b2c", "node-01-b"}),
    ],
)
def test_only_the_hosts_that_the_run_was_asked_for_are_shown(asked: list[str], shown: set[str]) -> None:
    groups = ("node-01", "node-02_example_org", "node-03-0a1b2c", "node-01-b")
    tasks = [task("prepare"), *(task(f"{group}.admit", "skipped") for group in groups)]
    run = DagRun.from_json(run_document(conf={"hosts": asked}))
    found = list_of_campaign(run, tasks)
    assert found[0].task_id == "prepare"
    assert {one.task_id.removesuffix(".admit") for one in found[1:]} == shown


def test_nothing_changed_is_nothing_shown() -> None:
    tasks = [task("node-01.admit", "deferred"), task("prepare", "success")]
    assert find_changes(state_of(tasks), tasks) == ()


def test_a_retry_is_a_change_even_in_the_same_state() -> None:
    seen = state_of([task("node-01.migrate", "running")])
    (change,) = find_changes(seen, [task("node-01.migrate", "running", try_number=2)])
    assert change.line() == "node-01 migrate running (try 2)"


def test_a_cleared_task_and_its_note_are_shown() -> None:
    seen = state_of([task("node-01.upgrade", "failed")])
    (change,) = find_changes(seen, [task("node-01.upgrade", None, note="disk full", try_number=2)])
    assert change.line() == "node-01 upgrade cleared (try 2): disk full"


def test_changes_come_by_node_and_step_with_the_campaign_first() -> None:
    tasks = [
        task("node-02.admit", "running"),
        task("node-01.migrate", "success"),
        task("node-01.admit", "success"),
        task("prepare", "success"),
    ]
    assert [(change.subject, change.step) for change in find_changes({}, tasks)] == [
        ("campaign", "prepare"),
        ("node-01", "admit"),
        ("node-01", "migrate"),
        ("node-02", "admit"),
    ]


def test_a_node_stands_at_the_step_that_works() -> None:
    tasks = [task("n.admit", "success"), task("n.precheck", "running"), task("n.release", None)]
    (node,) = read_node_states(tasks)
    assert node.step is Step.PRECHECK


def test_a_node_that_failed_shows_where_even_after_its_release() -> None:
    tasks = [
        task("n.admit", "success"),
        task("n.upgrade", "failed"),
        task("n.verify", "upstream_failed"),
        task("n.release", "success"),
    ]
    (node,) = read_node_states(tasks)
    assert node.step is Step.UPGRADE
    assert node.task is not None
    assert node.task.state is TaskState.FAILED


def test_a_node_that_is_done_stands_at_its_last_step_and_one_that_waits_at_none() -> None:
    done, waiting = read_node_states(
        [*(task(f"a.{step}", "success") for step in Step), task("b.admit"), task("conclude")]
    )
    assert (done.host, done.step) == ("a", Step.RELEASE)
    assert (waiting.host, waiting.step, waiting.task) == ("b", None, None)
