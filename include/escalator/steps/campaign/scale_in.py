"""Scale in: where a domain lacks room, the managers of VNFs that can give some are asked for it.

Nobody is asked while nothing lacks, nor more often than twice. A second run finds what was asked.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.maintenance_session import MaintenanceSession, SessionState
from escalator.model.notice import Notice, NoticeRecord, NoticeState
from escalator.model.verdict import Code
from escalator.model.wording import name_some
from escalator.steps.running.context import CampaignContext
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.state.capacity import MEMORY
from escalator.vim_interface.desk import VimDesk, list_waiting
from escalator.vim_interface.negotiation.asking import make_session_notices

log = logging.getLogger("escalator.steps.scale_in")

ASKINGS = 2
"""How often a campaign asks at most."""
INSTANCES_KEY, VCPUS_KEY, RAM_KEY = "scale_in_instances", "scale_in_vcpus", "scale_in_ram_mib"
"""Keys of the metadata: what a project is asked to give at least. OpenStack Fenix has no word for it."""
Owner = tuple[str, str]
"""Id of a manager, and of a project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How far the asking has got.

    :ivar waits: who has not answered yet; empty: nobody is waited for.
    :ivar records: what was asked and is answered, or past its deadline.
    :ivar finding: that room lacks all the same, in words; empty: none does.
    """

    waits: tuple[str, ...] = ()
    records: tuple[NoticeRecord, ...] = ()
    finding: str = ""


def ask_to_scale_in(campaign: CampaignContext, desk: VimDesk, session: MaintenanceSession) -> Scaling:
    """Ask the managers for room while the domain lacks some; look at the cloud anew after their answers.

    Who was silent, or refused, is not asked again: the others are asked for what is lacking then. Where
    nobody is registered, the cloud is not looked at.
    """
    if not desk.managers():
        return Scaling()
    closed: list[NoticeRecord] = []
    for asking in range(ASKINGS):
        records = desk.find_own(NoticeState.SCALE_IN, session, asking)
        if not records:
            snapshot = campaign.fetch_snapshot()
            going = _find_scale_in(campaign, desk, snapshot, unwilling=_list_unwilling(closed))
            if not going:
                break
            desk.notices.set_session_state(desk.session_id, SessionState.SCALE_IN)
            number = desk.find_round(session, asking)
            records = desk.ask(_make_notices(campaign, desk, number, snapshot, going), campaign.clock())
        waits = list_waiting(records, campaign.clock())
        if waits:
            return Scaling(waits=waits)
        closed += desk.close(records, campaign.clock())
    return Scaling(records=tuple(closed), finding=_find_lack(campaign) if closed else "")


def _find_scale_in(
    campaign: CampaignContext, desk: VimDesk, snapshot: CloudSnapshot, *, unwilling: frozenset[Owner]
) -> tuple[Server, ...]:
    """Return the servers without which the domain would have room; the check of conditions asks the same."""
    scalable = desk.vnfms.list_scalable(snapshot, campaign.plan.hosts)
    if not scalable:
        return ()
    concerns = desk.list_concerns(server for server in snapshot.servers if server.id in scalable)
    left = {i for c in concerns if (c.vnfm.id, c.project_id) not in unwilling for i in c.server_ids}
    question = ask(campaign.plan, snapshot, bundle=campaign.bundle, scalable=frozenset(left))
    return tuple(server for servers in question.scale_in.values() for server in servers)


def _list_unwilling(records: Iterable[NoticeRecord]) -> frozenset[Owner]:
    return frozenset((r.notice.vnfm, r.notice.project_id) for r in records if not r.agreed)


def _make_notices(
    campaign: CampaignContext,
    desk: VimDesk,
    number: int,
    snapshot: CloudSnapshot,
    going: Sequence[Server],
) -> list[Notice]:
    """Make SCALE_IN for every project that is to give something, with what it is to give at least."""
    shares: dict[Owner, list[Server]] = defaultdict(list)
    for concern in desk.list_concerns(going):
        shares[concern.vnfm.id, concern.project_id] += [s for s in going if s.id in concern.server_ids]
    on_nodes = [s for host in campaign.plan.hosts for s in snapshot.servers_on(host)]
    notices = make_session_notices(
        desk.list_concerns(on_nodes),
        NoticeState.SCALE_IN,
        session_id=desk.session_id,
        now=campaign.clock(),
        asking=number,
        bundle=campaign.plan.request.bundle,
    )
    return [
        replace(n, metadata={**n.metadata, **_measure(shares[n.vnfm, n.project_id])})
        for n in notices
        if (n.vnfm, n.project_id) in shares
    ]


def _measure(servers: Sequence[Server]) -> Mapping[str, str]:
    """Write what servers take, as text: that is what metadata of a notice holds."""
    return {
        INSTANCES_KEY: str(len(servers)),
        VCPUS_KEY: str(sum(s.resources.get("VCPU", 0) + s.resources.get("PCPU", 0) for s in servers)),
        RAM_KEY: str(sum(s.resources.get(MEMORY, 0) for s in servers)),
    }


def _find_lack(campaign: CampaignContext) -> str:
    """Say which nodes lack room after all; empty when none does."""
    question = ask(campaign.plan, campaign.fetch_snapshot(), bundle=campaign.bundle)
    stuck = sorted(question.sequence.stuck)
    if not stuck:
        return ""
    finding = f"[{Code.CAPACITY}] after SCALE_IN there is no room for the servers of {name_some(stuck)}"
    log.warning("%s: they wait for room, or are held", finding)
    return finding
