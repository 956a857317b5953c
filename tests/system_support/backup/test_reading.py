"""What a node gives for its backup: tried on this machine's own tools, and over a real sshd."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.sh import WHOLE, parse
from tests.system_support.conftest import LocalShell, Sshd

from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code
from escalator.system_support.backup import reading
from escalator.system_support.backup.contents import BackupWish
from escalator.system_support.backup.reading import read_node
from escalator.system_support.backup.script import write_backup_script
from escalator.system_support.shell import CommandResult

SECRET = "password=hunter2"


@dataclass(frozen=True, kw_only=True)
class LocalStream(LocalShell):
    """This machine's sh, whose output comes in pieces."""

    path: str = os.environ["PATH"]

    def stream_as_root(
        self, command: str, take: Callable[[bytes], None], timeout_seconds: float | None = None
    ) -> CommandResult:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
            env={"PATH": self.path},
        )
        for at in range(0, len(done.stdout), 1000):
            take(done.stdout[at : at + 1000])
        return CommandResult(exit_code=done.returncode, stdout="", stderr=done.stderr.decode())


def make_program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A node's files below a folder, and tools that tell of them."""
    root, tools = tmp_path / "node", tmp_path / "bin"
    for path, text in {
        "etc/nova/nova.conf": SECRET,
        "etc/nova/with space/x": "x",
        "lib/systemd/system/nova-compute.service": "[Unit]",
        "etc/systemd/system/nova-compute.service.d/own.conf": "[Service]",
        "var/cache/apt/archives/nova-compute_3%3a33.0.2-1_all.deb": "deb",
        "var/cache/apt/archives/nova-compute_3%3a32.0.0-1_all.deb": "older",
        "opt/nova-33/lib/python3.11/site-packages/nova-33.0.2.dist-info/METADATA": "",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "opt/nova").symlink_to("nova-33")
    (root / "etc/neutron").symlink_to("/etc/nova")
    make_program(
        tools,
        "dpkg-query",
        'case "$*" in'
        " *Abbrev*qemu*) ;;"
        " *db:Status*) printf 'package\\tnova-compute\\t3:33.0.2-1\\tall\\tii \\n"
        "package\\tgone\\t1\\tall\\tun \\npackage\\tlocal\\t1.0\\tamd64\\thi \\n' ;;"
        " *binary*) echo nova-compute=3:33.0.2-1; echo local:amd64=1.0 ;;"
        " *deb*) printf 'nova-compute_3:33.0.2-1_all.deb' ;; esac",
    )
    make_program(
        tools,
        "apt-get",
        "echo \"'http://me:word@mirror/pool/nova-compute_33.0.2-1_all.deb'\""
        " nova-compute_3%3a33.0.2-1_all.deb 9 SHA256:abc; echo 'E: no source of local' >&2; exit 100",
    )
    make_program(
        tools,
        "systemctl",
        "echo FragmentPath=/lib/systemd/system/nova-compute.service;"
        " echo DropInPaths=/etc/systemd/system/nova-compute.service.d/own.conf;"
        ' case "$*" in *UnitFileState*) echo UnitFileState=enabled; echo ActiveState=active ;; esac',
    )
    return root


def make_plain_path(folder: Path) -> Path:
    """Make a folder of the programs that a script needs, without those of Debian's packages."""
    place = folder / "plain"
    place.mkdir()
    for name in ("cat", "find", "gzip", "readlink", "sed", "sort", "tail", "tar", "timeout", "tr", "xargs"):
        (place / name).symlink_to(shutil.which(name) or "")
    return place


WISH = BackupWish(
    paths=("/etc/nova", "/etc/not-there", "/etc/neutron/"),
    units=("nova-compute",),
    packages=("nova-compute",),
    link="/opt/nova",
)


def read(node: Path, wish: BackupWish = WISH) -> tuple[reading.NodeGave, dict[str, bytes]]:
    shell, archive = LocalStream(path=f"{node.parent}/bin:{os.environ['PATH']}"), io.BytesIO()
    gave = read_node(shell, wish, archive.write, root=str(node))
    archive.seek(0)
    with tarfile.open(fileobj=archive, mode="r:gz") as found:
        files = {m.name: f.read() for m in found if (f := found.extractfile(m) if m.isreg() else None)}
    return gave, files


