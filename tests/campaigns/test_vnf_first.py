"""VNF first: real services with managers of every kind, on a real Nova, under a real scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from escalator.cloud_manager.snapshots import snapshot_from_document
from escalator.demo.vnfs import register_api, register_vnfs
from escalator.lab.vnf.specs import Form, VnfmSpec, VnfSpec
from escalator.lab.vnf.vnfm import Behaviour
from escalator.lab.vnf.world import VnfLab
from escalator.replay import check_trace
from tests.campaigns.harness import NEW, Harness, host_of

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(2400)]

SPECS = (
    VnfSpec(name="alpha", nodes=("node-01", "node-02"), vnfm=VnfmSpec(dialect="a")),
    VnfSpec(name="beta", nodes=("node-03", "node-04"), vnfm=VnfmSpec(dialect="b")),
    VnfSpec(
        name="silent",
        nodes=("node-02", "node-03"),
        vnfm=VnfmSpec(dialect="a", behaviour=Behaviour.SILENT),
    ),
    VnfSpec(
        name="nack",
        nodes=("node-01", "node-04"),
        vnfm=VnfmSpec(dialect="webhook", behaviour=Behaviour.NACK_ONCE),
    ),
    VnfSpec(
        name="liar",
        nodes=("node-01", "node-03"),
        form=Form.FLOATING_IP,
        vnfm=VnfmSpec(dialect="a", behaviour=Behaviour.LIAR),
    ),
    VnfSpec(name="alone", nodes=("node-02", "node-04"), form=Form.FLOATING_IP, takeover_seconds=0.6),
)
"""Two pairs that act themselves, one whose manager is silent, one that refuses once, one that lies, and one
without a manager, on a floating IP."""
SILENCE_SECONDS = 8.0


@pytest.fixture(scope="module")
def vnfs(harness: Harness) -> Iterator[VnfLab]:
    """The VNFs of the lab, their managers registered at Escalator, and Escalator in the catalogue."""
    harness.fresh([])
    made = VnfLab(harness.lab)
    register_api(harness.world, harness.stack.settings.url)
    try:
        register_vnfs(harness.world, made.start(*SPECS), silent={"reply_seconds": SILENCE_SECONDS})
        yield made
    finally:
        made.stop()
        (harness.world.inventory_dir / "vnfms.yaml").unlink(missing_ok=True)
        for path in harness.world.vnf_dir.glob("*.yaml"):
            path.unlink()


@pytest.fixture(scope="module")
def campaign(harness: Harness, vnfs: VnfLab) -> dict[str, Any]:
    assert vnfs.vnfs
    run = harness.trigger(move_standbys=False)  # each pair is switched over at both of its nodes
    state = harness.wait(run)
    return {"run": run, "state": state, "report": harness.report(run)}


def test_every_node_is_upgraded(harness: Harness, campaign: dict[str, Any]) -> None:
    assert campaign["state"] == "success", harness.states(campaign["run"])
    hosts = harness.lab.settings.hosts
    assert {host: harness.running(host) for host in hosts} == dict.fromkeys(hosts, NEW)


def test_who_acts_himself_is_not_moved(harness: Harness, vnfs: VnfLab, campaign: dict[str, Any]) -> None:
    servers = harness.servers()
    for name in ("alpha", "beta", "nack", "alone"):
        for member in vnfs.vnfs[name].servers:
            assert host_of(servers[member.name]) == member.host
    moved = {move["id"] for node in campaign["report"]["nodes"] for move in node["moves"]}
    loaded = {member.id for name in ("silent", "liar") for member in vnfs.vnfs[name].servers}
    active = vnfs.vnfs["liar"].servers[0].id
    assert active in moved
    assert moved <= loaded
    assert {member.id for member in vnfs.vnfs["silent"].servers} <= moved


def test_each_manager_heard_of_the_campaign_of_its_nodes_and_of_the_end(vnfs: VnfLab, campaign: Any) -> None:
    del campaign
    told = [name for name, vnf in vnfs.vnfs.items() if vnf.spec.vnfm is not None]
    heard = {name: [m["state"] for m in vnfs.messages(name)] for name in told}
    for name, states in heard.items():
        assert states[0] == "MAINTENANCE", name
        assert states[-1] == "MAINTENANCE_COMPLETE", name
    assert heard["alpha"].count("PLANNED_MAINTENANCE") >= 2, "again for a node that gave way"
    assert heard["nack"].count("PLANNED_MAINTENANCE") == 3
    assert heard["silent"].count("INSTANCE_ACTION_DONE") == 2


def test_who_lied_is_named(campaign: dict[str, Any]) -> None:
    codes = {finding["code"] for finding in campaign["report"]["findings"]}
    assert {"vnf_untrue", "vnf_silent", "vnf_refused"} <= codes


def switchovers(campaign: dict[str, Any]) -> list[dict[str, Any]]:
    return [e for e in campaign["report"]["trace"]["events"] if e["event"] == "switchover"]


def test_the_trace_has_what_managers_did_and_replay_misses_no_switchover(campaign: dict[str, Any]) -> None:
    report = campaign["report"]
    assert {"alpha", "beta", "nack", "alone"} <= {e["ha_group"] for e in switchovers(campaign)}
    judged = check_trace(snapshot_from_document(report["snapshot_before"]), report["trace"]).counts()
    assert not {"active_not_switched", "switchover_from", "switchover_to"} & set(judged), judged


def test_the_pair_without_a_manager_was_switched_over_once_for_each_node(
    harness: Harness, vnfs: VnfLab, campaign: dict[str, Any]
) -> None:
    members = {member.id for member in vnfs.vnfs["alone"].servers}
    events = [e for e in switchovers(campaign) if e["ha_group"] == "alone"]
    assert len(events) == len(members)
    assert {e["from"] for e in events} == members
    assert not [m for m in harness.world.cloud().fetch_migrations() if m.server_id in members]


def test_gaps_of_the_probe_and_of_the_service_itself_agree(vnfs: VnfLab, campaign: dict[str, Any]) -> None:
    served = vnfs.gaps("alone")
    assert len(served) == 2
    told = campaign["report"]["service_interruptions"]["gaps"]
    measured = [gap for gap in told if gap["group"] == "alone" and gap["measured"]]
    starts = [(datetime.fromisoformat(gap["started"]).timestamp(), gap["seconds"]) for gap in measured]
    for gap in served:
        assert gap.seconds is not None
        near = [seconds for start, seconds in starts if abs(start - gap.started_at) < 0.3]
        assert near, (gap, measured)
        assert gap.seconds - 0.05 <= near[0] <= gap.seconds + 0.5
