"""Watch the services of a campaign: probe those whose VNF has a server on a node that is worked on.

Every look may be the last one: what it found is in the ledger when it returns. A second watch, after the
process was killed, goes on where the ledger ends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from escalator.model.cloud import CloudSnapshot
from escalator.model.errors import EscalatorError
from escalator.model.interruption import Gap
from escalator.model.vnf_means import ProbeTarget
from escalator.steps.running.context import CampaignContext
from escalator.upgrade_manager.state.memberships import Memberships, find_interruption_limits
from escalator.vim_interface.probes.session import ProbeSession, Watched, name_address

log = logging.getLogger("escalator.steps.campaign.watch_services")

FindProbes = Callable[[CloudSnapshot], Mapping[str, ProbeTarget]]
"""Says where the services of a snapshot's HA groups are probed: id of the group -> target."""
RETRY_AFTER = timedelta(seconds=10)
"""Pause before a cloud that could not be read is asked again."""


class ServiceWatch:
    """Probes the services of one run; used by one thread at a time.

    :param open_session: begins the probes of the run.
    """

    def __init__(
        self,
        campaign: CampaignContext,
        find_probes: FindProbes,
        *,
        open_session: Callable[..., ProbeSession] = ProbeSession,
    ) -> None:
        self._campaign = campaign
        self._find_probes = find_probes
        self._open_session = open_session
        self._session: ProbeSession | None = None
        self._targets: dict[str, tuple[ProbeTarget, ...]] = {}
        self._limits: dict[str, float] = {}
        self._not_before: datetime | None = None
        self._unrecorded: dict[tuple[str, datetime], Gap] = {}
        run = campaign.run
        gaps = run.gaps().of_run(run.campaign, run.run_id)
        self._answered = {gap.address for gap in gaps if not gap.never_answered}

    def look(self) -> bool:
        """Probe what has to be probed now, and record what was found since the last look.

        :return: the way of every node of the campaign is at its end, and none is to come again.
        """
        nodes = self._campaign.run.nodes()
        out = [node.host for node in nodes if node.state.under_way]
        self._targets = {host: targets for host, targets in self._targets.items() if host in out}
        new = [host for host in out if host not in self._targets]
        if new:
            self._learn_targets(new)
        self._probe(self._list_watched())
        return all(node.state.ended and not node.gave_way for node in nodes)

    def close(self) -> None:
        """End the probes and record what they found last; a second call changes nothing."""
        session, self._session = self._session, None
        if session is not None:
            self._record(session.close())

    def _learn_targets(self, hosts: list[str]) -> None:
        """Look which groups have members on hosts; when the cloud cannot be read, again in a while."""
        campaign, now = self._campaign, self._campaign.clock()
        if self._not_before is not None and now < self._not_before:
            return
        try:
            snapshot = campaign.fetch_snapshot()
            probes = self._find_probes(snapshot)
        except EscalatorError as exc:
            log.warning("not probed yet: services of servers on %s: %s", ", ".join(hosts), exc)
            self._not_before = now + RETRY_AFTER
            return
        self._limits |= find_interruption_limits(Memberships(snapshot))
        for host in hosts:
            moved = {move.server_id for move in campaign.run.moves(host) if move.succeeded}
            groups = find_groups_on(snapshot, host, moved)
            self._targets[host] = tuple(probes[group] for group in groups if group in probes)

    def _list_watched(self) -> dict[ProbeTarget, Watched]:
        watched: dict[ProbeTarget, Watched] = {}
        for host, targets in self._targets.items():
            for target in targets:
                answered = name_address(target) in self._answered
                watched.setdefault(target, Watched(host=host, target=target, answered=answered))
        return watched

    def _probe(self, watched: Mapping[ProbeTarget, Watched]) -> None:
        if self._session is None:
            if not watched:
                return
            run = self._campaign.run
            self._session = self._open_session(
                cloud=self._campaign.plan.request.cloud, campaign=run.campaign, run_id=run.run_id
            )
        self._record(self._session.update(watched.values()))
        if not watched:
            self.close()

    def _record(self, gaps: tuple[Gap, ...]) -> None:
        """Record gaps; what the ledger does not take now it gets with the next look."""
        for found in gaps:
            gap = replace(found, limit_seconds=self._limits.get(found.group))
            self._unrecorded[gap.address, gap.started_at] = gap
            if not gap.never_answered:
                self._answered.add(gap.address)
        book = self._campaign.run.gaps()
        try:
            for key, gap in tuple(self._unrecorded.items()):
                book.record(gap)
                del self._unrecorded[key]
        except EscalatorError as exc:
            log.warning("%d gap(s) of services are not in the ledger yet: %s", len(self._unrecorded), exc)


def find_groups_on(snapshot: CloudSnapshot, host: str, moved: set[str]) -> tuple[str, ...]:
    """Return the ids of the HA groups that have a member on a node, or had one that was moved off it.

    :param moved: ids of the servers that were moved off the node.
    """
    there = moved | {server.id for server in snapshot.servers_on(host)}
    return tuple(group.id for group in snapshot.ha_groups if not there.isdisjoint(group.members))
