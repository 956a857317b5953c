"""The boot of this machine, by the script that nodes are asked with; what asks for a reboot, in a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.system_support.conftest import LocalShell

from escalator.model.boot import RebootSigns, SystemState
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code
from escalator.system_support.boots import order_reboot, read_boot, write_boot_script
from escalator.system_support.shell import CommandResult, parse_pairs


@dataclass
class Says:
    """A node that prints what a test wants."""

    stdout: str = ""
    exit_code: int = 0
    stderr: str = ""
    host: str = "node-01"
    asked: str = ""

    def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        del timeout_seconds
        self.asked = command
        return CommandResult(exit_code=self.exit_code, stdout=self.stdout, stderr=self.stderr)


def read_signs(local: LocalShell, root: Path) -> RebootSigns:
    script = write_boot_script(signs=True, root=str(root))
    found = read_boot(Says(local.run_as_root(script).stdout), signs=True).signs
    assert found is not None
    return found


def put(root: Path, *names: str) -> None:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")


def test_the_boot_of_this_machine_is_read_whole(local: LocalShell) -> None:
    boot = read_boot(local)
    assert boot.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert 0 < boot.up_seconds <= float(Path("/proc/uptime").read_text().split()[0])
    assert boot.signs is None
    now = datetime.now(UTC)
    assert (now - boot.began(now)).total_seconds() == pytest.approx(boot.up_seconds, abs=1e-3)


def test_nothing_asks_for_a_reboot_where_nothing_is(local: LocalShell, tmp_path: Path) -> None:
    signs = read_signs(local, tmp_path)
    assert (signs.flag, signs.asked_by, signs.kernels) == ("", (), ())
    assert signs.kernel == os.uname().release


@pytest.mark.parametrize("folder", ["run", "var/run"])
def test_packages_ask_by_a_file_and_are_named(local: LocalShell, tmp_path: Path, folder: str) -> None:
    root = tmp_path / "it's a root"
    put(root, f"{folder}/reboot-required")
    assert read_signs(local, root).asked_by == ()
    (root / folder / "reboot-required.pkgs").write_text("linux-image-amd64\nlibc6\nlibc6\n")
    signs = read_signs(local, root)
    assert signs.flag == f"{root}/{folder}/reboot-required"
    assert signs.asked_by == ("libc6", "linux-image-amd64")


def test_kernels_are_those_of_the_boot_folder_and_else_those_with_modules(
    local: LocalShell, tmp_path: Path
) -> None:
    put(tmp_path, "lib/modules/6.1.0-9-amd64/modules.dep", "lib/modules/6.0.0-gone/kernel/left.ko")
    assert read_signs(local, tmp_path).kernels == ("6.1.0-9-amd64",)
    put(tmp_path, "boot/vmlinuz-6.1.0-18-amd64", "boot/vmlinuz-6.1.0-9-amd64", "boot/config-6.2.0-1-amd64")
    assert set(read_signs(local, tmp_path).kernels) == {"6.1.0-9-amd64", "6.1.0-18-amd64"}


@pytest.mark.parametrize("code", [0, 1])
def test_needs_restarting_is_asked_where_it_exists(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    assert read_signs(local, tmp_path).needs_restarting is None
    program = tmp_path / "bin" / "needs-restarting"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n[ "$*" = -r ] || exit 9\necho Reboot is required\nexit {code}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    assert read_signs(local, tmp_path).needs_restarting == code


def test_how_systemd_has_the_system_is_read_in_its_words() -> None:
    text = "boot_id=b\nup=100.5\nbegan=5000\nticks=100\nsystem=degraded\nfailed=a.service b.mount\n"
    boot = read_boot(Says(text))
    assert (boot.up_seconds, boot.system, boot.failed_units) == (
        50.5,
        SystemState.DEGRADED,
        ("a.service", "b.mount"),
    )
    assert read_boot(Says(text.replace("degraded", "odd"))).system is SystemState.UNKNOWN


@pytest.mark.parametrize(
    "text", ["", "boot_id=\nup=1\nbegan=1\nticks=100\n", "boot_id=b\nup=x\nbegan=1\nticks=1\n"]
)
def test_a_node_that_does_not_say_its_boot_is_at_fault(text: str) -> None:
    with pytest.raises(NodeFaultError, match="does not say which boot it is in: no /proc"):
        read_boot(Says(text, stderr="no /proc"))


def test_an_order_is_good_for_one_boot(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    program = tmp_path / "systemctl"
    program.write_text(
        f'#!/bin/sh\necho "$*" >>{log}\n[ "$1" != is-system-running ] || cat {tmp_path}/state\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "state").write_text("running\n")
    order_reboot(local, "another-boot")
    assert not log.exists()
    boot_id = read_boot(local).boot_id
    log.unlink()
    order_reboot(local, boot_id)
    assert log.read_text().splitlines() == ["is-system-running", "reboot"]
    (tmp_path / "state").write_text("stopping\n")
    order_reboot(local, boot_id)
    assert log.read_text().splitlines().count("reboot") == 1


def test_a_node_that_does_not_obey_is_at_fault() -> None:
    with pytest.raises(NodeFaultError, match="systemctl reboot: Access denied") as refused:
        order_reboot(Says(exit_code=1, stderr="Access denied"), "b")
    assert refused.value.code is Code.REBOOT_FAILED


def test_the_script_prints_pairs_only(local: LocalShell) -> None:
    printed = local.run_as_root(write_boot_script(signs=True)).stdout
    assert len(parse_pairs(printed)) == len(printed.splitlines()) == 11
