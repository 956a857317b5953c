"""The operator's commands do the work; limits, exit codes, records and proofs are ours."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from tests.system_support.mechanisms.command_node import CommandNode
from tests.system_support.mechanisms.jobs import make_job

from escalator.lab.processes import identify
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code
from escalator.system_support.mechanisms import Effect, InstalledVersion, JobFailedError, UnitState
from escalator.system_support.mechanisms.command import CommandOnNode


def stage(node: CommandNode, target: str = "1.0.0", /, **changes: Any) -> Effect:
    return node.on_node(**changes).stage(make_job(node.sshd.shell, "stage", target))


def activate(node: CommandNode, target: str = "1.0.0", /, **changes: Any) -> Effect:
    return node.on_node(**changes).activate(make_job(node.sshd.shell, "activate", target))


def read(node: CommandNode, **changes: Any) -> InstalledVersion:
    with node.sshd.shell() as shell:
        return node.on_node(**changes).installed(shell)


def test_the_stage_command_is_run_at_each_time_and_activate_until_it_is_proved(
    command_node: CommandNode,
) -> None:
    assert [stage(command_node), stage(command_node)] == [Effect.STAGED, Effect.ALREADY_STAGED]
    assert [activate(command_node), activate(command_node)] == [Effect.ACTIVATED, Effect.ALREADY_ACTIVE]
    assert command_node.calls() == ["stage", "stage", "activate"]


def test_without_a_stage_command_there_is_nothing_to_lay_down(command_node: CommandNode) -> None:
    assert stage(command_node, stage=None) is Effect.STAGED
    assert command_node.calls() == []


def test_what_other_commands_staged_is_not_activated(command_node: CommandNode) -> None:
    stage(command_node)
    with pytest.raises(JobFailedError, match=r"1\.0\.0 is not staged by these commands"):
        activate(command_node, activate="true")
    assert command_node.calls() == ["stage"]


def test_a_stage_command_that_fails_later_is_staged_no_more(command_node: CommandNode) -> None:
    stage(command_node)
    (command_node.folder / "releases" / "1.0.0").unlink()
    with pytest.raises(JobFailedError, match="cannot be staged"):
        stage(command_node)
    with pytest.raises(JobFailedError, match="not staged"):
        activate(command_node)


def test_the_first_line_that_fails_ends_a_command_and_says_why(command_node: CommandNode) -> None:
    changes = {"stage": "echo 'no room on /opt' >&2; false\necho never; true"}
    with pytest.raises(JobFailedError) as caught:
        stage(command_node, **changes)
    assert "the stage command ended with exit code 1: no room on /opt" in caught.value.message
    assert "never" not in caught.value.status.output


def test_a_command_that_takes_too_long_is_ended_with_its_children(command_node: CommandNode) -> None:
    mark = command_node.folder / "went on"
    slow = f'echo waiting for the mirror; (sleep 10; touch "{mark}") & wait'
    with pytest.raises(
        JobFailedError, match=r"was ended after 1\.5 s, its limit; its last words: waiting for"
    ):
        stage(command_node, stage=slow, stage_seconds=1.5)
    assert not mark.exists()


def test_an_activation_that_does_not_restart_the_service_is_found_out(command_node: CommandNode) -> None:
    """Its version command says what is installed, not what runs."""
    stage(command_node)
    activate(command_node)
    folder = f'"{command_node.folder}"'
    lazy = {
        "version": f"cat {folder}/installed",
        "activate": f'cp {folder}/staged/"$ESCALATOR_VERSION" {folder}/installed',
    }
    stage(command_node, "2.0.0", **lazy)
    for _ in range(2):
        with pytest.raises(JobFailedError, match="still the process of before: it was not restarted"):
            activate(command_node, "2.0.0", **lazy)
    assert command_node.restarts() == 1


def test_a_run_cut_off_between_installation_and_restart_is_completed(command_node: CommandNode) -> None:
    stage(command_node)
    activate(command_node)
    folder = f'"{command_node.folder}"'
    wrong = {"version": f"cat {folder}/installed"}
    stage(command_node, "2.0.0", **wrong)
    (command_node.folder / "installed").write_text("2.0.0\n")
    assert activate(command_node, "2.0.0", **wrong) is Effect.ACTIVATED
    assert command_node.restarts() == 2


def test_a_command_that_brings_another_version_is_no_activation(command_node: CommandNode) -> None:
    stage(command_node)
    activate(command_node)
    other = {"activate": "systemctl restart demo"}
    stage(command_node, "2.0.0", **other)
    with pytest.raises(JobFailedError, match=r"the version command says '1\.0\.0', not 2\.0\.0"):
        activate(command_node, "2.0.0", **other)


def test_a_service_that_died_is_started_again(command_node: CommandNode) -> None:
    stage(command_node)
    activate(command_node)
    command_node.end()
    assert activate(command_node) is Effect.ACTIVATED


def test_a_daemon_that_a_command_leaves_behind_holds_nothing(command_node: CommandNode) -> None:
    note = command_node.folder / "daemon"
    stage(command_node, stage=f'setsid sleep 300 >/dev/null 2>&1 & echo $! >"{note}"')
    stage(command_node)
    daemon = identify(int(note.read_text()))
    assert daemon is not None, "nobody waited for it"
    os.kill(daemon.pid, signal.SIGKILL)


def test_a_node_on_which_nothing_runs_is_read_as_that(command_node: CommandNode) -> None:
    found = read(command_node)
    assert (found.version, found.running, found.main_pid, found.active) == (None, None, None, False)
    with command_node.sshd.shell() as shell:
        assert command_node.on_node().service_state(shell) is UnitState.INACTIVE


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("echo gone >&2; exit 7", "fails: exit code 7: gone"),
        ("echo two words", "prints 'two words', which is no version"),
        ("sleep 30", "fails: exit code 124"),
    ],
)
def test_a_version_command_that_does_not_say_is_the_nodes_fault(
    command_node: CommandNode, version: str, said: str
) -> None:
    with pytest.raises(NodeFaultError, match=said):
        read(command_node, version=version, version_seconds=2.0)


def test_the_last_line_of_the_version_command_counts(command_node: CommandNode) -> None:
    assert read(command_node, version="echo reading; echo ' 3:34.0.0-0lab1~x '; echo").version == (
        "3:34.0.0-0lab1~x"
    )


def test_without_a_source_command_nobody_can_say_what_could_be_staged(command_node: CommandNode) -> None:
    with command_node.sshd.shell() as shell:
        assert command_node.on_node(source=None).check_source(shell, "9.9.9") == ()


def test_what_is_staged_needs_no_source(command_node: CommandNode) -> None:
    stage(command_node)
    (command_node.folder / "releases" / "1.0.0").unlink()
    with command_node.sshd.shell() as shell:
        assert command_node.on_node().check_source(shell, "1.0.0") == ()


def test_a_folder_that_cannot_be_written_is_found_before(command_node: CommandNode) -> None:
    with command_node.sshd.shell() as shell:
        on_node = CommandOnNode(command_node.commands(), base="/proc/jobs", state="/proc/state")
        found = on_node.check(shell)
    assert [verdict.code for verdict in found] == [Code.NODE_PATH_UNUSABLE] * 2
