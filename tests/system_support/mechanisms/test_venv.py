"""The venv mechanism over a real sshd: demo package, tiny systemctl, faults injected."""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.system_support.mechanisms.conftest import make_wheel
from tests.system_support.mechanisms.jobs import make_job

from escalator.model.bundle import VenvMechanism
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code
from escalator.system_support.mechanisms import Effect, InstalledVersion, JobFailedError, UnitState
from escalator.system_support.mechanisms.venv import VenvOnNode
from escalator.system_support.mechanisms.venv_scripts import DURABLE, MARKER
from escalator.system_support.remote_job import JobState
from escalator.system_support.shell import CommandResult

if TYPE_CHECKING:
    from tests.system_support.mechanisms.conftest import VenvNode


MECHANISM = VenvMechanism(venv="/opt/nova/venv", package="nova", service="nova-compute", installer="uv")


@dataclass(frozen=True)
class SaysShell:
    """A node that has one answer, or one error, to everything."""

    answer: CommandResult | NodeFaultError
    host: str = "node-01"

    def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        del command, timeout_seconds
        if isinstance(self.answer, NodeFaultError):
            raise self.answer
        return self.answer


def ensure(node: VenvNode, step: str, version: str, mechanism: VenvMechanism | None = None) -> Effect:
    on_node = VenvOnNode(mechanism or node.mechanism, base=node.jobs)
    work = {"staged": on_node.stage, "activated": on_node.activate}[step]
    return work(make_job(node.sshd.shell, step, version))


def read(node: VenvNode) -> InstalledVersion:
    with node.sshd.shell() as shell:
        return node.on_node.installed(shell)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


def bring(node: VenvNode, version: str) -> tuple[Effect, Effect]:
    return ensure(node, "staged", version), ensure(node, "activated", version)


def test_a_version_is_staged_once_and_the_service_is_not_touched(venv_node: VenvNode) -> None:
    assert ensure(venv_node, "staged", "1.0.0") is Effect.STAGED
    made = (venv_node.environment("1.0.0") / MARKER).stat().st_mtime_ns
    assert ensure(venv_node, "staged", "1.0.0") is Effect.ALREADY_STAGED
    assert (venv_node.environment("1.0.0") / MARKER).stat().st_mtime_ns == made
    assert venv_node.restarts() == 0
    assert not venv_node.link.exists()


def test_pip_stages_too(venv_node: VenvNode) -> None:
    mechanism = replace(venv_node.mechanism, installer="pip", python=sys.executable)
    assert ensure(venv_node, "staged", "1.0.0", mechanism) is Effect.STAGED
    assert (venv_node.environment("1.0.0") / "bin" / "pip").exists()


def test_the_life_of_an_upgrade_and_the_way_back(venv_node: VenvNode) -> None:
    assert bring(venv_node, "1.0.0") == (Effect.STAGED, Effect.ACTIVATED)
    first = read(venv_node)
    assert (first.version, first.running, first.previous, first.active) == ("1.0.0", "1.0.0", None, True)
    assert ensure(venv_node, "staged", "2.0.0") is Effect.STAGED
    assert read(venv_node) == first
    assert ensure(venv_node, "activated", "2.0.0") is Effect.ACTIVATED
    second = read(venv_node)
    assert (second.version, second.running) == ("2.0.0", "2.0.0")
    assert second.previous == str(venv_node.environment("1.0.0"))
    assert second.main_pid != first.main_pid
    assert bring(venv_node, "1.0.0") == (Effect.ALREADY_STAGED, Effect.ACTIVATED)
    assert read(venv_node).running == "1.0.0"


def test_a_run_cut_off_between_switch_and_restart_is_completed(venv_node: VenvNode) -> None:
    bring(venv_node, "1.0.0")
    ensure(venv_node, "staged", "2.0.0")
    venv_node.link.unlink()
    venv_node.link.symlink_to(venv_node.environment("2.0.0"))
    assert read(venv_node).running == "1.0.0"
    assert ensure(venv_node, "activated", "2.0.0") is Effect.ACTIVATED
    assert read(venv_node).running == "2.0.0"


def test_a_service_that_died_after_the_switch_is_started(venv_node: VenvNode) -> None:
    bring(venv_node, "1.0.0")
    venv_node.end()
    assert not read(venv_node).active
    assert ensure(venv_node, "activated", "1.0.0") is Effect.ACTIVATED
    assert read(venv_node).active


def test_a_service_that_runs_the_version_already_is_not_restarted(venv_node: VenvNode) -> None:
    bring(venv_node, "1.0.0")
    Path(f"{venv_node.link}.switched").unlink()
    assert ensure(venv_node, "activated", "1.0.0") is Effect.ALREADY_ACTIVE
    assert venv_node.restarts() == 1


