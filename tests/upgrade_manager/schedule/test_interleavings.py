"""Decide, complete, decide again, in any order: no HA group beyond its limit, never more than K out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.builders import NOW, make_plan, remembering
from tests.simulator.fleets import fleets
from tests.upgrade_manager.clouds import few

from escalator.model.campaign import CampaignPlan, LedgerView
from escalator.model.cloud import CloudSnapshot, Node, ServiceStatus
from escalator.model.decisions import Admission
from escalator.upgrade_manager.schedule.admission import check_lease_kept, decide_admissions


class Played:
    """A cloud in which admitted nodes are out, and come back when somebody says so."""

    def __init__(self, snapshot: CloudSnapshot, plan: CampaignPlan) -> None:
        self.snapshot, self.plan = snapshot, plan
        self.now: datetime = NOW
        self.returned: dict[str, datetime] = {}

    @property
    def out(self) -> list[str]:
        return [n.host for n in self.snapshot.nodes if n.lease is not None]

    def admit(self) -> list[str]:
        ledger = remembering(self.snapshot, self.plan, LedgerView(given_back=self.returned))
        decisions = decide_admissions(self.snapshot, self.plan, ledger, self.now)
        fresh = [h for h, d in decisions.items() if d.admission is Admission.ADMIT and h not in self.out]
        for host in fresh:
            reason = self.plan.lease(host).render()
            self._change(host, status=ServiceStatus.DISABLED, disabled_reason=reason)
        return fresh

    def complete(self, host: str) -> None:
        self._change(host, status=ServiceStatus.ENABLED, disabled_reason=None, upgraded=True)
        self.returned[host] = self.now

    def impacted(self, member: str) -> bool:
        server = next(s for s in self.snapshot.servers if s.id == member)
        node = self.snapshot.node(server.host or "")
        if node is None or not node.eligible_destination:
            return True
        recovery = next(g.recovery_seconds for g in self.snapshot.ha_groups if member in g.members)
        back = self.returned.get(node.host)
        recovering = back is not None and self.now < back + timedelta(seconds=recovery)
        return recovering or server.vm_state != "active" or server.power_state != "running"

    def _change(self, host: str, **fields: object) -> None:
        nodes = tuple(self._changed(n, fields) if n.host == host else n for n in self.snapshot.nodes)
        self.snapshot = replace(self.snapshot, nodes=nodes)

    @staticmethod
    def _changed(node: Node, fields: dict[str, object]) -> Node:
        return replace(node, **fields)


@given(fleets(), st.integers(1, 4), st.data())
@few
def test_no_group_beyond_its_limit_and_never_more_than_k_out(
    snapshot: CloudSnapshot, parallel: int, data: st.DataObject
) -> None:
    hosts = [n.host for n in snapshot.nodes if n.target]
    played = Played(snapshot, make_plan(*hosts, max_parallel=parallel))
    for _ in range(12):
        before = {g.id: sum(map(played.impacted, g.members)) for g in snapshot.ha_groups}
        played.admit()
        assert len(played.out) <= parallel
        for group in snapshot.ha_groups:
            now = sum(map(played.impacted, group.members))
            assert now <= max(group.tolerated, before[group.id])
        if played.out and data.draw(st.booleans()):
            played.complete(data.draw(st.sampled_from(played.out)))
        played.now += timedelta(seconds=data.draw(st.sampled_from([0, 30, 100, 6000])))


def test_the_check_after_the_write_sees_a_pair_that_two_domains_split() -> None:
    from tests.builders import DOMAINS, make_cloud, make_pair, make_target

    group, members = make_pair("db", "a", "b")
    snapshot = make_cloud(
        [make_target("a"), make_target("b", domain=DOMAINS[1])], members, ha_groups=(group,)
    )
    plan = make_plan("a", "b", max_parallel=2)
    other = make_plan("b", campaign="upgrade__az2")
    services = [
        _service(
            played.host, lease=plan.lease("a").render() if played.host == "a" else other.lease("b").render()
        )
        for played in snapshot.nodes
    ]
    kept = check_lease_kept(services, [], plan, "a", snapshot=snapshot, now=NOW)
    assert kept.admission is Admission.WAIT
    assert "HA group db" in kept.message
    alone = check_lease_kept(
        [services[0], _service("b", lease=None)], [], plan, "a", snapshot=snapshot, now=NOW
    )
    assert alone.admission is Admission.ADMIT


def _service(host: str, *, lease: str | None):  # type: ignore[no-untyped-def]  # noqa: ANN202
    from escalator.model.cloud import ComputeService, ServiceState

    return ComputeService(
        id=host,
        host=host,
        zone="az1",
        state=ServiceState.UP,
        status=ServiceStatus.DISABLED if lease else ServiceStatus.ENABLED,
        disabled_reason=lease,
    )
