"""What a node runs, read on the node itself: Nova's API does not say."""

from __future__ import annotations

import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from escalator.model.boot import Boot
from escalator.model.bundle import COMPUTE, Bundle, RebootPolicy
from escalator.model.errors import EscalatorError, LoginRefusedError, NodeFaultError
from escalator.model.migration_settings import MigrationSettings
from escalator.model.node_software import Software
from escalator.model.verdict import Code, Subject, Verdict, find_blockers
from escalator.model.way_back import WayBack
from escalator.model.wording import name_some
from escalator.steps.running.context import CampaignContext
from escalator.steps.running.done_before import find_done_before, find_rebooted
from escalator.system_support.boots import read_boot
from escalator.system_support.node_software import read_software
from escalator.system_support.nova_settings import read_migration_settings
from escalator.system_support.shell import Shell
from escalator.upgrade_manager.conditions.way_back import find_one_way

log = logging.getLogger("escalator.steps.running.node_versions")

SSH_AT_ONCE = 16
"""Nodes read side by side."""
REFUSED_PAUSES_SECONDS = (15.0, 30.0, 60.0, 60.0)
"""Pauses before nodes that refuse the log-in are asked again: a directory of accounts may be away."""


class NodeVersion(NamedTuple):
    """What a node counts as having.

    ``version``: release of nova-compute; empty: the mechanism brings none. ``brought``: versions of the other
    components that the mechanism brings; ``behind``: those of them that are not what the bundle brings.
    """

    version: str
    brought: Software = MappingProxyType({})
    behind: tuple[str, ...] = ()

    def is_at(self, target: str) -> bool:
        """Tell whether all that the bundle brings is there."""
        return self.version == target and not self.behind


def read_version(campaign: CampaignContext, host: str) -> NodeVersion:
    """Return the release that the node's service runs; of a service that does not run, what is installed.

    :raises TransientError: the node cannot be reached.
    :raises NodeFaultError: it can, but does not say.
    """
    with campaign.shell(host) as shell:
        return _read_installed(campaign, shell)


def _read_installed(campaign: CampaignContext, shell: Shell) -> NodeVersion:
    found = campaign.mechanism.installed(shell)
    if found is None:
        return NodeVersion("")
    version = found.running or found.version
    if version is None:
        raise NodeFaultError(
            f"{shell.host} does not say which {found.package} it has",
            remedy=f"look at {found.place} on the node",
        )
    brought = {name: one for name, one in found.components.items() if one and name != COMPUTE}
    return NodeVersion(version, brought, found.find_behind(campaign.bundle.components))


def list_others(bundle: Bundle, software: Software) -> dict[str, str]:
    """Return the versions of the bundle's components, nova-compute aside, as far as a node tells of them."""
    names = {component.name for component in bundle.components} - {COMPUTE}
    return {name: version for name, version in software.items() if name in names}


class NodesRead(NamedTuple):
    """What many nodes said.

    ``versions`` of the nodes that answered; ``faults``: for every node None, or why it did not answer;
    ``lacking``: what the mechanism lacks on nodes that did; ``told``: what it says that is in nobody's way;
    ``settings``: what their Nova allows live
    migrations; ``software``: what they tell of all their components; ``boots``: which boots they are in,
    where that tells whether a reboot is to come; ``behind``: components of theirs, nova-compute aside, that
    are not what the bundle brings; ``ways_back``: to what they would go back, where the bundle supports that.
    """

    versions: dict[str, str]
    faults: dict[str, str | None]
    lacking: dict[str, tuple[Verdict, ...]]
    told: dict[str, tuple[Verdict, ...]]
    settings: dict[str, MigrationSettings]
    software: dict[str, Software]
    boots: dict[str, Boot]
    behind: dict[str, tuple[str, ...]]
    ways_back: dict[str, WayBack]