def test_where_the_version_cannot_be_seen_the_switch_and_the_start_are_compared(venv_node: VenvNode) -> None:
    venv_node.hide_version()
    bring(venv_node, "1.0.0")
    os.utime(venv_node.link, (2**31, 2**31), follow_symlinks=False)
    assert read(venv_node).running == "1.0.0"
    assert ensure(venv_node, "activated", "1.0.0") is Effect.ALREADY_ACTIVE
    record = Path(f"{venv_node.link}.switched")
    boot, ticks, target = record.read_text().split(" ", 2)
    record.write_text(f"{boot} {int(ticks) + 10**6} {target}")
    assert read(venv_node).running is None
    assert ensure(venv_node, "activated", "1.0.0") is Effect.ACTIVATED
    assert venv_node.restarts() == 2


def test_after_a_reboot_the_service_is_known_to_be_new(venv_node: VenvNode) -> None:
    venv_node.hide_version()
    bring(venv_node, "1.0.0")
    record = Path(f"{venv_node.link}.switched")
    _, _, target = record.read_text().split(" ", 2)
    record.write_text(f"another-boot {10**9} {target}")
    assert ensure(venv_node, "activated", "1.0.0") is Effect.ALREADY_ACTIVE


def test_an_unfinished_environment_is_made_again(venv_node: VenvNode) -> None:
    rest = venv_node.environment("1.0.0") / "lib"
    rest.mkdir(parents=True)
    (rest / "half").touch()
    assert ensure(venv_node, "staged", "1.0.0") is Effect.STAGED
    assert not (rest / "half").exists()


def test_an_environment_that_may_not_have_reached_the_disk_before_a_power_loss_is_made_again(
    venv_node: VenvNode,
) -> None:
    ensure(venv_node, "staged", "1.0.0")
    environment = venv_node.environment("1.0.0")
    wait_for(environment / DURABLE)
    (environment / MARKER).write_text("another-boot\n")
    assert ensure(venv_node, "staged", "1.0.0") is Effect.ALREADY_STAGED
    (environment / DURABLE).unlink()
    with pytest.raises(JobFailedError, match="not staged"):
        ensure(venv_node, "activated", "1.0.0")
    assert ensure(venv_node, "staged", "1.0.0") is Effect.STAGED


def test_an_environment_in_use_without_a_marker_is_adopted_not_removed(venv_node: VenvNode) -> None:
    bring(venv_node, "1.0.0")
    (venv_node.environment("1.0.0") / MARKER).unlink()
    (venv_node.environment("1.0.0") / "mine").touch()
    assert ensure(venv_node, "staged", "1.0.0") is Effect.STAGED
    assert (venv_node.environment("1.0.0") / "mine").exists()


def test_an_environment_that_only_the_service_still_uses_is_not_removed(venv_node: VenvNode) -> None:
    bring(venv_node, "1.0.0")
    (venv_node.environment("1.0.0") / MARKER).unlink()
    (venv_node.environment("1.0.0") / "mine").touch()
    venv_node.link.unlink()
    assert ensure(venv_node, "staged", "1.0.0") is Effect.STAGED
    assert (venv_node.environment("1.0.0") / "mine").exists()


def test_an_environment_in_use_with_another_version_is_refused(venv_node: VenvNode) -> None:
    bring(venv_node, "1.0.0")
    shutil.move(venv_node.environment("1.0.0"), venv_node.environment("2.0.0"))
    venv_node.link.unlink()
    venv_node.link.symlink_to(venv_node.environment("2.0.0"))
    with pytest.raises(JobFailedError, match="is in use"):
        ensure(venv_node, "staged", "2.0.0")
    assert venv_node.environment("2.0.0").exists()


def test_a_version_that_does_not_exist_fails_with_the_installers_words(venv_node: VenvNode) -> None:
    with pytest.raises(JobFailedError, match="cannot be staged") as caught:
        ensure(venv_node, "staged", "9.9.9")
    assert caught.value.status.state is JobState.EXITED
    assert "9.9.9" in caught.value.status.output
    assert "/log" in str(caught.value.remedy)
    assert not venv_node.environment("9.9.9").exists()


def test_what_is_not_staged_is_not_activated(venv_node: VenvNode) -> None:
    with pytest.raises(JobFailedError, match="not staged"):
        ensure(venv_node, "activated", "1.0.0")
    assert not venv_node.link.is_symlink()


def test_a_folder_in_place_of_the_link_is_left_alone(venv_node: VenvNode) -> None:
    venv_node.link.mkdir()
    ensure(venv_node, "staged", "1.0.0")
    with pytest.raises(JobFailedError, match="not a symbolic link"):
        ensure(venv_node, "activated", "1.0.0")
    assert venv_node.link.is_dir()
    assert not venv_node.link.is_symlink()


def test_a_service_that_does_not_start_is_the_nodes_fault_and_mends(venv_node: VenvNode) -> None:
    ensure(venv_node, "staged", "1.0.0")
    venv_node.break_service()
    with pytest.raises(NodeFaultError, match="does not start"):
        ensure(venv_node, "activated", "1.0.0")
    (venv_node.folder / "unit.broken").unlink()
    assert ensure(venv_node, "activated", "1.0.0") is Effect.ACTIVATED


