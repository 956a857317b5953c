"""Playbooks that fail, hang, are killed or are tried only: what is said of it, and what is left behind."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT
from tests.system_support.mechanisms.ansible_node import AnsibleNode, list_processes_of
from tests.system_support.mechanisms.jobs import make_job

from escalator.model.bundle import Artefact, PlaybookRun
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code
from escalator.system_support.mechanisms import Effect
from escalator.system_support.mechanisms.extras import WithExtras

LOG = "escalator.system_support.mechanisms.ansible"


def stage(node: AnsibleNode, **changes: Any) -> Effect:
    return node.on_worker(**changes).stage(make_job(node.sshd.shell, "stage", "1.0.0"))


def activate(node: AnsibleNode, **changes: Any) -> Effect:
    return node.on_worker(**changes).activate(make_job(node.sshd.shell, "activate", "1.0.0"))


def test_the_message_of_the_task_that_failed_is_the_reason_and_the_log_has_each_result(
    ansible_node: AnsibleNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, LOG)
    run = ansible_node.write_tasks(
        "{name: Look, ansible.builtin.debug: {msg: 'for {{ escalator_host }}: {{ escalator_version }}'}}",
        "{name: Refuse, ansible.builtin.fail: {msg: 'the disk of {{ escalator_host }} is full'}}",
    )
    with pytest.raises(NodeFaultError) as fault:
        stage(ansible_node, stage=run)
    said = "task 'Refuse' failed on node-01: the disk of node-01 is full"
    assert fault.value.message == f"1.0.0 cannot be staged: playbook demo.yml failed: {said}"
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "node-01 | demo | Look | ok",
        "node-01 | demo | Refuse | failed: the disk of node-01 is full",
    ]
    assert ansible_node.list_leftovers() == []


def test_a_node_that_ansible_does_not_reach_is_unreachable(ansible_node: AnsibleNode, tmp_path: Path) -> None:
    known = tmp_path / "empty"
    known.write_text("")
    mechanism = ansible_node.on_worker()
    mechanism._worker = ansible_node.worker(known_hosts=known)
    with pytest.raises(NodeFaultError, match=r"unreachable on node-01: .*Host key verification failed"):
        mechanism.stage(make_job(ansible_node.sshd.shell, "stage", "1.0.0"))


def make_vault(node: AnsibleNode, password: str) -> PlaybookRun:
    (node.playbooks / "password").write_text(password)
    (node.playbooks / "secret.yml").write_text("secret: it is open\n")
    program = Path(sys.executable).with_name("ansible-vault")
    line = [program, "encrypt", "--vault-password-file", node.playbooks / "password", "secret.yml"]
    subprocess.run(line, cwd=node.playbooks, check=True, capture_output=True)
    return node.write_tasks(
        "{name: Open, ansible.builtin.include_vars: secret.yml}",
        "{name: Say, ansible.builtin.fail: {msg: '{{ secret }} with pass-word-1'}}",
    )


def test_the_vault_is_opened_by_the_password_of_a_connection_which_nobody_sees(
    ansible_node: AnsibleNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    run = make_vault(ansible_node, "pass-word-1")
    ansible_node.passwords["vault"] = "pass-word-1"
    with pytest.raises(NodeFaultError, match=r"it is open with \*\*\*"):
        stage(ansible_node, stage=run, vault="vault")
    ansible_node.passwords["vault"] = "pass-word-2"
    with pytest.raises(NodeFaultError, match=r"(?i)decrypt"):
        stage(ansible_node, stage=run, vault="vault")
    assert "pass-word" not in caplog.text
    assert ansible_node.list_leftovers() == []


def test_a_run_that_takes_too_long_is_ended_with_all_that_it_started(ansible_node: AnsibleNode) -> None:
    sleep = f"sleep 300.{os.getpid()}"  # others sleep on this computer too
    run = ansible_node.write_tasks(
        f"{{name: Hang, ansible.builtin.command: {sleep}, delegate_to: localhost}}"
    )
    began = time.monotonic()
    with pytest.raises(NodeFaultError, match=r"playbook demo\.yml was ended after 12 s, its limit"):
        stage(ansible_node, stage=run, stage_seconds=12.0)
    assert time.monotonic() - began < 60
    assert ansible_node.list_leftovers() == []
    assert list_processes_of(sleep) == []
    assert not (ansible_node.folder / "state" / "holder").exists()


_WORKER = """\
import sys
from pathlib import Path
from tests.system_support.conftest import Sshd
from tests.system_support.mechanisms.ansible_node import AnsibleNode
from tests.system_support.mechanisms.command_node import CommandNode
from tests.system_support.mechanisms.test_ansible import HANGS, stage

