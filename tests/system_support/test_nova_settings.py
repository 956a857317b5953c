from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from escalator.model.errors import NodeFaultError
from escalator.model.migration_settings import MigrationSettings
from escalator.system_support.nova_settings import SCRIPT, parse_migration_settings, read_migration_settings
from escalator.system_support.shell import CommandResult

CONF = """
[DEFAULT]
transport_url = rabbit://nova:secret@controller
live_migration_permit_post_copy = no, this is another section

[libvirt]
virt_type = kvm
rbd_secret_uuid = secret
  live_migration_permit_auto_converge=True
live_migration_timeout_action = force_complete
#live_migration_permit_post_copy = true
[ libvirtd ]
live_migration_completion_timeout = 3
"""


class OneShell:
    host = "node-01"

    def __init__(self, answer: CommandResult | NodeFaultError) -> None:
        self.answer = answer

    def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        assert command == SCRIPT
        del timeout_seconds
        if isinstance(self.answer, NodeFaultError):
            raise self.answer
        return self.answer


def run(tmp_path: Path, **files: str) -> str:
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".conf").write_text(text)
    script = SCRIPT.replace("/etc/", f"{tmp_path}/")
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout


def test_only_options_of_live_migrations_leave_the_node(tmp_path: Path) -> None:
    text = run(tmp_path, nova__nova=CONF)
    assert "secret" not in text
    assert parse_migration_settings(text) == MigrationSettings(
        auto_converge=True, timeout_action="force_complete"
    )


def test_a_later_file_goes_before_an_earlier_one(tmp_path: Path) -> None:
    later = "[libvirt]\nlive_migration_completion_timeout=60\nlive_migration_inbound_addr = 10.1.0.5\n"
    text = run(tmp_path, **{"nova__nova": CONF, "nova__nova-compute": later})
    found = parse_migration_settings(text)
    assert found is not None
    assert (found.auto_converge, found.completion_timeout, found.inbound_address) == (True, 60, "10.1.0.5")


def test_without_a_file_nothing_is_known(tmp_path: Path) -> None:
    assert parse_migration_settings(run(tmp_path)) is None
    assert parse_migration_settings("file=/etc/nova/nova.conf\n") == MigrationSettings()


@pytest.mark.parametrize(
    "answer", [CommandResult(exit_code=1, stdout="", stderr="no"), NodeFaultError("no sudo")]
)
def test_a_node_that_does_not_tell_is_no_fault(answer: CommandResult | NodeFaultError) -> None:
    assert read_migration_settings(OneShell(answer)) is None


def test_a_node_that_tells() -> None:
    told = CommandResult(exit_code=0, stdout="file=x\nlive_migration_permit_post_copy=true\n", stderr="")
    assert read_migration_settings(OneShell(told)) == MigrationSettings(post_copy=True)
