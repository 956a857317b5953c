"""Two nodes whose rollback fails are put back to their backups, and upgraded again afterwards.

One backup is damaged right after a person said yes: its node is held, untouched. Mended, it goes on, and its
worker is killed while nova-compute starts again on the node. The other node is left as it is at
first, as the person says; then its nova-compute does not start after all was put back, until that is mended.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from escalator.airflow_client.follow import wait_for_dag
from escalator.airflow_client.records import DagRun, RequiredAction
from escalator.demo.demo_world import CLOUD
from escalator.lab.nodes import Node
from escalator.lab.processes import wait_until
from escalator.lab.servers import ServerSpec
from escalator.model.approval import RestoreWord
from escalator.model.cloud import ComputeService
from escalator.model.lease import LeaseMark
from escalator.model.naming import make_dag_id
from tests.campaigns.harness import DAG_ID, NEW, OLD, Harness, host_of, state_of
from tests.campaigns.packaged import in_node
from tests.campaigns.watching import Watcher

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(3600)]

DAMAGED, STUBBORN = HOSTS = ("node-01", "node-02")
ROLLBACK, RESTORE = (make_dag_id(verb, CLOUD, "cell1/az1/general") for verb in ("rollback", "restore"))
SERVERS = (
    *(ServerSpec(name=f"web-{host}", host=host) for host in HOSTS),
    ServerSpec(name="idle", host=DAMAGED, state="SHUTOFF"),
    ServerSpec(name="held", host=STUBBORN, state="PAUSED"),
)
CONF = "/etc/nova/nova.conf"
EDIT = "# changed since the backup"
AT_WORK = "root/at-work"
"""A file, below the root of a node, that is there when nova-compute is about to start."""
DROP_IN = "/etc/systemd/system/nova-compute.service.d/slow.conf"
SLOW_START = f"""
rm -f /{AT_WORK}
mkdir -p {DROP_IN.rpartition("/")[0]}
printf '[Service]\\nExecStartPre=/bin/sh -c "touch /{AT_WORK}; sleep 20"\\n' >{DROP_IN}
systemctl daemon-reload
"""
REFUSING = f"{DROP_IN.rpartition('/')[0]}/refuse.conf"
REFUSE = f"""
mkdir -p {REFUSING.rpartition("/")[0]}
printf '[Service]\\nExecStartPre=/bin/false\\n' >{REFUSING}
systemctl daemon-reload
"""
"""systemd does not start nova-compute at all."""
KEPT = "/var/lib/escalator/restore"
"""Folder of the backups that are put back, on a node."""


@dataclass
class Scene:
    """The lab, the DAGs of the ways back, and a person who answers."""

    up: Harness
    back: Harness
    restore: Harness
    before: Mapping[str, Any]
    seen: dict[str, Any] = field(default_factory=dict)

    def service(self, host: str) -> ComputeService:
        return self.up.services()[host]

    def node(self, host: str) -> Node:
        return self.up.lab.node(host)

    def start_restore(self, host: str) -> tuple[DagRun, RequiredAction]:
        """Start one, as a user does, and wait until a person is asked."""
        client = self.restore.client
        run = client.trigger(RESTORE, {"hosts": [host]})
        asked: list[RequiredAction] = []

        def is_asked() -> bool:
            asked[:] = client.list_required_actions(RESTORE, run.run_id)
            return bool(asked)

        assert wait_until(is_asked, timeout_seconds=300), self.restore.log(run, "check_conditions")
        return run, asked[0]

    def answer(self, action: RequiredAction, word: RestoreWord) -> None:
        """Answer, after some thought: one in the same second meets a process that is not gone yet."""
        time.sleep(6.0)
        self.restore.client.respond(action, [str(word)])

    def report_of(self, run: DagRun, host: str) -> dict[str, Any]:
        nodes: list[dict[str, Any]] = self.restore.report(run)["nodes"]
        return next(node for node in nodes if node["host"] == host)


@pytest.fixture(scope="module")
def scene(harness: Harness) -> Scene:
    """Both nodes are upgraded, one is edited by a person, and both do not want to go back."""
    before = harness.fresh(SERVERS)
    for dag in (ROLLBACK, RESTORE):
        wait_for_dag(harness.client, dag, timeout_seconds=120)
    scene = Scene(
        up=harness,
        back=replace(harness, dag_id=ROLLBACK),
        restore=replace(harness, dag_id=RESTORE),
        before=before,
    )
    upgrade = harness.trigger(hosts=list(HOSTS), max_parallel=2)
    assert harness.wait(upgrade) == "success", harness.states(upgrade)
    in_node(scene.node(DAMAGED), f"echo '{EDIT}' >>{CONF}")
    for host in HOSTS:
        scene.node(host).fault(refuse_start_release=OLD)
    undo = {"run_id": upgrade.run_id, "max_failed_nodes": 2, "max_parallel": 2}
    rollback = scene.back.client.trigger(ROLLBACK, undo)
    assert scene.back.wait(rollback) == "failed"
    scene.seen |= {"upgrade": upgrade, "rollback": rollback}
    return scene


def test_both_nodes_are_out_after_their_rollback(scene: Scene) -> None:
    for host in HOSTS:
        lease = scene.service(host).lease
        assert lease is not None
        assert (lease.mark, lease.campaign) == (LeaseMark.FAILED, ROLLBACK)


# -- a damaged backup, and a worker that is killed


def find_archive(harness: Harness, upgrade: DagRun, host: str) -> Path:
    """Return the archive that the upgrade took of a node."""
    taken = [one for one in harness.report(upgrade)["backups"] if one["host"] == host]
    (found,) = harness.world.backup_dir.rglob(f"{taken[0]['id']}.tar.gz")
    return found


@pytest.fixture(scope="module")
def held(harness: Harness, scene: Scene) -> dict[str, Any]:
    """A person is asked, and says yes; then the backup is damaged."""
    reason = scene.service(DAMAGED).disabled_reason
    run, action = scene.start_restore(DAMAGED)
    said = scene.restore.log(run, "check_conditions")
    waiting = scene.service(DAMAGED).disabled_reason
    scene.answer(action, RestoreWord.RESTORE)
    scene.restore.wait_for(run, "check_conditions", "success", "failed")
    archive = find_archive(harness, scene.seen["upgrade"], DAMAGED)
    whole = archive.read_bytes()
    middle = len(whole) // 2
    archive.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    state = scene.restore.wait(run)
    found = {
        "run": run,
        "said": said,
        "reason": reason,
        "waiting": waiting,
        "state": state,
        "node": scene.report_of(run, DAMAGED),
        "service": scene.service(DAMAGED),
        "conf": in_node(scene.node(DAMAGED), f"cat {CONF}"),
        "kept": in_node(scene.node(DAMAGED), f"find {KEPT} -type f 2>/dev/null || true"),
    }
    archive.write_bytes(whole)
    return found


def test_who_starts_it_is_told_how_old_the_backup_is_and_what_is_lost(held: dict[str, Any]) -> None:
    assert re.search(r"node-01 is put back to backup node-01-\w+ of \S+, \d+ h \d+ min ago", held["said"])
    assert re.search(rf"changed since, and lost: .*{CONF}", held["said"])


def test_nothing_is_changed_while_a_person_is_asked(held: dict[str, Any]) -> None:
    assert held["waiting"] == held["reason"]


def test_a_damaged_backup_holds_the_node_before_anything_is_written(held: dict[str, Any]) -> None:
    assert held["state"] == "failed"
    node, lease = held["node"], held["service"].lease
    assert (node["state"], node["code"]) == ("held", "backup_failed"), node
    assert "->" in node["message"], node
    assert lease is not None
    assert (lease.mark, lease.campaign) == (LeaseMark.HELD, RESTORE)
    assert "[backup_failed]" in lease.words
    assert EDIT in held["conf"]
    assert "archive" not in held["kept"]


@pytest.fixture(scope="module")
def killed(harness: Harness, scene: Scene, held: dict[str, Any]) -> dict[str, Any]:
    """The backup is whole again; the worker is killed while the service starts on the node."""
    run, node = held["run"], scene.node(DAMAGED)
    node.clear_faults()
    in_node(node, SLOW_START)
    watcher = Watcher(harness.world.cloud())
    with watcher.watching():
        scene.restore.clear(run, f"{DAMAGED}.admit")
        mark = node.compute.machine.upper / AT_WORK
        assert wait_until(mark.exists, timeout_seconds=900), scene.restore.states(run)
        harness.stack.kill_worker_of(RESTORE, run.run_id, f"{DAMAGED}.upgrade", timeout_seconds=5)
        killed_at = datetime.now(UTC)
        state = scene.restore.wait(run)
    verify = scene.restore.client.get_task_instance(RESTORE, run.run_id, f"{DAMAGED}.verify")
    return {
        "run": run,
        "state": state,
        "killed_at": killed_at,
        "verified_at": verify.ended_at,
        "watcher": watcher,
        "node": scene.report_of(run, DAMAGED),
        "report": scene.restore.report(run),
    }


def test_a_restore_whose_worker_was_killed_ends_by_itself(
    harness: Harness, scene: Scene, killed: dict[str, Any]
) -> None:
    run = killed["run"]
    assert killed["state"] == "success", scene.restore.states(run)
    task = scene.restore.client.get_task_instance(RESTORE, run.run_id, f"{DAMAGED}.upgrade")
    assert task.try_number >= 2
    assert killed["node"]["state"] == "released"
    assert harness.running(DAMAGED) == OLD
    assert EDIT not in in_node(scene.node(DAMAGED), f"cat {CONF}")


def test_the_service_is_enabled_once_it_was_verified(killed: dict[str, Any]) -> None:
    looks = [(at, leases[DAMAGED]) for at, leases in killed["watcher"].seen]
    free = [at for at, lease in looks if lease is None]
    assert free
    assert killed["killed_at"] < killed["verified_at"] < min(free)
    assert is_one_at_a_time(killed["watcher"])


def is_one_at_a_time(watcher: Watcher) -> bool:
    """Tell whether no two nodes were worked on at the same moment; those that a run left out do not count."""
    looks = (leases.values() for _, leases in watcher.seen)
    return all(sum(lease is not None and lease.mark is None for lease in look) <= 1 for look in looks)


def test_nothing_of_the_backup_stays_on_the_node(scene: Scene, killed: dict[str, Any]) -> None:
    assert killed["state"] == "success"
    names = in_node(scene.node(DAMAGED), f"find {KEPT} -type f -printf '%f\\n' | sort").split()
    assert names == ["done", "lock"]


def test_the_report_says_what_was_put_back_and_over_which_run(scene: Scene, killed: dict[str, Any]) -> None:
    report = killed["report"]
    rollback = scene.seen["rollback"]
    assert report["procedure"] == "restore"
    assert (report["undoes"]["campaign"], report["undoes"]["run_id"]) == (ROLLBACK, rollback.run_id)
    assert report["restores"]["backup"].startswith(f"{DAMAGED}-")
    assert [one["host"] for one in report["backups"] if one["kind"] == "node"] == [DAMAGED]


# -- a step that fails, after a person first said no


@pytest.fixture(scope="module")
def stubborn(scene: Scene, killed: dict[str, Any]) -> dict[str, Any]:
    assert killed["state"] == "success"
    reason = scene.service(STUBBORN).disabled_reason
    left, action = scene.start_restore(STUBBORN)
    scene.answer(action, RestoreWord.LEAVE)
    left_state = scene.restore.wait(left)
    after_no = scene.service(STUBBORN).disabled_reason
    in_node(scene.node(STUBBORN), REFUSE)
    run, action = scene.start_restore(STUBBORN)
    scene.answer(action, RestoreWord.RESTORE)
    state = scene.restore.wait(run)
    return {
        "reason": reason,
        "left_state": left_state,
        "left_said": scene.restore.log(left, "check_conditions"),
        "after_no": after_no,
        "run": run,
        "state": state,
        "node": scene.report_of(run, STUBBORN),
        "service": scene.service(STUBBORN),
    }


def test_who_says_no_has_nothing_changed(stubborn: dict[str, Any]) -> None:
    assert stubborn["left_state"] == "failed"
    assert "Not restored, nothing was changed" in stubborn["left_said"]
    assert stubborn["after_no"] == stubborn["reason"]


def test_a_restore_that_fails_leaves_its_node_out_and_says_why(stubborn: dict[str, Any]) -> None:
    assert stubborn["state"] == "failed"
    node, lease = stubborn["node"], stubborn["service"].lease
    assert (node["state"], node["code"]) == ("failed", "upgrade_failed"), node
    assert re.search(r"nova-compute does not (start|come up)", node["message"]), node
    assert "->" in node["message"], node
    assert lease is not None
    assert (lease.mark, lease.campaign) == (LeaseMark.FAILED, RESTORE)


@pytest.fixture(scope="module")
def put_back(scene: Scene, stubborn: dict[str, Any]) -> str:
    """The cause is mended, and its task cleared."""
    scene.node(STUBBORN).clear_faults()
    in_node(scene.node(STUBBORN), f"rm {REFUSING}; systemctl daemon-reload")
    scene.restore.clear(stubborn["run"], f"{STUBBORN}.upgrade")
    return scene.restore.wait(stubborn["run"])


def test_it_is_gone_to_its_end_when_the_cause_is_mended(
    harness: Harness, scene: Scene, stubborn: dict[str, Any], put_back: str
) -> None:
    assert put_back == "success", scene.restore.states(stubborn["run"])
    assert {host: harness.running(host) for host in HOSTS} == dict.fromkeys(HOSTS, OLD)
    services = harness.services()
    assert {(services[host].status, services[host].disabled_reason) for host in HOSTS} == {("enabled", None)}


# -- and forward again


@pytest.fixture(scope="module")
def forward(harness: Harness, scene: Scene, put_back: str) -> dict[str, Any]:
    """What the upgrade had brought is brought again, by the verb that a person types."""
    assert put_back == "success"
    in_node(scene.node(DAMAGED), f"rm {DROP_IN}; systemctl daemon-reload")
    watcher = Watcher(harness.world.cloud())
    with watcher.watching():
        run_id = scene.seen["upgrade"].run_id
        words = ("--dag", DAG_ID, "--run", run_id, "--hosts", DAMAGED, "--follow")
        typed = harness.type("rollforward", *words)
    return {"typed": typed, "watcher": watcher}


def test_rollforward_brings_a_node_what_the_upgrade_had_brought(
    harness: Harness, forward: dict[str, Any]
) -> None:
    assert forward["typed"].returncode == 0, forward["typed"].stdout + forward["typed"].stderr
    assert (harness.running(DAMAGED), harness.running(STUBBORN)) == (NEW, OLD)
    assert is_one_at_a_time(forward["watcher"])


def test_no_server_was_lost_and_no_lease_is_left(
    harness: Harness, scene: Scene, forward: dict[str, Any]
) -> None:
    assert forward["typed"].returncode == 0
    after = harness.servers()
    assert after.keys() == scene.before.keys()
    for name, server in scene.before.items():
        assert state_of(after[name]) == state_of(server), name
    assert {s.disabled_reason for s in harness.services().values()} == {None}
    assert host_of(after["idle"])
