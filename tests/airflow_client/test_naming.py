import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalator.airflow_client.naming import split_node_task
from escalator.model.campaign import Step
from escalator.model.naming import make_dag_id


@pytest.mark.parametrize(
    ("cloud", "domain", "dag_id"),
    [
        ("lab", "cell1/az1/general", "upgrade__lab__cell1-az1-general"),
        ("lab", "a_b.c-d", "upgrade__lab__a_b.c-d"),
        ("my cloud", "zürich", "upgrade__my-cloud__z-rich-201f10d5"),
    ],
)
def test_a_dag_id_keeps_what_airflow_allows_and_nothing_else(cloud: str, domain: str, dag_id: str) -> None:
    assert make_dag_id("upgrade", cloud, domain) == dag_id
    assert dag_id.startswith(make_dag_id("upgrade", cloud, ""))


@given(host=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,30}", fullmatch=True), step=st.sampled_from(Step))
def test_host_and_step_are_read_back_from_a_task_id(host: str, step: Step) -> None:
    task = split_node_task(f"{host}.{step}")
    assert task is not None
    assert (task.host, task.step) == (host, step)


@pytest.mark.parametrize("task_id", ["conclude", "admit", ".admit", "node-01.canary", "node-01"])
def test_other_tasks_belong_to_no_node(task_id: str) -> None:
    assert split_node_task(task_id) is None
