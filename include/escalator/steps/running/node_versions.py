"""What a node runs, read on the node itself: Nova's API does not say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from escalator.model.errors import EscalatorError, NodeFaultError
from escalator.model.verdict import Verdict, find_blockers
from escalator.steps.running.context import CampaignContext
from escalator.steps.running.done_before import find_done_before
from escalator.system_support.shell import Shell

SSH_AT_ONCE = 16
"""Nodes read side by side."""


def read_version(campaign: CampaignContext, host: str) -> str:
    """Return the release that the node's service runs; of a service that does not run, what is installed.

    It is empty for a mechanism that brings no version.

    :raises TransientError: the node cannot be reached.
    :raises NodeFaultError: it can, but does not say.
    """
    with campaign.shell(host) as shell:
        return _version(campaign, shell)


def _version(campaign: CampaignContext, shell: Shell) -> str:
    found = campaign.mechanism.installed(shell)
    if found is None:
        return ""
    version = found.running or found.version
    if version is None:
        raise NodeFaultError(
            f"{shell.host} does not say which {found.package} it has",
            remedy=f"look at {found.place} on the node",
        )
    return version


class NodesRead(NamedTuple):
    """What many nodes said.

    ``versions`` of the nodes that answered; ``faults``: for every node None, or why it did not answer;
    ``lacking``: what the mechanism lacks on nodes that did.
    """

    versions: dict[str, str]
    faults: dict[str, str | None]
    lacking: dict[str, tuple[Verdict, ...]]


def _look(campaign: CampaignContext, host: str) -> tuple[str, tuple[Verdict, ...]]:
    """Return what a node runs, and what the mechanism lacks there; only a good node asks the source."""
    target, mechanism = campaign.plan.target_version, campaign.mechanism
    with campaign.shell(host) as shell:
        version = _version(campaign, shell)
        lacking = find_blockers(mechanism.check(shell))
        if not lacking and target and version != target:
            lacking = find_blockers(mechanism.check_source(shell, target))
    return version, lacking


def read_versions(campaign: CampaignContext, hosts: tuple[str, ...]) -> NodesRead:
    """Read many nodes at once, and whether the bundle's mechanism has what it needs there.

    Of a bundle that brings nothing, the nodes that it was carried out on before count as having its version.
    """

    def one(host: str) -> tuple[str, str | None, str | None, tuple[Verdict, ...]]:
        try:
            version, lacking = _look(campaign, host)
        except EscalatorError as exc:
            return host, None, str(exc), ()
        return host, version, None, lacking

    with ThreadPoolExecutor(SSH_AT_ONCE) as pool:
        answers = tuple(pool.map(one, hosts))
    done = dict.fromkeys(find_done_before(campaign, hosts), campaign.plan.target_version)
    return NodesRead(
        versions={host: version for host, version, _, _ in answers if version is not None} | done,
        faults={host: fault for host, _, fault, _ in answers},
        lacking={host: lacking for host, _, _, lacking in answers if lacking},
    )
