"""What a node runs, read on the node itself: Nova's API does not say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from escalator.model.errors import EscalatorError, NodeFaultError
from escalator.model.verdict import find_blockers
from escalator.steps.running.context import CampaignContext
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


def _look(campaign: CampaignContext, host: str) -> tuple[str, str | None]:
    """Return what a node runs, and what the mechanism lacks there."""
    with campaign.shell(host) as shell:
        version = _version(campaign, shell)
        lacking = find_blockers(campaign.mechanism.check(shell))
    return version, "; ".join(f"{v.message} -> {v.remedy}" for v in lacking) or None


def read_versions(
    campaign: CampaignContext, hosts: tuple[str, ...]
) -> tuple[dict[str, str], dict[str, str | None]]:
    """Read many nodes at once, and whether the bundle's mechanism has what it needs there.

    :return: versions of the nodes that answered, and for every node None or what the mechanism lacks there.
    """

    def one(host: str) -> tuple[str, str | None, str | None]:
        try:
            return host, *_look(campaign, host)
        except EscalatorError as exc:
            return host, None, str(exc)

    with ThreadPoolExecutor(SSH_AT_ONCE) as pool:
        answers = tuple(pool.map(one, hosts))
    versions = {host: version for host, version, _ in answers if version is not None}
    return versions, {host: fault for host, _, fault in answers}