def _look(campaign: CampaignContext, host: str) -> _Answer:
    """Find what a node runs, and what the mechanism lacks there; only a good node asks the source."""
    target, mechanism, bundle = campaign.plan.target_version, campaign.mechanism, campaign.bundle
    asked_at = campaign.clock()
    with campaign.shell(host) as shell:
        has = _read_installed(campaign, shell)
        found = mechanism.check(shell)
        if not find_blockers(found) and target and not has.is_at(target):
            found += mechanism.check_source(shell, target)
        settings = read_migration_settings(shell) if mechanism.brings_software else None
        software = {**read_software(shell), **has.brought} if campaign.reads_software else has.brought
        signs = bundle.reboot is RebootPolicy.IF_REQUIRED
        boot = read_boot(shell, signs=signs) if signs or bundle.only_reboots else None
        way_back = _read_way_back(campaign, shell) if not find_blockers(found) else None
    booted = None if boot is None else (asked_at, boot)
    return _Answer(host, has, found, settings=settings, software=software, booted=booted, way_back=way_back)


def _read_way_back(campaign: CampaignContext, shell: Shell) -> WayBack | None:
    """Ask a node to what it would go back; None where nobody wants to know. Who cannot say is one-way."""
    target, bundle, mechanism = campaign.plan.target_version, campaign.bundle, campaign.mechanism
    if not (target and bundle.rollback_supported and mechanism.brings_software) or find_one_way(bundle):
        return None
    try:
        return mechanism.way_back(shell, target)
    except NodeFaultError as exc:
        return WayBack.one_way(exc.message)


class _Answer(NamedTuple):
    """What one node said: its version and what it lacks, or why it did not answer.

    ``found``: all that the mechanism said; ``booted``: the boot that it is in, after a time before that was
    asked.
    """

    host: str
    has: NodeVersion | None = None
    found: tuple[Verdict, ...] = ()
    fault: EscalatorError | None = None
    settings: MigrationSettings | None = None
    software: Software = MappingProxyType({})
    booted: tuple[datetime, Boot] | None = None
    way_back: WayBack | None = None


def read_versions(campaign: CampaignContext, hosts: tuple[str, ...]) -> NodesRead:
    """Read many nodes at once, and whether the bundle's mechanism has what it needs there.

    Nodes that refuse the log-in are asked again, for some minutes. Of a bundle that brings nothing, the nodes
    that it was carried out on before count as having its version, and so do those that need no reboot for it.
    """
    answers = _ask(campaign, hosts)
    for pause in REFUSED_PAUSES_SECONDS:
        refused = [a.host for a in answers.values() if isinstance(a.fault, LoginRefusedError)]
        if not refused:
            break
        log.warning("%s refuse the log-in: asked again in %.0f s", name_some(refused), pause)
        campaign.sleep(pause)
        answers |= _ask(campaign, refused)
    booted = {host: a.booted for host, a in answers.items() if a.booted is not None}
    done = find_done_before(campaign, hosts) | find_rebooted(campaign, booted)
    return NodesRead(
        versions={host: a.has.version for host, a in answers.items() if a.has is not None}
        | dict.fromkeys(done, campaign.plan.target_version),
        faults={host: None if a.fault is None else str(a.fault) for host, a in answers.items()},
        lacking={host: lacking for host, a in answers.items() if (lacking := find_blockers(a.found))},
        told={host: told for host, a in answers.items() if (told := _find_told(a))},
        settings={host: a.settings for host, a in answers.items() if a.settings is not None},
        software={host: a.software for host, a in answers.items() if a.software},
        boots={host: boot for host, (_, boot) in booted.items()},
        ways_back={host: a.way_back for host, a in answers.items() if a.way_back is not None},
        behind={host: a.has.behind for host, a in answers.items() if a.has is not None and a.has.behind},
    )


def _find_told(answer: _Answer) -> tuple[Verdict, ...]:
    return tuple(verdict for verdict in answer.found if not verdict.blocks)


def _ask(campaign: CampaignContext, hosts: Collection[str]) -> dict[str, _Answer]:
    with ThreadPoolExecutor(SSH_AT_ONCE) as pool:
        return {answer.host: answer for answer in pool.map(partial(_ask_one, campaign), hosts)}


def _ask_one(campaign: CampaignContext, host: str) -> _Answer:
    try:
        return _look(campaign, host)
    except EscalatorError as exc:
        if exc.code is Code.NODE_NO_PRIVILEGE:  # SSH gets there
            subject = Subject.of_node(host)
            verdict = Verdict(code=exc.code, message=exc.message, subject=subject, remedy=exc.remedy)
            return _Answer(host, found=(verdict,))
        return _Answer(host, fault=exc)
