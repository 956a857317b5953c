"""Nodes whose nova-compute is a Debian package go to the next release by apt, and each is rebooted.

On one of the four the worker is killed with SIGKILL while a script of the package runs on the node. The work
on the node goes on, and the retry joins it. On another it is killed while the node goes down for its reboot:
the retry waits for the same reboot, and orders no other one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import pytest

from escalator.airflow_client.records import DagRun
from escalator.lab.machine.package_files import PACKAGE
from escalator.lab.nodes import Node
from escalator.lab.processes import wait_until
from escalator.model.lease import LeasePhase
from tests.campaigns.harness import NEW, OLD, Harness, OutSampler, state_of
from tests.campaigns.packaged import BOOT_ID, in_node, make_bundle, packaged_lab, read_boots
from tests.campaigns.watching import Watcher

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(2400)]

BUNDLE = make_bundle(
    "packages-and-reboot",
    """\
impact: reboot
reboot: always
expected: {upgrade_seconds: 60}
""",
)
AT_WORK = "root/at-work"
"""A file, below the root of a node, that is there when what is to be met has begun."""
SLOW_SCRIPT = f"""
printf '#!/bin/sh\\ntouch /{AT_WORK}\\nsleep 20\\n' >/usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d
"""
"""A script of a package asks the node's own policy before it restarts a service; this one takes its time."""
GOES_DOWN = "root/goes-down"
"""A file, below the root of a node, with a line for each boot that was about to end."""
SLOW_END = f"""
cat >/etc/systemd/system/slow-end.service <<END
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'cat {BOOT_ID} >>/{GOES_DOWN}; sleep 15'
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --now slow-end
"""
"""A service that notes the boot, and takes its time, when the node goes down."""


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    folder = tmp_path_factory.mktemp("packages")
    with packaged_lab(4, folder, {"packages-and-reboot": BUNDLE}) as found:
        yield found


@pytest.fixture(scope="module")
def upgraded(harness: Harness) -> dict[str, Any]:
    before = harness.fresh(6)
    boots = read_boots(harness)
    since = max((m.id for m in harness.world.cloud().fetch_migrations()), default=0)
    sampler, watcher = OutSampler(harness.world.cloud()), Watcher(harness.world.cloud())
    with sampler.watching(), watcher.watching():
        run = harness.trigger(bundle="packages-and-reboot")
        *_, rebooting, killed = harness.order(run)
        in_node(harness.lab.node(rebooting), SLOW_END)
        in_node(harness.lab.node(killed), SLOW_SCRIPT)
        kill_when_there(harness, run, rebooting, GOES_DOWN)
        boot_at_kill = read_boots(harness, [rebooting])[rebooting]
        kill_when_there(harness, run, killed, AT_WORK)
        state = harness.wait(run)
    return {
        "run": run,
        "state": state,
        "before": before,
        "boots": boots,
        "killed": killed,
        "rebooting": rebooting,
        "boot_at_kill": boot_at_kill,
        "leases": [leases for _, leases in watcher.seen],
        "most_out": sampler.most,
        "migrations": [m for m in harness.world.cloud().fetch_migrations() if m.id > since],
        "after": harness.servers(),
    }


def kill_when_there(harness: Harness, run: DagRun, host: str, mark: str) -> None:
    """Kill the worker of the node's upgrade, the task and what it started, as soon as the node has a file."""
    path = harness.lab.node(host).compute.machine.upper / mark
    assert wait_until(path.exists, timeout_seconds=1200), harness.states(run)
    harness.stack.kill_worker_of(run.dag_id, run.run_id, f"{host}.upgrade", timeout_seconds=5)


def each(harness: Harness, read: Callable[[Node], str]) -> dict[str, str]:
    return {node.host: read(node) for node in harness.lab.nodes()}


def test_every_node_has_and_runs_the_new_package(harness: Harness, upgraded: dict[str, Any]) -> None:
    assert upgraded["state"] == "success", harness.states(upgraded["run"])
    hosts = harness.lab.settings.hosts
    assert {host: harness.running(host) for host in hosts} == dict.fromkeys(hosts, NEW)
    assert each(harness, lambda node: node.release) == dict.fromkeys(hosts, NEW)
    assert each(harness, lambda node: in_node(node, "dpkg --audit")) == dict.fromkeys(hosts, "")


def test_the_killed_steps_were_tried_again(harness: Harness, upgraded: dict[str, Any]) -> None:
    run, boots = upgraded["run"], upgraded["boots"]
    for host in (upgraded["rebooting"], upgraded["killed"]):
        task = harness.client.get_task_instance(run.dag_id, run.run_id, f"{host}.upgrade")
        assert task.try_number >= 2, task
    assert upgraded["boot_at_kill"] == boots[upgraded["rebooting"]], "the worker was killed too late"


def test_the_node_whose_worker_died_while_it_went_down_did_so_once(
    harness: Harness, upgraded: dict[str, Any]
) -> None:
    host = upgraded["rebooting"]
    ended = in_node(harness.lab.node(host), f"cat /{GOES_DOWN}")
    assert ended.splitlines() == [upgraded["boots"][host]]


def test_each_node_had_one_lease_from_its_admission_to_its_release(
    harness: Harness, upgraded: dict[str, Any]
) -> None:
    assert {node["state"] for node in harness.report(upgraded["run"])["nodes"]} == {"released"}
    services = harness.services().values()
    assert {(s.status, s.disabled_reason) for s in services} == {("enabled", None)}
    for host in harness.lab.settings.hosts:
        seen = [leases[host] for leases in upgraded["leases"]]
        spells = [token for token, _ in groupby(lease.token if lease else "" for lease in seen) if token]
        assert len(spells) == 1, spells
        taken = [lease for lease in seen if lease is not None]
        assert {lease.mark for lease in taken} == {None}
        phases = [list(LeasePhase).index(lease.phase) for lease in taken]
        assert phases == sorted(phases), phases
        assert LeasePhase.UPGRADING in {lease.phase for lease in taken}


def test_every_node_was_installed_once_and_rebooted_once(harness: Harness, upgraded: dict[str, Any]) -> None:
    count = f"grep -c ' upgrade {PACKAGE}:' /var/log/dpkg.log"
    assert set(each(harness, lambda node: in_node(node, count)).values()) == {"1"}
    nodes = harness.report(upgraded["run"])["nodes"]
    ordered = {node["host"]: [(r["boot_before"], r["boot"]) for r in node["reboots"]] for node in nodes}
    now = read_boots(harness)
    assert ordered == {host: [(boot, now[host])] for host, boot in upgraded["boots"].items()}


def test_every_server_is_as_it_was_and_one_node_was_out_at_a_time(upgraded: dict[str, Any]) -> None:
    before = {name: state_of(server) for name, server in upgraded["before"].items()}
    assert {name: state_of(server) for name, server in upgraded["after"].items()} == before
    assert upgraded["most_out"] == 1


def test_no_server_left_a_node_twice(upgraded: dict[str, Any]) -> None:
    left = Counter((m.server_id, m.source_host) for m in upgraded["migrations"])
    assert len(left) >= len(upgraded["before"])
    assert set(left.values()) == {1}


def test_a_reset_brings_the_first_package_back(harness: Harness, upgraded: dict[str, Any]) -> None:
    assert upgraded["state"] == "success"
    harness.lab.reset()
    hosts = harness.lab.settings.hosts
    assert {host: harness.running(host) for host in hosts} == dict.fromkeys(hosts, OLD)
