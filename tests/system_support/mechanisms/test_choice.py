from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from tests.system_support.conftest import LocalShell

from escalator.model.bundle import (
    AnsibleMechanism,
    AptMechanism,
    Artefact,
    CommandMechanism,
    KollaAnsibleMechanism,
    NoMechanism,
    Package,
    PlaybookRun,
    VenvMechanism,
)
from escalator.model.errors import InvalidRequestError
from escalator.system_support.mechanisms import choose_mechanism
from escalator.system_support.mechanisms.ansible import AnsibleOnWorker
from escalator.system_support.mechanisms.apt import AptOnNode
from escalator.system_support.mechanisms.command import CommandOnNode
from escalator.system_support.mechanisms.extras import WithExtras
from escalator.system_support.mechanisms.none import NothingOnNode
from escalator.system_support.mechanisms.venv import VenvOnNode
from escalator.system_support.playbooks.ssh_files import Route
from escalator.system_support.playbooks.worker import WorkerSide
from escalator.system_support.shell import CommandResult
from escalator.system_support.target import SshTarget


def test_the_dataclass_of_the_bundle_chooses() -> None:
    venv = VenvMechanism(venv="/opt/nova/venv", package="nova", service="nova-compute")
    assert isinstance(choose_mechanism(venv), VenvOnNode)
    command = CommandMechanism(version="true", activate="true", service="nova-compute")
    assert isinstance(choose_mechanism(command), CommandOnNode)
    assert isinstance(choose_mechanism(AptMechanism(packages=())), AptOnNode)
    assert isinstance(choose_mechanism(NoMechanism()), NothingOnNode)


def test_what_a_worker_runs_is_given_the_worker() -> None:
    worker = WorkerSide(
        find_route=lambda host: Route(target=SshTarget(host=host, address=host)),
        find_password=str,
        playbooks=Path("/srv/playbooks"),
    )
    run = PlaybookRun(playbook="nova.yml")
    playbooks = AnsibleMechanism(version="true", activate=run, service="nova-compute")
    kolla = KollaAnsibleMechanism(version="true", inventory="/etc/kolla/multinode", service="nova-compute")
    for mechanism in (playbooks, kolla):
        assert isinstance(choose_mechanism(mechanism, worker=worker), AnsibleOnWorker)
        with pytest.raises(InvalidRequestError, match="run by a worker"):
            choose_mechanism(mechanism)


def test_files_of_the_bundle_come_with_any_mechanism() -> None:
    file = Artefact(name="x", source="/x", sha256="0" * 64)
    chosen = choose_mechanism(NoMechanism(), (file,))
    assert isinstance(chosen, WithExtras)
    assert not chosen.brings_software


def test_a_bundle_that_reboots_asks_its_nodes_for_what_that_needs(
    local: LocalShell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chosen = choose_mechanism(NoMechanism(), reboots=True)
    assert not chosen.brings_software
    tool = tmp_path / "id"
    tool.write_text("#!/bin/sh\necho 0\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [v.message for v in chosen.check(local)] == [
        "the command systemctl is not on the PATH of the user"
    ]


def test_the_unit_that_has_to_start_at_boot_is_the_one_of_the_bundle() -> None:
    asked = SimpleNamespace(
        host="n", run_as_root=Mock(return_value=CommandResult(exit_code=0, stdout="", stderr=""))
    )
    apt = AptMechanism(
        packages=(Package(name="nova", version="1", component="nova-compute", service="nova-n"),)
    )
    venv = VenvMechanism(venv="/opt/nova/venv", package="nova", service="nova-v")
    for mechanism, units in (
        (apt, "nova-n"),
        (venv, "nova-v"),
        (NoMechanism(), "nova-compute openstack-nova-compute"),
    ):
        choose_mechanism(mechanism, reboots=True).check(asked)
        assert f"for unit in {units}; do" in asked.run_as_root.call_args.args[0]
