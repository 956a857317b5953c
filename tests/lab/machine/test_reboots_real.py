"""The reboot of a node by the step upgrade, on a real machine: systemd, sshd, a boot id of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.lab.machine.machines import out, running
from tests.steps.fake_records import START, Clock, KilledError
from tests.steps.worlds import BUNDLE, NODE, QuickLedger, World

from escalator.lab.machine.machine import Machine
from escalator.lab.machine.machine_files import MachineFiles
from escalator.lab.machine.store import MachineStore
from escalator.lab.processes import wait_until
from escalator.lab.progress import Progress
from escalator.lab.settings import LabSettings
from escalator.model.boot import Boot, SystemState
from escalator.model.bundle import Impact, NoMechanism, RebootPolicy
from escalator.model.campaign import Step
from escalator.model.inventory_settings import PowerCommands
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.running.context import CampaignContext
from escalator.system_support.boots import order_reboot, read_boot
from escalator.system_support.power import CommandPower
from escalator.system_support.programs import Ended
from escalator.system_support.ssh import NodeShell
from escalator.system_support.target import SshTarget
from escalator.upgrade_manager.state.boots import find_reboot_reasons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from escalator.model.campaign import CampaignPlan

pytestmark = pytest.mark.lab

PACE = 20.0
"""How many times faster than ours the time of the steps goes by: their limits are minutes."""
REBOOTS = replace(
    BUNDLE,
    mechanism=NoMechanism(),
    impact=Impact.REBOOT,
    reboot=RebootPolicy.ALWAYS,
    reboot_limit_seconds=1200.0,
    hooks={"pre": ("true",)},  # so that a boot of a moment ago does not count
)


@dataclass
class FastClock(Clock):
    """The time, which goes on by itself."""

    began: float = field(default_factory=time.monotonic)

    def __call__(self) -> datetime:
        return START + timedelta(seconds=PACE * (time.monotonic() - self.began))

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / PACE)
        self.now = self()


@dataclass
class RealNode(World):
    """A world whose first node is a machine."""

    shell: NodeShell | None = None
    kill_after: float | None = None

    def context(self, plan: CampaignPlan | None = None) -> CampaignContext:
        found = super().context(plan)
        return replace(found, connect=cast("Any", self.reach), sleep=self.pass_time)

    def reach(self, host: str) -> Any:
        return self.shell if host == NODE and self.shell is not None else self.connect(host)

    def pass_time(self, seconds: float) -> None:
        """Sleep, and be killed there when a test wants it."""
        self.clock.sleep(seconds)
        if self.kill_after is not None and self.facts().reboot is not None:
            time.sleep(self.kill_after)
            self.kill_after = None
            raise KilledError


@dataclass(frozen=True)
class SwitchedOn:
    """A management board: whatever it is told, the machine has power afterwards."""

    machine: Machine

    def __call__(self, _command: str) -> Ended:
        self.machine.ensure_cut()
        self.machine.ensure_on()
        return Ended(0, "")


@pytest.fixture(scope="module")
def store() -> MachineStore:
    return MachineStore(settings=LabSettings(), progress=Progress())


@pytest.fixture(scope="module")
def machine(store: MachineStore) -> Iterator[Machine]:
    name = "boot-01"
    files = MachineFiles(
        name=name,
        address="127.0.202.1",
        ssh_port=22,
        authorized_key=store.settings.ssh_key.with_suffix(".pub").read_text(),
    )
    folder = store.folder / "boots" / name
    with running(Machine(files=files, folder=folder, layers=store.ensure_base(), binds={}, shown={})) as on:
        yield on


@pytest.fixture
def shell(store: MachineStore, machine: Machine) -> NodeShell:
    machine.ensure_on()
    known = machine.folder / "known_hosts"
    known.write_text(machine.files.known_host(machine.upper))
    target = SshTarget(
        host=NODE,
        address=machine.files.address,
        port=machine.files.ssh_port,
        key_file=store.settings.ssh_key,
        known_hosts=known,
        connect_timeout_seconds=5.0,
    )
    return NodeShell(target)


@pytest.fixture
def empty(shell: NodeShell, tmp_path: Path) -> RealNode:
    """A world whose first node is leased and empty, and a machine."""
    world = RealNode(
        ledger=QuickLedger.at(tmp_path / "ledger.db"), clock=FastClock(), bundle=REBOOTS, shell=shell
    )
    world.run_up_to(Step.MIGRATE)
    return world


def look(shell: NodeShell, *, signs: bool = False) -> Boot:
    with shell as node:
        return read_boot(node, signs=signs)


def count_boots(store: MachineStore, machine: Machine) -> int:
    return len(out(store, machine, "journalctl --list-boots --no-pager").splitlines())


def test_the_script_reads_a_boot_of_the_machines_own_and_what_asks_for_a_reboot(
    store: MachineStore, machine: Machine, shell: NodeShell
) -> None:
    assert wait_until(lambda: not look(shell).system.is_coming_up, timeout_seconds=120)
    boot = look(shell, signs=True)
    assert boot.system is SystemState.RUNNING
    assert 0 < boot.up_seconds < 300  # not since this computer began
    assert boot.signs is not None
    assert find_reboot_reasons(boot.signs) == ()
    kernel = out(store, machine, "uname -r")
    put = "touch /run/reboot-required; echo libc6 >/run/reboot-required.pkgs"
    out(store, machine, f"{put}; touch /boot/vmlinuz-99{kernel}; systemd-run --unit=broken false")
    assert wait_until(lambda: look(shell).system is SystemState.DEGRADED, timeout_seconds=60)
    boot = look(shell, signs=True)
    assert boot.failed_units == ("broken.service",)
    assert boot.signs is not None
    assert find_reboot_reasons(boot.signs) == (
        "/run/reboot-required is there (libc6)",
        f"it runs the kernel {kernel}, and 99{kernel} is installed",
    )
    with shell as node:
        order_reboot(node, "another-boot")
    assert look(shell).boot_id == boot.boot_id
    out(store, machine, f"rm /boot/vmlinuz-99{kernel}")


def test_the_step_reboots_the_machine_and_believes_its_new_boot_only(
    store: MachineStore, machine: Machine, shell: NodeShell, empty: RealNode
) -> None:
    before, boots = look(shell).boot_id, count_boots(store, machine)
    result = empty.run(Step.UPGRADE)
    assert result.outcome is Outcome.OK, result.message
    details = cast("dict[str, Any]", result.details["reboot"])
    assert (details["boot_before"], details["boot"]) == (before, look(shell).boot_id)
    assert before != details["boot"]
    assert (details["system"], details["failed_units"]) == ("running", [])
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    assert count_boots(store, machine) == boots + 1


@pytest.mark.parametrize("seconds", [0.0, 0.5, 4.0])
def test_killed_in_between_it_is_not_rebooted_twice(
    store: MachineStore, machine: Machine, empty: RealNode, seconds: float
) -> None:
    boots = count_boots(store, machine)
    empty.kill_after = seconds
    with pytest.raises(KilledError):
        empty.run(Step.UPGRADE)
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    assert count_boots(store, machine) == boots + 1


def test_a_machine_that_does_not_come_back_is_failed_and_goes_on_when_a_person_switches_it_on(
    store: MachineStore, machine: Machine, empty: RealNode
) -> None:
    boots = count_boots(store, machine)
    empty.bundle = replace(REBOOTS, reboot_limit_seconds=240.0)
    machine.order_stay_off()
    result = empty.run(Step.UPGRADE)
    assert (result.outcome, result.code) == (Outcome.FAILED, Code.REBOOT_OVERDUE)
    assert f"{NODE} did not come back from its reboot: ordered at 2026-" in result.message
    assert ", its last answer; given up after 4 min" in result.message
    assert wait_until(lambda: not machine.is_on, timeout_seconds=60)  # it may take its time to shut down
    machine.ensure_on()
    assert empty.run(Step.UPGRADE).outcome is Outcome.OK
    assert count_boots(store, machine) == boots + 1


def test_a_machine_that_does_not_come_back_gets_its_power_by_the_operators_command(
    store: MachineStore, machine: Machine, empty: RealNode
) -> None:
    boots = count_boots(store, machine)
    empty.bundle = replace(REBOOTS, reboot_limit_seconds=240.0)
    empty.power = CommandPower(NODE, PowerCommands(cycle="power cycle"), SwitchedOn(machine))
    machine.order_stay_off()
    result = empty.run(Step.UPGRADE)
    assert result.outcome is Outcome.OK, result.message
    assert ", when its power was switched from outside at " in result.message
    assert count_boots(store, machine) == boots + 1
