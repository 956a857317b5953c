"""A server that cannot be moved is stopped, its node upgraded, and it runs again; who was off stays off.

The same where nothing is done to a node but a reboot.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from escalator.cloud_manager.snapshots import snapshot_from_document
from escalator.lab.servers import ServerSpec
from escalator.replay.judge import check_trace
from tests.campaigns.harness import NEW, REBOOT, Harness, host_of

pytestmark = [pytest.mark.lab, pytest.mark.stack]
HOST, OTHER = "node-01", "node-02"
SERVERS = (
    ServerSpec(name="pin", host=HOST),
    ServerSpec(name="idle", host=HOST, state="SHUTOFF"),
    ServerSpec(name="web", host=HOST),
    ServerSpec(name="anchor", host=OTHER),
)
VNF = """\
schema: escalator.vnf/1
name: pinned
project_id: {project}
groups:
  - {{id: pin, mode: none, supported_migration_type: [NO_MIGRATION], members: [{{name: pin}}]}}
  - {{id: idle, mode: none, supported_migration_type: [NO_MIGRATION], members: [{{name: idle}}]}}
  - {{id: anchor, mode: none, supported_migration_type: [NO_MIGRATION], members: [{{name: anchor}}]}}
"""


@pytest.fixture(scope="module")
def servers(harness: Harness) -> Iterator[dict[str, Any]]:
    """Servers of which three say that they must not be moved."""
    before = harness.fresh(SERVERS)
    path = harness.world.vnf_dir / "pinned.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(VNF.format(project=before["pin"]["tenant_id"]))
    yield before
    path.unlink()


def play(harness: Harness, **conf: Any) -> dict[str, Any]:
    """Run a campaign and return what came of it."""
    run = harness.trigger(mode="non-smooth", **conf)
    state = harness.wait(run)
    said = harness.log(run, "check_conditions")
    assert harness.states(run)["check_conditions"] == "success", said
    report = harness.report(run)
    return {"state": state, "said": said, "report": report, "after": harness.servers()}


@pytest.fixture(scope="module")
def campaign(harness: Harness, servers: dict[str, Any]) -> dict[str, Any]:
    return {"before": servers, **play(harness, hosts=[HOST])}


def test_the_node_is_upgraded_and_given_back(harness: Harness, campaign: dict[str, Any]) -> None:
    assert campaign["state"] == "success"
    assert harness.running(HOST) == NEW
    assert harness.services()[HOST].status == "enabled"


def test_the_check_says_who_will_be_stopped(campaign: dict[str, Any]) -> None:
    said = f"on {HOST}: it is stopped before the upgrade of its node, and started again after"
    assert campaign["said"].count(said) == 1
    assert f"on {HOST}: it stays, shut off as it is" in campaign["said"]


def test_who_ran_runs_and_who_did_not_does_not(campaign: dict[str, Any]) -> None:
    after = campaign["after"]
    there = {name: (s["status"], host_of(s) == HOST) for name, s in after.items() if name != "anchor"}
    assert there == {
        "pin": ("ACTIVE", True),
        "idle": ("SHUTOFF", True),
        "web": ("ACTIVE", False),
    }
    assert after["pin"]["OS-SRV-USG:launched_at"] == campaign["before"]["pin"]["OS-SRV-USG:launched_at"]


def test_the_report_has_the_stop_and_its_trace_breaks_no_rule(campaign: dict[str, Any]) -> None:
    report = campaign["report"]
    (stop,) = report["stops"]
    assert (stop["name"], stop["became"]) == ("pin", "runs again")
    assert 0 < stop["silent_seconds"] < 900
    events = [e["event"] for e in report["trace"]["events"] if "move" not in e["event"]]
    assert events == ["admit", "stop", "upgrade_start", "upgrade_end", "start", "release"]
    check(report)


def check(report: dict[str, Any]) -> None:
    found = check_trace(snapshot_from_document(report["snapshot_before"]), report["trace"])
    assert [str(violation) for violation in found.violations] == []
    assert [f for f in report["findings"] if f["severity"] == "blocker"] == []


@pytest.mark.usefixtures("campaign")
def test_a_reboot_is_all_and_the_server_that_cannot_move_runs_again(
    harness: Harness,
) -> None:
    played = play(harness, bundle=REBOOT, hosts=[OTHER])
    assert played["state"] == "success"
    (node,) = [n for n in played["report"]["nodes"] if n["host"] == OTHER]
    (reboot,) = node["reboots"]
    assert reboot["boot"] != reboot["boot_before"]
    (stop,) = played["report"]["stops"]
    assert (stop["name"], stop["became"]) == ("anchor", "runs again")
    assert stop["asked"] < reboot["ordered_at"] < reboot["back_at"] < stop["ended"]
    anchor = played["after"]["anchor"]
    assert (anchor["status"], host_of(anchor)) == ("ACTIVE", OTHER)
    assert played["after"]["idle"]["status"] == "SHUTOFF"
    check(played["report"])
