"""Nodes whose way fails at every stage, one that is lost for good, and a way back that fails too.

One campaign: a node cannot be staged, one cannot be activated, one is not verified, one loses its power in
mid-drain and never comes back; the others go on, as their policy says. The rollback of that campaign brings
back what was changed, and another one does not start with what it had. Of the node on which nothing else goes
wrong the worker is killed with SIGKILL: in most of its steps on the way there, and in most on the way back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from escalator.airflow_client.follow import wait_for_dag
from escalator.airflow_client.records import DagRun
from escalator.demo.demo_world import CLOUD
from escalator.lab.servers import ServerSpec
from escalator.model.lease import LeaseMark, LeasePhase
from escalator.model.naming import make_dag_id
from tests.campaigns.harness import NEW, OLD, Harness, host_of
from tests.campaigns.packaged import in_node
from tests.campaigns.watching import Watcher

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(3600)]

STAGE, ACTIVATE, VERIFY, LOST, GOOD, STUBBORN = HOSTS = tuple(f"node-0{n}" for n in range(1, 7))
"""Nodes by what goes wrong on them; the last two are upgraded, the very last one does not want to go back."""
KILLED = ("precheck", "migrate", "verify")
KILLED_BACK = ("precheck", "upgrade", "verify", "release")
BACK = make_dag_id("rollback", CLOUD, "cell1/az1/general")
SLOW = {"lab_migrate_seconds": "20"}
AT_ONCE = 8
"""Moves under way from one node: what else is on it waits."""
STAY = AT_ONCE + 1
SERVERS = (
    *(ServerSpec(name=f"lost-{n:02d}", host=LOST, metadata=SLOW) for n in range(STAY)),
    *(ServerSpec(name=f"web-{host}", host=host) for host in HOSTS if host != LOST),
)
UV = "/usr/local/bin/uv"
UNSTAGE = f"mv {UV} {UV}.away; rm -rf /opt/nova/venv-{NEW}*"
DROP_IN = "/etc/systemd/system/nova-compute.service.d/refuse.conf"
REFUSE = f"mkdir -p {DROP_IN.rpartition('/')[0]}; printf '[Service]\\nExecStartPre=/bin/false\\n' >{DROP_IN}"


def kill(harness: Harness, run: DagRun, steps: tuple[str, ...]) -> None:
    """Kill the worker of the good node once in each of these steps."""
    for step in steps:
        harness.stack.kill_worker_of(run.dag_id, run.run_id, f"{GOOD}.{step}", timeout_seconds=1200)


def tries(harness: Harness, run: DagRun, steps: tuple[str, ...]) -> dict[str, int]:
    """Return how often each of these steps of the good node was begun."""
    return {
        step: harness.client.get_task_instance(run.dag_id, run.run_id, f"{GOOD}.{step}").try_number
        for step in steps
    }


@pytest.fixture(scope="module")
def campaign(harness: Harness) -> Iterator[dict[str, Any]]:
    before, lab = harness.fresh(SERVERS), harness.lab
    lab.node(VERIFY).fault(refuse_start_release=NEW)
    acts: dict[tuple[str, LeasePhase], Callable[[], None]] = {
        (STAGE, LeasePhase.ADMITTED): lambda: in_node(lab.node(STAGE), UNSTAGE),
        (ACTIVATE, LeasePhase.DRAINING): lambda: in_node(
            lab.node(ACTIVATE), f"{REFUSE}; systemctl daemon-reload"
        ),
        (LOST, LeasePhase.DRAINING): lab.node(LOST).stop,
    }
    watcher = Watcher(harness.world.cloud(), acts)
    with watcher.watching():
        run = harness.trigger(hosts=list(HOSTS), max_failed_nodes=5, max_parallel=2)
        kill(harness, run, KILLED)
        state = harness.wait(run)
    assert watcher.trouble == []
    assert watcher.done == set(acts)
    report = harness.report(run)
    yield {
        "before": before,
        "run": run,
        "state": state,
        "report": report,
        "nodes": {node["host"]: node for node in report["nodes"]},
        "services": harness.services(),
        "servers": harness.servers(),
    }
    in_node(lab.node(STAGE), f"[ ! -e {UV}.away ] || mv {UV}.away {UV}")
    lab.node(LOST).restart()


def said_of(campaign: dict[str, Any], host: str) -> str:
    node = campaign["nodes"][host]
    return f"[{node['code']}] {node['message']}"


def test_who_cannot_be_staged_is_given_back_as_it_was(harness: Harness, campaign: dict[str, Any]) -> None:
    assert campaign["nodes"][STAGE]["state"] == "held"
    assert re.search("uv|stage", said_of(campaign, STAGE)), said_of(campaign, STAGE)
    assert campaign["services"][STAGE].disabled_reason is None
    assert harness.running(STAGE) == OLD
    assert host_of(campaign["servers"][f"web-{STAGE}"]) == STAGE


@pytest.mark.parametrize(("host", "code"), [(ACTIVATE, "upgrade_failed"), (VERIFY, "service_not_up")])
def test_who_was_changed_and_is_not_proved_stays_out_and_says_why(
    campaign: dict[str, Any], host: str, code: str
) -> None:
    assert campaign["nodes"][host]["state"] == "failed"
    assert said_of(campaign, host).startswith(f"[{code}]"), said_of(campaign, host)
    lease = campaign["services"][host].lease
    assert lease.mark is LeaseMark.FAILED
    assert f"[{code}]" in lease.words


def test_a_node_that_is_lost_for_good_is_held_and_its_servers_are_named(campaign: dict[str, Any]) -> None:
    assert campaign["nodes"][LOST]["state"] == "held"
    said = said_of(campaign, LOST)
    assert said.startswith("[node_down]"), said
    left = {name for name, server in campaign["servers"].items() if host_of(server) == LOST}
    assert left
    for name in left:
        assert name in said, said
    lease = campaign["services"][LOST].lease
    assert (lease.mark, str(campaign["services"][LOST].state)) == (LeaseMark.HELD, "down")


def test_the_others_go_on_as_the_policy_says(harness: Harness, campaign: dict[str, Any]) -> None:
    assert campaign["state"] == "failed"
    for host in (GOOD, STUBBORN):
        assert campaign["nodes"][host]["state"] == "released"
        assert harness.running(host) == NEW
        assert campaign["services"][host].disabled_reason is None


def test_no_server_was_lost(campaign: dict[str, Any]) -> None:
    assert campaign["servers"].keys() == campaign["before"].keys()
    on_others = {n: s["status"] for n, s in campaign["servers"].items() if host_of(s) != LOST}
    assert set(on_others.values()) == {"ACTIVE"}


# -- the way back


@pytest.fixture(scope="module")
def back(harness: Harness) -> Harness:
    wait_for_dag(harness.client, BACK, timeout_seconds=120)
    return replace(harness, dag_id=BACK)


@pytest.fixture(scope="module")
def undone(harness: Harness, back: Harness, campaign: dict[str, Any]) -> dict[str, Any]:
    lab = harness.lab
    in_node(lab.node(ACTIVATE), f"rm {DROP_IN}; systemctl daemon-reload")
    lab.node(STUBBORN).fault(refuse_start_release=OLD)
    run = back.client.trigger(BACK, {"run_id": campaign["run"].run_id, "max_failed_nodes": 1})
    order = back.order(run)
    kill(back, run, KILLED_BACK)
    state = back.wait(run)
    report = back.report(run)
    return {
        "run": run,
        "state": state,
        "order": order,
        "report": report,
        "nodes": {node["host"]: node for node in report["nodes"]},
        "services": harness.services(),
    }


def test_only_what_was_changed_is_taken_back(undone: dict[str, Any]) -> None:
    assert set(undone["order"]) == {ACTIVATE, VERIFY, GOOD, STUBBORN}
    assert set(undone["order"][:2]) == {ACTIVATE, VERIFY}


def test_nodes_that_had_failed_are_back_in_service(harness: Harness, undone: dict[str, Any]) -> None:
    for host in (ACTIVATE, VERIFY, GOOD):
        assert undone["nodes"][host]["state"] == "released", undone["nodes"][host]
        assert harness.running(host) == OLD
        assert undone["services"][host].disabled_reason is None


def test_every_killed_step_was_begun_again(
    harness: Harness, campaign: dict[str, Any], undone: dict[str, Any]
) -> None:
    assert min(tries(harness, campaign["run"], KILLED).values()) >= 2
    assert min(tries(harness, undone["run"], KILLED_BACK).values()) >= 2


def test_a_way_back_that_fails_leaves_its_node_out_with_a_clear_word(undone: dict[str, Any]) -> None:
    assert undone["state"] == "failed"
    node, lease = undone["nodes"][STUBBORN], undone["services"][STUBBORN].lease
    assert node["state"] == "failed"
    assert lease.mark is LeaseMark.FAILED
    assert lease.campaign.startswith("rollback")
    assert re.search(r"\[\w+\] ", lease.words)
    assert undone["report"]["procedure"] == "rollback"


def test_the_lost_node_stays_as_the_campaign_left_it(
    campaign: dict[str, Any], undone: dict[str, Any]
) -> None:
    assert undone["services"][LOST].disabled_reason == campaign["services"][LOST].disabled_reason


def test_a_way_back_is_gone_to_its_end_when_the_cause_is_mended(
    harness: Harness, back: Harness, undone: dict[str, Any]
) -> None:
    harness.lab.node(STUBBORN).clear_faults()
    back.clear(undone["run"], f"{STUBBORN}.upgrade")
    back.wait(undone["run"])
    states = back.states(undone["run"])
    assert [states[f"{STUBBORN}.{step}"] for step in ("upgrade", "verify", "release")] == ["success"] * 3
    service = harness.services()[STUBBORN]
    assert (service.status, service.disabled_reason) == ("enabled", None)
    assert harness.running(STUBBORN) == OLD