def test_a_node_with_nothing_installed_is_read_as_that(venv_node: VenvNode) -> None:
    assert read(venv_node) == InstalledVersion(
        package="demo-agent",
        place=str(venv_node.link),
        target=str(venv_node.link),
        version=None,
        running=None,
        previous=None,
        main_pid=None,
        active=False,
    )


def test_the_state_of_the_service_is_what_systemd_prints(venv_node: VenvNode) -> None:
    bring(venv_node, "1.0.0")
    with venv_node.sshd.shell() as shell:
        assert venv_node.on_node.service_state(shell) is UnitState.ACTIVE
        venv_node.end()
        assert venv_node.on_node.service_state(shell) is UnitState.INACTIVE


@pytest.mark.parametrize(
    ("printed", "state"), [("", None), ("unknown\n", None), ("failed\n", UnitState.FAILED)]
)
def test_no_exit_code_decides_about_the_service(printed: str, state: UnitState | None) -> None:
    for code in (0, 3, 4, 127):
        shell = SaysShell(
            CommandResult(exit_code=code, stdout=printed, stderr="sudo: unable to resolve host")
        )
        assert VenvOnNode(MECHANISM).service_state(shell) is state


def test_all_blockers_are_found_at_once(venv_node: VenvNode) -> None:
    venv_node.link.mkdir()
    mechanism = replace(venv_node.mechanism, installer="pip", python="no-such-python")
    with venv_node.sshd.shell() as shell:
        found = VenvOnNode(mechanism, base="/proc/jobs").check(shell)
    codes = [verdict.code for verdict in found]
    assert codes == [
        Code.NODE_PATH_UNUSABLE,
        Code.NODE_PATH_UNUSABLE,
        Code.NODE_TOOL_MISSING,
        Code.NODE_TOOL_MISSING,
    ]
    assert all(verdict.blocks and verdict.remedy and verdict.subject.id == "node-01" for verdict in found)


def test_a_user_without_sudo_is_one_blocker() -> None:
    found = VenvOnNode(MECHANISM).check(SaysShell(NodeFaultError("sudo: no", code=Code.NODE_NO_PRIVILEGE)))
    assert [verdict.code for verdict in found] == [Code.NODE_NO_PRIVILEGE]
    assert "sudo: no" in found[0].message


def test_what_does_not_load_is_not_staged_and_leaves_nothing(venv_node: VenvNode) -> None:
    module = "import something_that_is_not_there\n"
    make_wheel(venv_node.sshd.home / "wheels", "3.0.0", module=module)
    with pytest.raises(JobFailedError, match="is not whole: ModuleNotFoundError: No module named"):
        ensure(venv_node, "staged", "3.0.0")
    assert not venv_node.environment("3.0.0").exists()


def test_an_environment_that_lost_a_file_is_made_again_and_not_activated_before(venv_node: VenvNode) -> None:
    ensure(venv_node, "staged", "1.0.0")
    (module,) = venv_node.environment("1.0.0").glob("lib/python*/site-packages/demo_agent.py")
    module.unlink()
    with pytest.raises(JobFailedError, match="not as it was"):
        ensure(venv_node, "activated", "1.0.0")
    assert ensure(venv_node, "staged", "1.0.0") is Effect.STAGED
    assert module.exists()
    assert ensure(venv_node, "activated", "1.0.0") is Effect.ACTIVATED


def test_an_environment_with_a_changed_file_is_made_again(venv_node: VenvNode) -> None:
    ensure(venv_node, "staged", "1.0.0")
    (module,) = venv_node.environment("1.0.0").glob("lib/python*/site-packages/demo_agent.py")
    text = module.read_text()
    module.unlink()  # it may be a link into the installer's cache
    module.write_text(text.replace("1.0.0", "1.0.1"))
    assert ensure(venv_node, "staged", "1.0.0") is Effect.STAGED
    assert module.read_text() == text


def test_what_python_compiles_later_changes_nothing(venv_node: VenvNode) -> None:
    bring(venv_node, "1.0.0")
    cache = next(venv_node.environment("1.0.0").glob("lib/python*/site-packages")) / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "later.cpython-311.pyc").touch()
    assert bring(venv_node, "1.0.0") == (Effect.ALREADY_STAGED, Effect.ALREADY_ACTIVE)


def test_pip_is_asked_for_a_version_too_and_leaves_nothing(venv_node: VenvNode) -> None:
    mechanism = replace(venv_node.mechanism, installer="pip", python=sys.executable)
    on_node = VenvOnNode(mechanism, base=venv_node.jobs)
    with venv_node.sshd.shell() as shell:
        assert on_node.check_source(shell, "1.0.0") == ()
        (verdict,) = on_node.check_source(shell, "9.9.9")
    assert "9.9.9" in verdict.message
    assert list(venv_node.link.parent.glob("venv-*")) == []


def test_a_staged_version_needs_no_source(venv_node: VenvNode) -> None:
    ensure(venv_node, "staged", "1.0.0")
    (venv_node.sshd.home / "wheels" / "demo_agent-1.0.0-py3-none-any.whl").unlink()
    with venv_node.sshd.shell() as shell:
        assert venv_node.on_node.check_source(shell, "1.0.0") == ()
