from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders import NOW
from tests.system_support.conftest import LocalShell

from escalator.model.errors import NodeFaultError
from escalator.model.inventory import Inventory
from escalator.model.inventory_settings import Controller, PowerCommands, PowerPlace

pytestmark = pytest.mark.airflow


@pytest.fixture
def find_power(airflow_home: Path) -> Any:
    """What is asked; imported when Airflow has its home, as it looks for plugins once a process."""
    assert airflow_home
    from escalator_airflow.power import find_power as found

    return found


def connect(_host: str) -> Any:
    pytest.fail("a connection was opened")


def inventory(**settings: Any) -> Inventory:
    return Inventory(cloud="lab", taken_at=NOW, **settings)


def test_without_a_word_there_is_no_switch(find_power: Any) -> None:
    assert find_power(inventory(), connect, "node-01") is None


def test_secrets_of_the_connection_are_in_the_commands_environment(
    find_power: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk import BaseHook

    asked: list[str] = []

    def get_connection(conn_id: str) -> SimpleNamespace:
        asked.append(conn_id)
        return SimpleNamespace(host="bmc", login="ops", password="p w")

    monkeypatch.setattr(BaseHook, "get_connection", get_connection)
    test = '[ "$ESCALATOR_HOST $POWER_ADDRESS $POWER_USER $POWER_PASSWORD" = "node-01 bmc ops p w" ]'
    power = find_power(inventory(power=PowerCommands(cycle=test, conn_id="bmc")), connect, "node-01")
    assert power is not None
    assert asked == []  # read when it is needed
    power.cycle()
    assert asked == ["bmc"]


def test_a_connection_that_is_not_there_is_a_switch_that_fails(
    find_power: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    def get_connection(conn_id: str) -> None:
        raise AirflowNotFoundException(conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", get_connection)
    power = find_power(inventory(power=PowerCommands(cycle="true", conn_id="bmc")), connect, "node-01")
    assert power is not None
    with pytest.raises(NodeFaultError, match="there is no connection bmc of the power switch"):
        power.cycle()


def test_on_the_controller_they_are_run_over_its_connection(find_power: Any) -> None:
    asked: list[str] = []

    def to_controller(host: str) -> Any:
        asked.append(host)
        return LocalShell()

    commands = PowerCommands(cycle='[ "$ESCALATOR_HOST" = node-01 ]', run_on=PowerPlace.CONTROLLER)
    power = find_power(
        inventory(power=commands, controller=Controller(address="ctl-01")), to_controller, "node-01"
    )
    assert power is not None
    power.cycle()
    assert asked == ["ctl-01"]
