from pathlib import Path

import pytest

from escalator.airflow_stack.settings import INSTANCES, StackSettings, find_home
from escalator.model.errors import InvalidRequestError


def test_no_two_instances_share_a_port_or_a_folder(tmp_path: Path) -> None:
    stacks = [StackSettings(home=tmp_path, instance=instance) for instance in INSTANCES]
    ports = [
        port
        for stack in stacks
        for port in (stack.api_port, stack.postgres_port, stack.worker_log_port, stack.trigger_log_port)
    ]
    assert len(set(ports)) == len(ports)
    assert len({stack.folder for stack in stacks}) == len(stacks)
    assert stacks[0].url == "http://127.0.0.1:21050"
    assert stacks[2].postgres_port == 21251


@pytest.mark.parametrize(
    "wrong",
    [
        {"instance": 10},
        {"instance": -1},
        {"parallelism": 0},
        {"parallelism": 65},
        {"heartbeat_timeout_seconds": 9},
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidRequestError):
        StackSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("environment", "home"),
    [
        ({"ESCALATOR_STACK_HOME": "/x/y"}, Path("/x/y")),
        ({"XDG_CACHE_HOME": "/cache"}, Path("/cache/escalator-airflow")),
        ({}, Path.home() / ".cache" / "escalator-airflow"),
    ],
)
def test_the_home_is_chosen_by_the_environment(environment: dict[str, str], home: Path) -> None:
    assert find_home(environment) == home


def test_the_checkout_is_the_one_that_the_package_lies_in() -> None:
    assert (StackSettings().checkout / "include" / "escalator" / "airflow_stack").is_dir()
