"""One real Airflow, from an empty folder to nothing: start, run, follow, kill a worker, end."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from escalator.airflow_client import (
    AirflowClient,
    Connection,
    NotInAirflowError,
    RequestRefusedError,
    RunState,
    TaskState,
)
from escalator.airflow_client.follow import Lines, follow
from escalator.airflow_stack import AirflowStack, PortTakenError, StackError, StackSettings
from escalator.airflow_stack.components import ComponentName
from escalator.airflow_stack.sessions import find_family, find_identities, read_process_table
from escalator.airflow_stack.workers import read_title
from escalator.lab.processes import wait_until
from escalator.lab.progress import Progress

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

INSTANCE = 7
PATIENCE_SECONDS = 240.0
"""A computer that is busy with other tests may need that long for what takes seconds else."""
DAG = '''
"""An Airflow DAG of one node."""
import subprocess
import time
from airflow.sdk import Param, TaskGroup, dag, get_current_context, task


@dag(schedule=None, params={"seconds": Param(0, type="integer", minimum=0)})
def upgrade__test__domain():
    @task
    def admit():
        return {"host": "node-01"}

    @task(retries=1, retry_delay=0.1)
    def migrate():
        context = get_current_context()
        if context["ti"].try_number == 1:
            subprocess.run(["sleep", str(context["params"]["seconds"])], start_new_session=True)
        print("moved by try", context["ti"].try_number)

    with TaskGroup("node-01"):
        admit() >> migrate()


upgrade__test__domain()
'''
DAG_ID = "upgrade__test__domain"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("dags", "plugins", "include"):
        (folder / name).mkdir()
    (folder / "dags" / "node.py").write_text(DAG)
    return folder


@pytest.fixture(scope="module")
def stack(checkout: Path) -> Iterator[AirflowStack]:
    settings = StackSettings(
        instance=INSTANCE,
        checkout=checkout,
        parallelism=2,
        heartbeat_timeout_seconds=10,
        extra_env={"AIRFLOW_CONN_PROBE": "http://probe"},
    )
    stack = AirflowStack(settings)
    stack.down(wipe=True)
    stack.up()
    yield stack
    stack.down(wipe=True)


@pytest.fixture
def client(stack: AirflowStack) -> Iterator[AirflowClient]:
    with stack.client() as client:
        yield client


@pytest.fixture
def dag_id(client: AirflowClient) -> str:
    def is_read() -> bool:
        try:
            return bool(client.get_dag(DAG_ID).dag_id)
        except NotInAirflowError:
            return False

    assert wait_until(is_read, timeout_seconds=PATIENCE_SECONDS, poll_seconds=0.3), client.import_errors()
    return DAG_ID


def test_a_second_up_changes_nothing(stack: AirflowStack) -> None:
    before = stack.status()
    said: list[str] = []
    AirflowStack(stack.settings, progress=Progress(said.append)).up()
    assert stack.status() == before
    assert before.is_healthy
    password = stack.settings.password_file.read_text().strip()
    assert password not in "\n".join(said)


@pytest.mark.parametrize("dead", [("postgres",), ("scheduler",), ("postgres", *ComponentName)])
def test_whatever_died_is_back_after_one_call(stack: AirflowStack, dead: tuple[str, ...]) -> None:
    before = {part.name: part.pid for part in stack.status().components}
    for name in dead:
        pid = before[name]
        assert pid is not None
        os.kill(pid, signal.SIGKILL)  # the one process, as a kernel short of memory would
    stack.up()
    after = {part.name: part.pid for part in stack.status().components}
    assert stack.status().is_healthy
    assert not [name for name in dead if after[name] == before[name]]


def test_other_settings_are_refused_while_it_runs(stack: AirflowStack, checkout: Path) -> None:
    other = StackSettings(instance=INSTANCE, checkout=checkout, parallelism=3)
    with pytest.raises(StackError, match="other settings"):
        AirflowStack(other).up()
    assert stack.status().is_healthy


def test_the_pool_of_admissions_has_one_slot(client: AirflowClient) -> None:
    assert client.get_pool("escalator_admission").slots == 1
    assert client.ensure_pool("escalator_admission", 1, "changed").description == "changed"


def test_a_connection_is_made_and_changed(client: AirflowClient) -> None:
    wanted = Connection(
        connection_id="cloud", conn_type="http", host="a", password="hidden", extra='{"x": 1}'
    )
    assert client.ensure_connection(wanted).host == "a"
    assert client.ensure_connection(replace(wanted, host="b")).host == "b"
    assert client.get_connection("cloud").password != "hidden"


def test_a_run_is_followed_step_by_step(client: AirflowClient, dag_id: str) -> None:
    run = client.trigger(dag_id, {"seconds": 0}, run_id="followed")
    lines: list[str] = []
    view = Lines(lines.append, clock=lambda: datetime.now(UTC))
    ended = follow(client, run, view, timeout_seconds=PATIENCE_SECONDS, poll_seconds=0.3)
    assert ended.state is RunState.SUCCESS
    assert re.search(r"node-01 admit success", "\n".join(lines))
    assert lines[-1].endswith("node-01 migrate success")
    log = partial(client.task_log, dag_id, "followed", "node-01.migrate")
    assert wait_until(lambda: "moved by try 1" in log(), timeout_seconds=30)  # its last lines may come later
    assert client.xcom(dag_id, "followed", "node-01.admit") == {"host": "node-01"}


def test_bad_requests_carry_airflows_words(client: AirflowClient, dag_id: str) -> None:
    with pytest.raises(RequestRefusedError, match="seconds") as caught:
        client.trigger(dag_id, {"seconds": -1})
    assert caught.value.status == 400
    with pytest.raises(NotInAirflowError, match="nowhere"):
        client.trigger("nowhere")


def test_a_killed_worker_leaves_nothing_and_the_retry_completes(
    stack: AirflowStack, client: AirflowClient, dag_id: str
) -> None:
    run = client.trigger(dag_id, {"seconds": 600}, run_id="killed")
    killed = stack.kill_worker_of(dag_id, run.run_id, "node-01.migrate")
    assert killed.try_number == 1
    assert not [pid for pid in (killed.worker, *killed.tree) if read_title(pid)]
    ended = client.wait(dag_id, run.run_id, timeout_seconds=PATIENCE_SECONDS)
    assert ended.state is RunState.SUCCESS
    assert client.get_task_instance(dag_id, run.run_id, "node-01.migrate").try_number == 2


def test_a_cleared_task_runs_again_with_what_follows(client: AirflowClient, dag_id: str) -> None:
    run = client.trigger(dag_id, run_id="cleared")
    client.wait(dag_id, run.run_id, timeout_seconds=PATIENCE_SECONDS)
    cleared = client.clear_tasks(dag_id, run.run_id, ["node-01.admit"])
    assert sorted(cleared) == ["node-01.admit", "node-01.migrate"]
    assert client.wait(dag_id, run.run_id, timeout_seconds=PATIENCE_SECONDS).state is RunState.SUCCESS
    tasks = client.task_instances(dag_id, run.run_id)
    assert {(task.state, task.try_number) for task in tasks} == {(TaskState.SUCCESS, 2)}


def test_down_ends_everything_even_with_tasks_at_work(
    stack: AirflowStack, client: AirflowClient, dag_id: str
) -> None:
    run = client.trigger(dag_id, {"seconds": 600}, run_id="at-work")

    def sleeps() -> bool:
        return client.get_task_instance(dag_id, run.run_id, "node-01.migrate").state is TaskState.RUNNING

    assert wait_until(sleeps, timeout_seconds=PATIENCE_SECONDS, poll_seconds=0.2)
    leaders = [part.pid_file.read() for part in stack._components] + [stack.cluster.pid_file.read()]
    assert all(leaders)
    table = read_process_table()
    members = find_identities(pid for leader in leaders if leader for pid in find_family(leader, table))
    assert len(members) >= 10
    assert stack.down()
    assert not [member for member in members if member.is_alive()]
    assert not stack.down()
    assert [part.pid for part in stack.status().components] == [None] * 5


def test_a_taken_port_is_refused_before_anything_starts(stack: AirflowStack) -> None:
    with (
        socket.create_server(("127.0.0.1", stack.settings.api_port)),
        pytest.raises(PortTakenError, match=r"python|pytest"),
    ):
        stack.up()
    assert stack.status().components[-1].pid is None
