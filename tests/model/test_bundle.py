from dataclasses import replace
from typing import get_args

import pytest
from tests.builders import BUNDLE

from escalator.model.bundle import (
    AnsibleMechanism,
    AptMechanism,
    Bundle,
    CommandMechanism,
    Component,
    DnfMechanism,
    Impact,
    KollaAnsibleMechanism,
    Mechanism,
    MechanismType,
    NoMechanism,
    Package,
    PlaybookRun,
    RebootPolicy,
    VenvMechanism,
)

COMMANDS = CommandMechanism(version="v", activate="a", service="nova-compute")
PLAYBOOKS = AnsibleMechanism(version="v", activate=PlaybookRun(playbook="a.yml"), service="nova-compute")
KOLLA = KollaAnsibleMechanism(version="v", inventory="/etc/kolla/multinode", service="nova-compute")


def test_the_target_of_a_bundle() -> None:
    bundle = Bundle(
        name="b",
        components=(Component(name="qemu", to="9.0"), Component(name="nova-compute", to="34.0.0")),
        mechanism=NoMechanism(),
    )
    assert bundle.target_version() == "34.0.0"
    assert bundle.target_version("qemu") == "9.0"
    assert bundle.target_version("libvirt") is None


@pytest.mark.parametrize("impact", Impact)
def test_members_stay_only_while_no_guest_is_touched(impact: Impact) -> None:
    bundle = Bundle(name="b", components=(), mechanism=BUNDLE.mechanism, impact=impact)
    assert bundle.members_stay == (impact is Impact.CONTROL)


def test_where_the_machine_may_restart_no_guest_runs_on_and_no_member_simply_stays() -> None:
    for reboot in RebootPolicy:
        bundle = Bundle(name="b", components=(), mechanism=BUNDLE.mechanism, reboot=reboot)
        assert bundle.restarts_machine == (reboot is not RebootPolicy.NEVER)
        assert bundle.members_stay == (reboot is RebootPolicy.NEVER)
    assert Bundle(name="b", components=(), mechanism=BUNDLE.mechanism, impact=Impact.REBOOT).restarts_machine


def test_a_mechanism_knows_its_type() -> None:
    venv = VenvMechanism(venv="/opt/nova/venv", package="nova", service="nova-compute")
    assert (venv.type, NoMechanism().type) == (MechanismType.VENV, MechanismType.NONE)
    assert COMMANDS.type is MechanismType.COMMAND
    assert AptMechanism(packages=()).type is MechanismType.APT
    assert PLAYBOOKS.type is MechanismType.ANSIBLE
    assert KOLLA.type is MechanismType.KOLLA_ANSIBLE
    assert {kind.type for kind in get_args(Mechanism)} == {
        MechanismType.VENV,
        MechanismType.COMMAND,
        MechanismType.APT,
        MechanismType.DNF,
        MechanismType.ANSIBLE,
        MechanismType.KOLLA_ANSIBLE,
        MechanismType.NONE,
    }


def test_the_package_of_nova_compute() -> None:
    nova = Package(name="nova-compute-kvm", version="3:34.0.0-1", component="nova-compute")
    qemu = Package(name="qemu-system-x86", version="1:10.0-1", component="qemu")
    assert AptMechanism(packages=(qemu, nova)).compute is nova


def test_the_longest_limit_of_its_own_commands() -> None:
    assert Bundle(name="b", components=(), mechanism=COMMANDS).command_limit_seconds == 900.0
    slow = replace(COMMANDS, restore_seconds=5000.0)
    assert Bundle(name="b", components=(), mechanism=slow).command_limit_seconds == 5000.0
    assert Bundle(name="b", components=(), mechanism=PLAYBOOKS).command_limit_seconds == 900.0
    assert Bundle(name="b", components=(), mechanism=KOLLA).command_limit_seconds == 1800.0
    assert Bundle(name="b", components=(), mechanism=NoMechanism()).command_limit_seconds == 0.0


def test_what_its_mechanism_waits_for_others() -> None:
    assert Bundle(name="b", components=(), mechanism=AptMechanism(packages=())).lock_seconds == 600.0
    assert Bundle(name="b", components=(), mechanism=DnfMechanism(packages=())).lock_seconds == 600.0
    assert Bundle(name="b", components=(), mechanism=COMMANDS).lock_seconds == 0.0


def test_hooks_without_a_command_are_none() -> None:
    hooks: dict[str, tuple[str, ...]] = {"pre": (), "post": ()}
    assert not Bundle(name="b", components=(), mechanism=NoMechanism(), hooks=hooks).has_hooks
    hooks["post"] = ("true",)
    assert Bundle(name="b", components=(), mechanism=NoMechanism(), hooks=hooks).has_hooks
