"""Nodes that a playbook of the site's own upgrades, over SSH, by Ansible on the worker.

A dry run tries it in check mode on each node first, and changes nothing there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from escalator.lab.machine.package_files import PACKAGE, version_of
from escalator.system_support.playbooks.keeper import PREFIX, find_place
from tests.campaigns.harness import NEW, OLD, Harness, OutSampler, state_of
from tests.campaigns.packaged import in_node, make_bundle, packaged_lab
from tests.system_support.mechanisms.ansible_node import need_ansible

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(1800)]

BUNDLE = "nova-34-playbook"
BUNDLE_TEXT = make_bundle(
    BUNDLE,
    "impact: data\nexpected: {upgrade_seconds: 60}\n",
    f"""\
  type: ansible
  service: nova-compute
  version: dpkg-query --show --showformat '${{Version}}\\n' {PACKAGE}
  stage: {{playbook: upgrade-nova.yml, tags: [stage]}}
  activate: {{playbook: upgrade-nova.yml, tags: [activate]}}
  extra_vars: {{site_package: {PACKAGE}}}
""",
)
PIN = "/etc/apt/preferences.d/site-nova"
PLAYBOOK = f"""\
- name: Upgrade nova-compute
  hosts: all
  gather_facts: false
  environment: {{DEBIAN_FRONTEND: noninteractive}}
  tasks:
    - name: Pin the version
      ansible.builtin.copy:
        dest: {PIN}
        content: |
          Package: {{{{ site_package }}}}
          Pin: version {{{{ escalator_version }}}}
          Pin-Priority: 1001
        mode: "0644"
      tags: [stage]
    - name: Read the sources
      ansible.builtin.command: apt-get update
      changed_when: false
      tags: [stage]
    - name: Download the package
      ansible.builtin.command: apt-get install -y --download-only {{{{ site_package }}}}
      register: download
      changed_when: "'Get:' in download.stdout"
      tags: [stage]
    - name: Install the package
      ansible.builtin.command: apt-get install -y {{{{ site_package }}}}={{{{ escalator_version }}}}
      tags: [activate]
    - name: Restart the service
      ansible.builtin.systemd_service: {{name: "{{{{ escalator_service }}}}", state: restarted}}
      tags: [activate]
"""
"""Whoever pins a version first downloads that one by name alone."""


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    need_ansible()
    playbooks = tmp_path_factory.mktemp("playbooks")
    (playbooks / "upgrade-nova.yml").write_text(PLAYBOOK)
    told = {"ESCALATOR_PLAYBOOK_DIR": str(playbooks)}
    with packaged_lab(2, tmp_path_factory.mktemp("ansible"), {BUNDLE: BUNDLE_TEXT}, told) as found:
        yield found


@pytest.fixture(scope="module")
def tried(harness: Harness) -> dict[str, Any]:
    """A dry run, which tries the playbook in check mode."""
    before = harness.fresh(2)
    run = harness.trigger(bundle=BUNDLE, dry_run=True)
    state = harness.wait(run)
    return {
        "before": before,
        "state": state,
        "states": harness.states(run),
        "log": harness.log(run, "check_conditions"),
        "pinned": [node.host for node in harness.lab.nodes() if in_node(node, f"ls {PIN} || true")],
    }


@pytest.fixture(scope="module")
def upgraded(harness: Harness, tried: dict[str, Any]) -> dict[str, Any]:
    assert tried["state"] == "success"
    sampler = OutSampler(harness.world.cloud())
    with sampler.watching():
        run = harness.trigger(bundle=BUNDLE)
        state = harness.wait(run)
    return {
        "run": run,
        "state": state,
        "nodes": {node["host"]: node for node in harness.report(run)["nodes"]},
        "most_out": sampler.most,
        "after": harness.servers(),
    }


def test_the_check_tries_the_playbook_on_each_node_and_changes_nothing(
    harness: Harness, tried: dict[str, Any]
) -> None:
    assert tried["state"] == "success", tried["states"]
    told = [line for line in tried["log"].splitlines() if "playbook upgrade-nova.yml would change" in line]
    for host in harness.lab.settings.hosts:
        assert [line for line in told if host in line and "Pin the version" in line], tried["log"]
    assert tried["pinned"] == []


def test_both_nodes_run_the_new_release_and_are_given_back(
    harness: Harness, upgraded: dict[str, Any]
) -> None:
    assert upgraded["state"] == "success", harness.states(upgraded["run"])
    hosts = harness.lab.settings.hosts
    assert {host: node["state"] for host, node in upgraded["nodes"].items()} == dict.fromkeys(
        hosts, "released"
    )
    assert {host: harness.running(host) for host in hosts} == dict.fromkeys(hosts, NEW)
    assert {node.release for node in harness.lab.nodes()} == {NEW}
    services = harness.services().values()
    assert {(s.status, s.disabled_reason) for s in services} == {("enabled", None)}
    assert upgraded["most_out"] == 1


def test_the_report_has_the_versions_before_and_after(upgraded: dict[str, Any]) -> None:
    found = {(node["from_version"], node["to_version"]) for node in upgraded["nodes"].values()}
    assert found == {(version_of(OLD), version_of(NEW))}


def test_the_log_has_a_line_for_each_result_on_that_node_alone(
    harness: Harness, upgraded: dict[str, Any]
) -> None:
    hosts = set(harness.lab.settings.hosts)
    for host in hosts:
        log = harness.log(upgraded["run"], f"{host}.upgrade")
        for task in ("Install the package", "Restart the service"):
            assert f"{host} | Upgrade nova-compute | {task} | changed" in log
        assert [other for other in hosts - {host} if f"{other} | " in log] == []


def test_every_server_was_moved_out_of_the_way_and_is_as_it_was(
    tried: dict[str, Any], upgraded: dict[str, Any]
) -> None:
    before = {name: state_of(server) for name, server in tried["before"].items()}
    assert {name: state_of(server) for name, server in upgraded["after"].items()} == before
    moves = [move for node in upgraded["nodes"].values() for move in node["moves"]]
    assert {move["name"] for move in moves} == set(before)
    assert {move["succeeded"] for move in moves} == {True}


def test_nothing_of_ansible_is_left(harness: Harness, upgraded: dict[str, Any]) -> None:
    assert upgraded["state"] == "success"
    assert list(find_place().glob(f"{PREFIX}*")) == []
    held = "ls /var/lib/escalator/ansible/holder /root/.ansible/tmp 2>/dev/null || true"
    assert {in_node(node, held) for node in harness.lab.nodes()} <= {"", "/root/.ansible/tmp:"}
