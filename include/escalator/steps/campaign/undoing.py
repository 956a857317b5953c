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
    bundle = parse_bundle(found.bundle_document)
    _refuse_one_way(bundle, found.run_id)
    nodes = _choose(found, hosts)
    names = tuple(component.name for component in bundle.components)
    back = turn_back(found.bundle_document, _find_before(nodes, names))
    others = {component.name: component.to for component in bundle.components if component.name != COMPUTE}
    return Undoing(
        run=RunOf(campaign=campaign, run_id=found.run_id, version=found.target_version, components=others),
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


def _find_before(nodes: Sequence[ChangedNode], names: Sequence[str]) -> dict[str, str]:
    """Return which versions of some components the nodes had before.

    :raises InvalidRequestError: they did not all have the same, or nobody knows.
    """
    hosts_of: dict[tuple[str | None, ...], list[str]] = {}
    for node in nodes:
        hosts_of.setdefault(tuple(map(node.before.get, names)), []).append(node.host)
    unknown = [
        f"{name} of {name_some(sorted(hosts))}"
        for versions, hosts in hosts_of.items()
        for name, version in zip(names, versions, strict=True)
        if version is None
    ]
    if unknown:
        raise InvalidRequestError(
            f"which version there was before is not recorded, or there was none: {'; '.join(unknown)}",
            remedy="leave these nodes out and bring them back by hand, or restore them from a backup",
        )
    found = [
        (dict(zip(names, map(str, versions), strict=True)), hosts) for versions, hosts in hosts_of.items()
    ]
    if len(found) > 1:
        said = "; ".join(f"{name_some(sorted(hosts))} had {_name_all(before)}" for before, hosts in found)
        raise InvalidRequestError(
            f"the nodes do not go back to the same version: {said}",
            remedy="start one rollback for each version, with its hosts",
        )
    ((before, _),) = found
    return before


def _name_all(versions: Mapping[str, str]) -> str:
    if set(versions) == {COMPUTE}:
        return versions[COMPUTE]
    return ", ".join(f"{name} {version}" for name, version in versions.items())
