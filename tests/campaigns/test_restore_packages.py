"""A node upgraded by apt is put back to its backup by dpkg; apt knows nothing of the old package any more.

The bundle has no way back, a person has edited the configuration since, and what apt had fetched is gone. The
worker of the restore is killed while a script of the package runs on the node.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from escalator.airflow_client.follow import wait_for_dag
from escalator.demo.demo_world import CLOUD
from escalator.lab.machine.package_files import CONFIGURATION, version_of
from escalator.model.naming import make_dag_id
from tests.campaigns.harness import NEW, OLD, Harness, OutSampler, state_of
from tests.campaigns.packaged import ARCHIVES, in_node, make_bundle, packaged_lab
from tests.campaigns.test_packages import AT_WORK, SLOW_SCRIPT, kill_when_there

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(2400)]

HOST = "node-01"
RESTORE = make_dag_id("restore", CLOUD, "cell1/az1/general")
BUNDLE = "packages-one-way"
BUNDLE_TEXT = make_bundle(
    BUNDLE,
    """\
impact: data
expected: {upgrade_seconds: 60}
""",
)
EDIT = "# a person was here"
EDITED = f"""
echo '{EDIT}' >>{CONFIGURATION}
rm -rf /var/lib/apt/lists/* {ARCHIVES}/*.deb
"""


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    with packaged_lab(2, tmp_path_factory.mktemp("restore"), {BUNDLE: BUNDLE_TEXT}) as found:
        yield found


@pytest.fixture(scope="module")
def restored(harness: Harness) -> dict[str, Any]:
    before = harness.fresh(3)
    node = harness.lab.node(HOST)
    conf = in_node(node, f"cat {CONFIGURATION}")
    wait_for_dag(harness.client, RESTORE, timeout_seconds=120)
    restore = replace(harness, dag_id=RESTORE)
    upgrade = harness.trigger(bundle=BUNDLE, hosts=[HOST])
    assert harness.wait(upgrade) == "success", harness.states(upgrade)
    found = {"before": before, "conf_before": conf, "upgraded": harness.running(HOST)}
    in_node(node, EDITED)
    sampler = OutSampler(harness.world.cloud(), ignore=frozenset({HOST}))
    with sampler.watching():
        run = harness.client.trigger(RESTORE, {"hosts": [HOST], "approved": True})
        restore.wait_for(run, "check_conditions", "success", "failed")
        in_node(node, SLOW_SCRIPT)
        kill_when_there(restore, run, HOST, AT_WORK)
        state = restore.wait(run)
    return found | {
        "run": run,
        "state": state,
        "states": restore.states(run),
        "said": restore.log(run, "check_conditions"),
        "tries": harness.client.get_task_instance(RESTORE, run.run_id, f"{HOST}.upgrade").try_number,
        "report": restore.report(run),
        "others_out": sampler.most,
        "conf": in_node(node, f"cat {CONFIGURATION}"),
        "audit": in_node(node, "dpkg --audit"),
        "after": harness.servers(),
    }


def test_the_old_package_runs_again_with_the_configuration_of_before(
    harness: Harness, restored: dict[str, Any]
) -> None:
    assert restored["upgraded"] == NEW
    assert restored["state"] == "success", restored["states"]
    assert (harness.running(HOST), harness.lab.node(HOST).release) == (OLD, OLD)
    assert EDIT not in restored["conf"]
    assert restored["conf"] == restored["conf_before"]
    assert restored["audit"] == ""


def test_the_question_names_package_and_file(restored: dict[str, Any]) -> None:
    assert f"lab-nova-compute {version_of(NEW)} -> {version_of(OLD)}" in restored["said"]
    assert CONFIGURATION in restored["said"]


def test_the_killed_step_was_tried_again_and_the_node_given_back(
    harness: Harness, restored: dict[str, Any]
) -> None:
    assert restored["tries"] >= 2
    assert {node["host"]: node["state"] for node in restored["report"]["nodes"]} == {HOST: "released"}
    services = harness.services()
    assert {(s.status, s.disabled_reason) for s in services.values()} == {("enabled", None)}
    assert restored["others_out"] == 0


def test_every_server_is_as_it_was(restored: dict[str, Any]) -> None:
    before = {name: state_of(server) for name, server in restored["before"].items()}
    assert {name: state_of(server) for name, server in restored["after"].items()} == before