def test_configuration_units_and_the_packages_in_use_are_in_the_archive(node: Path) -> None:
    gave, files = read(node)
    assert files == {
        "etc/nova/nova.conf": SECRET.encode(),
        "etc/nova/with space/x": b"x",
        "lib/systemd/system/nova-compute.service": b"[Unit]",
        "etc/systemd/system/nova-compute.service.d/own.conf": b"[Service]",
        "var/cache/apt/archives/nova-compute_3%3a33.0.2-1_all.deb": b"deb",
    }
    assert gave.warnings == ()


def test_what_it_tells_names_each_package_and_where_it_came_from_without_a_password(node: Path) -> None:
    told = read(node)[0].told
    nova, local = sorted(told.packages, key=lambda package: package.name, reverse=True)
    assert (nova.version, nova.sha256) == ("3:33.0.2-1", "abc")
    assert nova.source == "http://mirror/pool/nova-compute_33.0.2-1_all.deb"
    assert (local.status, local.source, local.sha256) == ("hi", None, None)
    assert told.units["nova-compute"] == {
        "unit": "/lib/systemd/system/nova-compute.service",
        "drop_ins": "/etc/systemd/system/nova-compute.service.d/own.conf",
        "enabled": "enabled",
        "active": "active",
    }
    assert (told.links, told.python) == ({"/opt/nova": "nova-33"}, ("nova-33.0.2",))
    assert told.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert SECRET not in repr(told)


def test_nothing_is_written_on_the_node(node: Path) -> None:
    before = {path: path.lstat().st_mtime_ns for path in node.rglob("*")}
    read(node)
    assert {path: path.lstat().st_mtime_ns for path in node.rglob("*")} == before


def test_a_node_with_nothing_of_it_gives_an_empty_archive(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "node").mkdir()
    assert read(tmp_path / "node", BackupWish(paths=("/etc/nova",)))[1] == {}


def test_a_node_without_tar_is_at_fault_and_says_so(node: Path) -> None:
    make_program(node.parent / "bin", "tar", "echo 'tar: it hurts' >&2; exit 2")
    with pytest.raises(NodeFaultError, match="tar ended with exit code 2: tar: it hurts") as fault:
        read(node)
    assert fault.value.code is Code.BACKUP_FAILED


def test_a_file_that_changed_meanwhile_is_told(node: Path) -> None:
    make_program(
        node.parent / "bin",
        "tar",
        'PATH=/usr/bin:/bin; tar "$@"; echo "tar: a: file changed as we read it" >&2; exit 1',
    )
    assert read(node)[0].warnings == ("tar: a: file changed as we read it",)


def test_an_archive_without_end_is_given_up(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 100)
    with pytest.raises(NodeFaultError, match="more than 0 MiB"):
        read(node)


def test_sh_can_read_the_script_whatever_is_wished() -> None:
    for wish in (WISH, BackupWish(), BackupWish(paths=("/etc/it's",), units=("a b",), link="/opt/$x")):
        assert parse(write_backup_script(wish, "0123")) == WHOLE


def test_rpm_and_dnf_tell_it_in_the_same_words(node: Path) -> None:
    tools, named = node.parent / "bin", "nova-compute-29.0.1-1.el9s.noarch"
    (tools / "dpkg-query").unlink()
    make_program(
        tools,
        "rpm",
        f'case "$*" in "-q "*) echo {named} ;;'
        " *package*) printf 'package\\tnova-compute\\t1:29.0.1-1.el9s\\tnoarch\\tii\\n' ;; esac",
    )
    make_program(tools, "dnf", f"echo https://me:word@mirror/Packages/{named}.rpm")
    cached = node / f"var/cache/dnf/repo-1/packages/{named}.rpm"
    cached.parent.mkdir(parents=True)
    cached.write_text("rpm")
    shell_path = f"{tools}:{make_plain_path(node.parent)}"
    archive = io.BytesIO()
    gave = read_node(LocalStream(path=shell_path), WISH, archive.write, root=str(node))
    (package,) = gave.told.packages
    assert (package.version, package.source) == ("1:29.0.1-1.el9s", f"https://mirror/Packages/{named}.rpm")
    archive.seek(0)
    with tarfile.open(fileobj=archive, mode="r:gz") as found:
        assert f"var/cache/dnf/repo-1/packages/{named}.rpm" in found.getnames()


def test_bytes_come_over_ssh_as_they_are(sshd: Sshd, tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/random").write_bytes(content)
    archive = io.BytesIO()
    with sshd.shell() as shell:
        read_node(shell, BackupWish(paths=("/etc/random",)), archive.write, root=str(tmp_path))
    archive.seek(0)
    with tarfile.open(fileobj=archive, mode="r:gz") as found:
        file = found.extractfile("etc/random")
        assert file is not None
        assert file.read() == content
