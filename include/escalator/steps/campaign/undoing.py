"""Undoing: what a rollback takes back, from the run that it undoes: which nodes, in which order, by what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from escalator.documents.bundles import parse_bundle
from escalator.documents.way_back import turn_back
from escalator.ledger.ledger import Ledger
from escalator.ledger.undoable import ChangedNode, UndoableRun
from escalator.model.bundle import COMPUTE, Bundle
from escalator.model.campaign import RunOf
from escalator.model.errors import InvalidRequestError
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.way_back import find_one_way


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """What a rollback is to do.

    :ivar run: the run that is taken back.
    :ivar bundle_document: brings the nodes back to what they had.
    :ivar hosts: the nodes, in the order in which they go back: those that are out of service first, then
        those that were upgraded last.
    """

    run: RunOf
    bundle_document: Mapping[str, Any]
    hosts: tuple[str, ...]


def find_undoing(ledger: Ledger, campaign: str, run_id: str | None, *, hosts: Sequence[str] = ()) -> Undoing:
    """Find out what the rollback of a run of a campaign is to do.

    :param run_id: None: the last run that changed a node.
    :param hosts: nodes to bring back; empty: all that the run changed.
    :raises InvalidRequestError: nothing can be brought back: why, and what to do.
    """
    found = ledger.undoable(campaign, run_id)
    if found is None:
        which = f"run {run_id} of {campaign}" if run_id is not None else f"no run of {campaign}"
        raise InvalidRequestError(
            f"{which} changed {'no' if run_id is not None else 'any'} node: nothing is to be brought back",
            remedy="name a run of the upgrade that began to upgrade a node",
        )
    _refuse_one_way(parse_bundle(found.bundle_document), found.run_id)
    nodes = _choose(found, hosts)
    back = turn_back(found.bundle_document, {COMPUTE: _find_before(nodes)})
    return Undoing(
        run=RunOf(campaign=campaign, run_id=found.run_id, version=found.target_version),
        bundle_document=back,
        hosts=tuple(node.host for node in sorted(nodes, key=_turn)),
    )


def _turn(node: ChangedNode) -> tuple[bool, float]:
    """Order nodes: those that are out of service first, and what was changed last before the rest."""
    return node.released_at is not None, -node.begun_at.timestamp()


def _choose(run: UndoableRun, hosts: Sequence[str]) -> list[ChangedNode]:
    changed = {node.host: node for node in run.nodes}
    unchanged = sorted(set(hosts) - changed.keys())
    if unchanged:
        raise InvalidRequestError(
            f"run {run.run_id} did not change {name_some(unchanged)}",
            remedy=f"leave them out; it changed {name_some(sorted(changed))}",
        )
    return [node for node in run.nodes if not hosts or node.host in hosts]


def _refuse_one_way(bundle: Bundle, run_id: str) -> None:
    """Refuse a bundle that has no way back.

    :raises InvalidRequestError: says why.
    """
    reason = find_one_way(bundle)
    if not bundle.changes_nodes:
        reason = "it brings nothing"
    elif not bundle.rollback_supported:
        reason = "it does not say `rollback: {supported: true}`"
    if reason:
        raise InvalidRequestError(
            f"bundle {bundle.name}, as run {run_id} had it, has no way back: {reason}",
            remedy="bring the nodes back by hand from a backup, or upgrade them further",
        )


def _find_before(nodes: Sequence[ChangedNode]) -> str:
    """Return the release of nova-compute that the nodes had before.

    :raises InvalidRequestError: they did not all have the same, or nobody knows.
    """
    hosts_of: dict[str | None, list[str]] = {}
    for node in nodes:
        hosts_of.setdefault(node.from_version, []).append(node.host)
    if unknown := hosts_of.get(None):
        raise InvalidRequestError(
            f"what {name_some(sorted(unknown))} had before is not recorded",
            remedy="leave them out and bring them back by hand",
        )
    if len(hosts_of) > 1:
        said = "; ".join(f"{name_some(sorted(hosts))} had {version}" for version, hosts in hosts_of.items())
        raise InvalidRequestError(
            f"the nodes do not go back to the same version: {said}",
            remedy="start one rollback for each version, with its hosts",
        )
    (version,) = hosts_of
    return str(version)
