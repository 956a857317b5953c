"""A node is put back from its backup: over a real sshd, from an archive that is made here."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.builders import NOW
from tests.system_support.mechanisms.apt_packages import CONFFILE
from tests.system_support.mechanisms.jobs import make_job
from tests.system_support.mechanisms.saved_node import Saved

from escalator.backups.files import LocalFiles
from escalator.backups.keeper import BackupKeeper, BackupOf
from escalator.backups.saved import SavedBackup
from escalator.backups.store import BackupStore
from escalator.model.bundle import (
    AnsibleMechanism,
    Bundle,
    CommandMechanism,
    Component,
    Mechanism,
    NoMechanism,
    PlaybookRun,
)
from escalator.model.errors import EscalatorError, InvalidRequestError, NodeFaultError, TransientError
from escalator.model.verdict import Code
from escalator.system_support.backup.contents import make_wish
from escalator.system_support.mechanisms import Effect, JobFailedError, Restoring, make_restoring
from escalator.system_support.mechanisms.restore_plan import PackageBack, find_packages
from escalator.system_support.mechanisms.restoring import UNKNOWN

if TYPE_CHECKING:
    from tests.system_support.mechanisms.apt_node import AptNode
    from tests.system_support.mechanisms.command_node import CommandNode
    from tests.system_support.mechanisms.conftest import VenvNode

CONF = b"[DEFAULT]\nhost = node-01\n"
QEMU = "qemu_1%3a7_amd64.deb"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "the root"
    (folder / "etc/nova").mkdir(parents=True)
    (folder / "etc/nova/nova.conf").write_bytes(b"broken\n")
    return folder


@pytest.fixture
def restoring(venv_node: VenvNode, root: Path, tmp_path: Path) -> Restoring:
    """A node that had 1.0.0 as its backup was taken, and was upgraded to 2.0.0 since."""
    for version in ("1.0.0", "2.0.0"):
        job = make_job(venv_node.sshd.shell, "bring", version)
        venv_node.on_node.stage(job)
        venv_node.on_node.activate(job)
    big = bytes(i * 37 % 251 for i in range(100_000))
    saved = Saved(
        files={"/etc/nova/nova.conf": CONF, "/etc/nova/big": big, "/var/cache/apt/archives/x.deb": b"x"},
        links={str(venv_node.link): str(venv_node.environment("1.0.0"))},
    )
    return Restoring(
        forward=venv_node.on_node,
        saved=saved,
        service="demo",
        token="run-1",
        link=str(venv_node.link),
        base=venv_node.jobs,
        state=str(tmp_path / "restore state"),
        root=str(root),
    )


def read(restoring: Restoring, venv_node: VenvNode) -> tuple[str | None, tuple[str, ...]]:
    with venv_node.sshd.shell() as shell:
        found = restoring.installed(shell)
    assert found is not None
    return found.running, found.find_behind((Component(name="nova-compute", to="1.0.0"),))


def rooted(restoring: Restoring) -> Restoring:
    """The link of the test lies where it is, not below the root: one restore for each."""
    return replace(restoring, root="")


def test_configuration_comes_back_and_twice_changes_nothing(
    restoring: Restoring, venv_node: VenvNode, root: Path
) -> None:
    restoring = replace(restoring, link="")
    job = make_job(venv_node.sshd.shell, "restore", "1.0.0")
    with venv_node.sshd.shell() as shell:
        assert restoring.check(shell) == ()
        (told,) = restoring.check_source(shell, "1.0.0")
    assert (told.code, told.blocks) == (Code.RESTORE_LOSES, False)
    assert told.message == (
        "backup node-01-abc of 2026-11-29T01:00:00Z: 2 file(s); "
        "changed since, and lost: /etc/nova/big, /etc/nova/nova.conf"
    )
    assert read(restoring, venv_node)[1] == ("backup node-01-abc not put back",)
    restarts = venv_node.restarts()
    assert restoring.stage(job) is Effect.STAGED
    assert (root / "etc/nova/nova.conf").read_bytes() == b"broken\n"
    assert restoring.activate(job) is Effect.ACTIVATED
    conf = root / "etc/nova/nova.conf"
    assert (conf.read_bytes(), conf.stat().st_mode & 0o777) == (CONF, 0o640)
    assert len((root / "etc/nova/big").read_bytes()) == 100_000
    assert not (root / "var").exists()
    assert sorted(file.name for file in Path(restoring.folder).iterdir()) == ["done", "lock"]
    restoring.stage(job)  # as the next attempt of a step that was killed does
    assert restoring.activate(job) is Effect.ALREADY_ACTIVE
    assert sorted(file.name for file in Path(restoring.folder).iterdir()) == ["done", "lock"]
    assert (venv_node.restarts(), read(restoring, venv_node)[1]) == (restarts + 1, ())
    assert read(replace(restoring, token="run-2"), venv_node)[1] != ()


def test_the_environment_of_before_is_used_again(restoring: Restoring, venv_node: VenvNode) -> None:
    restoring = replace(rooted(restoring), saved=Saved(files={}, links=restoring.saved.links))  # type: ignore[attr-defined]
    job = make_job(venv_node.sshd.shell, "restore", "1.0.0")
    restoring.stage(job)
    assert read(restoring, venv_node)[0] == "2.0.0"
    assert restoring.activate(job) is Effect.ACTIVATED
    assert read(restoring, venv_node) == ("1.0.0", ())


def test_a_node_that_does_not_say_what_it_has_is_put_back_all_the_same(
    restoring: Restoring, venv_node: VenvNode
) -> None:
    restoring = replace(rooted(restoring), saved=Saved(files={}, links=restoring.saved.links))  # type: ignore[attr-defined]
    venv_node.link.unlink()
    venv_node.end()
    with venv_node.sshd.shell() as shell:
        found = restoring.installed(shell)
    assert found is not None
    assert (found.running or found.version, found.find_behind(())) == (
        UNKNOWN,
        ("backup node-01-abc not put back",),
    )
    job = make_job(venv_node.sshd.shell, "restore", "1.0.0")
    restoring.stage(job)
    assert restoring.activate(job) is Effect.ACTIVATED
    assert read(restoring, venv_node) == ("1.0.0", ())


def test_an_environment_that_is_gone_is_said_before_anything_is_touched(
    restoring: Restoring, venv_node: VenvNode
) -> None:
    venv_node.lose_previous()
    saved = Saved(files={}, links=restoring.saved.links)  # type: ignore[attr-defined]
    with pytest.raises(JobFailedError, match=r"the environment of before, .* is gone"):
        replace(rooted(restoring), saved=saved).stage(make_job(venv_node.sshd.shell, "restore", "1.0.0"))
    assert read(restoring, venv_node)[0] == "2.0.0"


def test_a_backup_that_is_not_whole_is_refused_before_it_is_sent(
    restoring: Restoring, venv_node: VenvNode, root: Path
) -> None:
    fault = InvalidRequestError("its SHA-256 is another", code=Code.BACKUP_FAILED)
    restoring.saved.fault = fault  # type: ignore[attr-defined]
    with venv_node.sshd.shell() as shell:
        (verdict,) = restoring.check_source(shell, "1.0.0")
    assert (verdict.code, verdict.blocks) == (Code.BACKUP_FAILED, True)
    with pytest.raises(NodeFaultError, match="SHA-256"):
        restoring.stage(make_job(venv_node.sshd.shell, "restore", "1.0.0"))
    assert not Path(restoring.state).exists()
    assert (root / "etc/nova/nova.conf").read_bytes() == b"broken\n"


def test_a_store_that_does_not_answer_is_tried_again_and_one_that_never_will_is_not(
    restoring: Restoring, venv_node: VenvNode
) -> None:
    job = make_job(venv_node.sshd.shell, "restore", "1.0.0")
    for fault, raised in (
        (TransientError("no route", code=Code.BACKUP_FAILED), TransientError),
        (EscalatorError("no such bucket", code=Code.BACKUP_FAILED), NodeFaultError),
    ):
        restoring.saved.fault = fault  # type: ignore[attr-defined]
        with pytest.raises(raised) as found:
            restoring.stage(job)
        assert found.value.code is Code.BACKUP_FAILED


def test_cut_short_by_a_service_that_does_not_start_it_goes_on(
    restoring: Restoring, venv_node: VenvNode, root: Path
) -> None:
    restoring = replace(restoring, link="")
    job = make_job(venv_node.sshd.shell, "restore", "1.0.0")
    restoring.stage(job)
    venv_node.break_service()
    with pytest.raises(JobFailedError, match="demo does not start"):
        restoring.activate(job)
    assert read(restoring, venv_node)[1] != ()
    (root / "etc/nova/nova.conf").write_bytes(b"half")
    venv_node.mend_service()
    assert restoring.activate(job) is Effect.ACTIVATED
    assert (root / "etc/nova/nova.conf").read_bytes() == CONF


def test_packages_that_are_not_what_they_were_are_put_back_with_their_place() -> None:
    manifest = {
        "packages": [
            {
                "name": "nova-compute",
                "version": "3:33-1",
                "arch": "all",
                "sha256": "aa",
                "source": "http://x",
            },
            {"name": "qemu", "version": "1:7", "arch": "amd64", "sha256": None, "source": None},
            {"name": "half", "version": "1", "arch": "all"},
            {"name": "same", "version": "1", "arch": "all"},
            {"name": "another", "version": "1", "arch": "all"},
        ],
        "files": [{"path": f"/var/cache/apt/archives/{QEMU}", "type": "file", "sha256": "bb"}],
    }
    now = {
        "nova-compute": ("3:34-1", "ii "),
        "half": ("1", "iF "),
        "same": ("1", "hi "),
        "another": ("2", "ii "),
    }
    found = find_packages(manifest, ("nova-compute", "qemu", "half", "same"), now)
    assert found == (
        PackageBack(
            name="nova-compute",
            version="3:33-1",
            now="3:34-1",
            file="nova-compute_3%3a33-1_all.deb",
            url="http://x",
            sha256="aa",
        ),
        PackageBack(name="qemu", version="1:7", now="", file=QEMU, place=f"/var/cache/apt/archives/{QEMU}"),
        PackageBack(name="half", version="1", now="1", file="half_1_all.deb"),
    )


@pytest.mark.parametrize(
    ("mechanism", "words"),
    [
        (CommandMechanism(version="v", activate="a", service="s"), "bundle b does not say under restore"),
        (
            AnsibleMechanism(version="v", activate=PlaybookRun(playbook="p.yml"), service="s"),
            "bundle b does not say under restore",
        ),
        (NoMechanism(), "what none brings is not put back"),
    ],
)
def test_what_nobody_can_put_back_is_refused(mechanism: Mechanism, words: str) -> None:
    bundle = Bundle(name="b", components=(), mechanism=mechanism)
    with pytest.raises(InvalidRequestError, match=words) as refused:
        make_restoring(None, bundle, Saved(files={}, links={}), "run-1")  # type: ignore[arg-type]
    assert "escalator backups show" in str(refused.value.remedy)


def test_the_operators_own_command_brings_the_version_of_before_once_the_files_are_back(
    command_node: CommandNode, root: Path, tmp_path: Path
) -> None:
    folder = shlex.quote(str(command_node.folder))
    conf = shlex.quote(f"{root}/etc/nova/nova.conf")
    restore = f"cd {folder}; grep -q host {conf}; cp releases/$ESCALATOR_VERSION installed\n"
    own = command_node.on_node(restore=f"{restore}systemctl restart $ESCALATOR_SERVICE")
    for version in ("1.0.0", "2.0.0"):
        job = make_job(command_node.sshd.shell, "bring", version)
        own.stage(job)
        own.activate(job)
    restoring = Restoring(
        forward=own,
        saved=Saved(files={"/etc/nova/nova.conf": CONF}, links={}),
        service="demo",
        token="run-1",
        own=own,
        base=str(command_node.folder / "jobs"),
        state=str(tmp_path / "restore state"),
        root=str(root),
    )
    job = make_job(command_node.sshd.shell, "restore", "1.0.0")
    with command_node.sshd.shell() as shell:
        assert restoring.check(shell) == ()
        (told,) = restoring.check_source(shell, "1.0.0")
    assert told.message.endswith("lost: /etc/nova/nova.conf; then what the bundle says under restore is run")
    assert restoring.stage(job) is Effect.STAGED
    idle = replace(restoring, own=command_node.on_node(restore="true"))
    with pytest.raises(JobFailedError, match=r"the version command says '2\.0\.0', not 1\.0\.0"):
        idle.activate(job)
    old = replace(restoring, own=command_node.on_node(restore=f"cd {folder}; echo 1.0.0 >running"))
    with pytest.raises(JobFailedError, match="still the process of before"):
        old.activate(job)
    mute = replace(restoring, forward=command_node.on_node(version="exit 3"))
    with command_node.sshd.shell() as shell:
        found, unknown = restoring.installed(shell), mute.installed(shell)
    assert found is not None
    assert unknown is not None
    assert found.find_behind(()) == ("backup node-01-abc not put back",)
    assert (unknown.version, unknown.running) == (UNKNOWN, None)
    assert restoring.activate(job) is Effect.ACTIVATED
    with command_node.sshd.shell() as shell:
        found = restoring.installed(shell)
    assert found is not None
    assert (found.running, found.find_behind(())) == ("1.0.0", ())
    assert restoring.activate(job) is Effect.ALREADY_ACTIVE
    left = sorted(file.name for file in (command_node.folder / "state").iterdir())
    assert left == ["lock", "staged-1.0.0", "staged-2.0.0"]


@pytest.mark.lab
@pytest.mark.parametrize("cached", [True, False])
def test_packages_come_back_from_the_backup_or_from_where_it_says(
    apt_node: AptNode, tmp_path: Path, *, cached: bool
) -> None:
    apt_node.bring("1.0.0")
    apt_node.run(f"echo ours >>{CONFFILE}")
    if not cached:
        apt_node.run("rm -f /var/cache/apt/archives/*.deb")
    components = (Component(name="nova-compute", to="1.0.0"),)
    bundle = Bundle(name="b", components=components, mechanism=apt_node.mechanism())
    store = BackupStore(LocalFiles(tmp_path), str(tmp_path))
    keeper = BackupKeeper(store=store, clock=lambda: NOW)
    of = BackupOf(cloud="lab", campaign="c", run_id="r", bundle="b", host="node-01")
    with apt_node.shell() as shell:
        record = keeper.save_node(of, shell, make_wish(bundle, [CONFFILE]))
    apt_node.bring("2.0.0")
    apt_node.run(
        "rm -f /var/cache/apt/archives/*.deb; sed -i '/^Version: 1.0.0$/,/^$/d' /var/lib/apt/lists/*_Packages"
    )
    apt_node.run(f"echo lost >{CONFFILE}")
    back = make_restoring(
        apt_node.on_node(), bundle, SavedBackup(record=record, store=store), f"run-{cached}"
    )
    with apt_node.shell() as shell:
        (told,) = back.check_source(shell, "1.0.0")
        assert back.check(shell) == ()
    assert told.message.endswith(f"changed since, and lost: {CONFFILE}, demo-agent 2.0.0 -> 1.0.0")
    job, starts = make_job(apt_node.shell, "restore", "1.0.0"), apt_node.starts()
    assert back.stage(job) is Effect.STAGED
    assert apt_node.status() == "installed 2.0.0"
    assert back.activate(job) is Effect.ACTIVATED
    assert apt_node.status() == "installed 1.0.0"
    assert apt_node.run(f"tail -n 1 {CONFFILE}") == "ours"
    assert apt_node.starts() > starts
    with apt_node.shell() as shell:
        found = back.installed(shell)
    assert found is not None
    assert (found.running, found.find_behind(components)) == ("1.0.0", ())
    assert back.activate(job) is Effect.ALREADY_ACTIVE
    apt_node.bring("2.0.0")
    assert apt_node.status() == "installed 2.0.0"
