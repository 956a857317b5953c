"""The operator's commands for the power of a node: what they are told, what codes mean, their limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.system_support.conftest import LocalShell

from escalator.model.errors import NodeFaultError, TransientError
from escalator.model.inventory_settings import PowerCommands
from escalator.system_support.power import CommandPower, bring_back, make_run_here, make_run_there


def switch(commands: PowerCommands, **credentials: str) -> CommandPower:
    return CommandPower("node-01", commands, make_run_here("node-01", 10.0, credentials))


@pytest.mark.parametrize(("code", "on"), [(0, True), (1, False), (2, None), (127, None)])
def test_whether_a_node_has_power_is_the_exit_code(*, code: int, on: bool | None) -> None:
    assert switch(PowerCommands(cycle="true", is_on=f"exit {code}")).is_on() is on


def test_without_a_command_or_an_answer_it_cannot_be_told() -> None:
    assert switch(PowerCommands(cycle="true")).is_on() is None
    hanging = CommandPower("a", PowerCommands(cycle="true", is_on="sleep 60"), make_run_here("a", 0.2))
    assert hanging.is_on() is None


def test_commands_get_the_host_and_credentials_and_no_secret_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    monkeypatch.setenv("POWER_SITE", "berlin")
    switch(PowerCommands(cycle=f"env >{tmp_path}/env"), POWER_USER="ops").cycle()
    said = (tmp_path / "env").read_text().splitlines()
    assert {"ESCALATOR_HOST=node-01", "POWER_SITE=berlin", "POWER_USER=ops"} <= set(said)
    assert "FERNET" not in "".join(said)


def test_a_node_without_power_is_switched_on_and_any_other_is_cycled(tmp_path: Path) -> None:
    def log(word: str) -> str:
        return f"echo {word} >>{tmp_path}/log"

    pair = {"switch_on": log("on"), "switch_off": log("off")}
    assert bring_back(switch(PowerCommands(**pair, is_on="exit 1"))) == "it had no power and was switched on"
    assert bring_back(switch(PowerCommands(**pair, is_on="exit 0"))) == "its power was cycled"
    assert bring_back(switch(PowerCommands(**pair, cycle=log("cycle")))) == "its power was cycled"
    bring_back(switch(PowerCommands(cycle=log("cycle-on"), is_on="exit 1")))
    assert (tmp_path / "log").read_text().split() == ["on", "off", "on", "cycle", "cycle-on"]


def test_a_command_that_fails_stops_at_its_first_line_and_says_its_last_words() -> None:
    failing = switch(PowerCommands(cycle="echo no route to the board >&2\nfalse\necho never"))
    with pytest.raises(NodeFaultError, match=r"power\.cycle ended with exit code 1: no route to the board"):
        failing.cycle()
    with pytest.raises(NodeFaultError, match=r"there is no command power\.switch_off"):
        failing.off()


def test_a_command_that_takes_too_long_is_ended() -> None:
    hanging = CommandPower("node-01", PowerCommands(cycle="sleep 60"), make_run_here("node-01", 0.2))
    with pytest.raises(NodeFaultError, match=r"did not end within 0\.2 s") as fault:
        hanging.cycle()
    assert "power.cycle in the inventory settings" in str(fault.value)


def test_on_a_controller_they_are_run_by_its_shell_with_their_limit(local: LocalShell) -> None:
    commands = PowerCommands(cycle='[ "$ESCALATOR_HOST" = "it\'s 01" ]')
    there = CommandPower("it's 01", commands, make_run_there("it's 01", 5.0, lambda: local))
    there.cycle()
    slow = CommandPower("a", PowerCommands(cycle="sleep 20"), make_run_there("a", 0.2, lambda: local))
    with pytest.raises(NodeFaultError, match="exit code 124"):
        slow.cycle()


def test_a_controller_that_cannot_be_reached_is_no_switch() -> None:
    def connect() -> LocalShell:
        raise TransientError("no route to ctl-01")

    away = CommandPower("a", PowerCommands(cycle="true", is_on="true"), make_run_there("a", 5.0, connect))
    assert away.is_on() is None
    with pytest.raises(NodeFaultError, match="no route to ctl-01"):
        away.cycle()