home, port, folder, playbooks, place = sys.argv[1:]
sshd = Sshd(home=Path(home), port=int(port))
commands = CommandNode(sshd=sshd, folder=Path(folder))
node = AnsibleNode(commands=commands, playbooks=Path(playbooks), place=Path(place))
stage(node, stage=HANGS, lasts_seconds=5)
"""
HANGS = PlaybookRun(playbook="hangs.yml")


def test_a_worker_that_was_killed_leaves_nothing_and_the_next_one_goes_on(ansible_node: AnsibleNode) -> None:
    begun = ansible_node.folder / "begun"
    sleep = f"sleep 301.{os.getpid()}"
    shell = f'cd "{{{{ folder }}}}"; touch begun; {sleep}'
    wait = f"{{name: Hang, ansible.builtin.shell: {shell!r}, delegate_to: localhost}}"
    ansible_node.write_tasks(wait, name="hangs.yml")
    node, sshd = ansible_node, ansible_node.sshd
    places = [str(x) for x in (sshd.home, sshd.port, node.folder, node.playbooks, node.place)]
    worker = subprocess.Popen(
        [sys.executable, "-c", _WORKER, *places],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/include"},
    )
    wait_until(begun.exists)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    wait_until(lambda: not ansible_node.list_leftovers())
    assert list_processes_of(sleep) == []
    assert (ansible_node.folder / "state" / "holder").exists()
    assert stage(ansible_node) is Effect.STAGED
    assert activate(ansible_node) is Effect.ACTIVATED


def wait_until(happened: Any) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_two_workers_with_the_same_work_do_it_once_one_after_the_other(ansible_node: AnsibleNode) -> None:
    stage(ansible_node)
    with ThreadPoolExecutor(2) as pool:
        tries = [pool.submit(activate, ansible_node) for _ in range(2)]
        assert {one.result() for one in tries} == {Effect.ACTIVATED, Effect.ALREADY_ACTIVE}
    assert ansible_node.commands.restarts() == 1


def test_check_mode_says_what_would_change_and_changes_nothing(ansible_node: AnsibleNode) -> None:
    with ansible_node.sshd.shell() as shell:
        (told,) = ansible_node.on_worker().check_source(shell, "1.0.0")
        (verdict,) = ansible_node.on_worker().check_source(shell, "9.9.9")
    assert (told.code, told.blocks) == (Code.WOULD_CHANGE, False)
    assert told.message == "playbook demo.yml would change: Lay the version down"
    assert verdict.code is Code.STAGE_FAILED
    assert (
        "9.9.9 is not staged, and cannot be: playbook demo.yml, in check mode, failed: task"
        in verdict.message
    )
    assert list((ansible_node.folder / "staged").iterdir()) == []
    assert not (ansible_node.folder / "state").exists()
    assert ansible_node.list_leftovers() == []


def test_what_is_staged_is_tried_with_what_activates_it(ansible_node: AnsibleNode) -> None:
    run = ansible_node.write_tasks(
        "{name: Switch, ansible.builtin.fail: {msg: 'not that'}}", name="other.yml"
    )
    stage(ansible_node, activate=run)
    with ansible_node.sshd.shell() as shell:
        (verdict,) = ansible_node.on_worker(activate=run).check_source(shell, "1.0.0")
    assert (
        "playbook other.yml, in check mode, failed: task 'Switch' failed on node-01: not that"
        in verdict.message
    )


def test_a_playbook_for_other_hosts_or_tags_brings_nothing(ansible_node: AnsibleNode) -> None:
    ansible_node.write("- hosts: [elsewhere]\n  tasks: []\n", "elsewhere.yml")
    with pytest.raises(NodeFaultError, match="did nothing on node-01"):
        stage(ansible_node, stage=PlaybookRun(playbook="elsewhere.yml"))
    with pytest.raises(NodeFaultError, match="did nothing on node-01"):
        stage(ansible_node, stage=PlaybookRun(playbook="demo.yml", tags=("satge",)))


def test_an_inventory_of_the_operators_own(ansible_node: AnsibleNode) -> None:
    inventory = ansible_node.write_inventory("node-01.example.org")
    changes = {"inventory": inventory, "inventory_host": "{host}.example.org"}
    assert stage(ansible_node, **changes) is Effect.STAGED
    with pytest.raises(NodeFaultError, match=r"(?i)no hosts|could not match"):
        stage(ansible_node, inventory="hosts.ini")


def test_an_activation_that_restarts_nothing_is_found_out(ansible_node: AnsibleNode) -> None:
    stage(ansible_node)
    activate(ansible_node)
    run = ansible_node.write_tasks(
        "{name: Print it, ansible.builtin.copy: {content: '2.0.0', dest: '{{ folder }}/running'}}",
    )
    mechanism = ansible_node.on_worker(stage=None, activate=run)
    mechanism.stage(make_job(ansible_node.sshd.shell, "stage", "2.0.0"))
    with pytest.raises(NodeFaultError, match="still the process of before"):
        mechanism.activate(make_job(ansible_node.sshd.shell, "activate", "2.0.0"))


def test_what_the_worker_lacks_is_said_before(ansible_node: AnsibleNode) -> None:
    absent = PlaybookRun(playbook="absent.yml")
    with ansible_node.sshd.shell() as shell:
        found = ansible_node.on_worker(stage=absent, inventory="hosts", vault="none").check(shell)
    assert {verdict.code for verdict in found} == {Code.WORKER_NOT_READY}
    assert [verdict.message for verdict in found] == [
        f"the worker worker-1 has no {ansible_node.playbooks}/absent.yml, may not read it, or it is a folder",
        f"the worker worker-1 has no {ansible_node.playbooks}/hosts, may not read it, or it is a folder",
        "there is no connection none",
    ]


def test_kolla_ansible_is_run_by_its_own_command_line(
    ansible_node: AnsibleNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, LOG)
    mechanism = ansible_node.carry_out(ansible_node.kolla_mechanism())
    with ansible_node.sshd.shell() as shell:
        assert mechanism.check(shell) == ()
    assert mechanism.stage(make_job(ansible_node.sshd.shell, "stage", "1.0.0")) is Effect.STAGED
    assert mechanism.activate(make_job(ansible_node.sshd.shell, "activate", "1.0.0")) is Effect.ACTIVATED
    assert [record.getMessage() for record in caplog.records] == [
        "node-01 | Bring the demo agent | Lay the version down | changed",
        "node-01 | Bring the demo agent | Install the version and restart the service | changed",
    ]
    with pytest.raises(NodeFaultError, match=r"9\.9\.9 cannot be staged: kolla-ansible pull failed: task"):
        mechanism.stage(make_job(ansible_node.sshd.shell, "stage", "9.9.9"))


def test_files_of_kolla_ansible_that_lack_are_said_before(ansible_node: AnsibleNode) -> None:
    mechanism = replace(
        ansible_node.kolla_mechanism(), config_dir="/nowhere", program="/nowhere/kolla-ansible"
    )
    with ansible_node.sshd.shell() as shell:
        found = ansible_node.carry_out(mechanism).check(shell)
    lacking = ("/nowhere/kolla-ansible", "/nowhere/globals.yml", "/nowhere/passwords.yml")
    assert [verdict.message.split()[5].rstrip(",") for verdict in found] == list(lacking)


def test_artefacts_are_proved_before_the_playbook_and_their_folder_is_told(
    ansible_node: AnsibleNode, tmp_path: Path
) -> None:
    source = tmp_path / "policy.yaml"
    source.write_text("policy")
    right = hashlib.sha256(b"policy").hexdigest()
    run = ansible_node.write_tasks(
        "{name: Use it, ansible.builtin.copy: {src: '{{ escalator_artefacts }}/policy.yaml',"
        " dest: '{{ folder }}/used', remote_src: true}}",
    )

    def stage_with(digest: str) -> Effect:
        file = Artefact(name="policy.yaml", source=str(source), sha256=digest)
        folder = str(tmp_path / "artefacts")
        extras = WithExtras(ansible_node.on_worker(stage=run), (file,), folder=folder)
        return extras.stage(make_job(ansible_node.sshd.shell, "stage", "1.0.0"))

    with pytest.raises(NodeFaultError, match="it is not used"):
        stage_with("0" * 64)
    assert not (ansible_node.folder / "used").exists()
    assert stage_with(right) is Effect.STAGED
    assert (ansible_node.folder / "used").read_text() == "policy"


def test_a_restore_run_brings_the_version_of_before_and_has_it_proved(ansible_node: AnsibleNode) -> None:
    run = PlaybookRun(playbook="demo.yml", tags=("rollback",))
    for version in ("1.0.0", "2.0.0"):
        ansible_node.on_worker().stage(make_job(ansible_node.sshd.shell, "stage", version))
        ansible_node.on_worker().activate(make_job(ansible_node.sshd.shell, "activate", version))
    job = make_job(ansible_node.sshd.shell, "own", "1.0.0")
    idle = ansible_node.write_tasks("{name: Look, ansible.builtin.command: 'true'}", name="idle.yml")
    with pytest.raises(NodeFaultError, match=r"the run of Ansible ended well, but .* '2\.0\.0', not 1\.0\.0"):
        ansible_node.on_worker(restore=idle).put_back(job, "run-1")
    with pytest.raises(NodeFaultError, match="names no restore run"):
        ansible_node.on_worker().put_back(job, "run-1")
    ansible_node.on_worker(restore=run).put_back(job, "run-1")
    assert (ansible_node.folder / "running").read_text() == "1.0.0\n"
    assert not {"active", "begun", "restore"} & {f.name for f in (ansible_node.folder / "state").iterdir()}
