"""What of a bundle can be undone on a node, as far as the bundle itself tells: said before the start."""

from __future__ import annotations

from collections.abc import Iterator

from escalator.model.bundle import (
    COMPUTE,
    AnsibleMechanism,
    Bundle,
    CommandMechanism,
    KollaAnsibleMechanism,
)
from escalator.model.check_report import Condition
from escalator.model.verdict import Code, Severity, Subject
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import Question, met, unmet
from escalator.upgrade_manager.state.failed_nodes import choose_policy


def find_one_way(bundle: Bundle) -> str:
    """Say why a bundle that says to support a rollback has none all the same; empty: nodes can go back."""
    match bundle.mechanism:
        case CommandMechanism(rollback=None):
            return "it says to support a rollback, but names no rollback command"
        case AnsibleMechanism(rollback=None) | KollaAnsibleMechanism(rollback=None):
            return f"it says to support a rollback, but names none for {bundle.mechanism.type}"
        case _:
            return ""


def find_no_way_back(bundle: Bundle) -> str:
    """Say why nothing of a bundle can be taken back; empty: nodes can go back, as far as the bundle tells."""
    if not bundle.changes_nodes:
        return "it brings nothing that could be undone"
    if not bundle.rollback_supported:
        return "it does not say `rollback: {supported: true}`"
    return find_one_way(bundle)


def check_way_back(question: Question, bundle: Bundle) -> Iterator[Condition]:
    """Say whether upgraded nodes can go back, and to what; what only a node itself can tell is not judged."""
    if question.plan.undoes is not None:
        return
    subject = Subject.of_bundle(bundle.name)
    policy = choose_policy(question.plan.request, bundle)
    if policy.takes_back and (reason := find_no_way_back(bundle)):
        said = f"on_failed_node is {policy}, but the bundle has no way back: {reason}"
        yield unmet(
            Code.NO_WAY_BACK,
            subject,
            said,
            "say on_failed_node: quarantine, or choose a bundle that goes back",
        )
        return
    if not bundle.changes_nodes:
        return
    remedy = "have a backup, or another bundle that goes back"
    if not bundle.rollback_supported:
        said = "one-way: it does not support a rollback, an upgraded node does not go back"
        yield unmet(Code.NO_WAY_BACK, subject, said, remedy, Severity.INFO)
    elif reason := find_one_way(bundle):
        said = f"one-way: {reason}, an upgraded node does not go back"
        yield unmet(Code.NO_WAY_BACK, subject, said, remedy, Severity.WARNING)
    elif question.reachable is None:
        for version, hosts in _list_versions(question).items():
            said = f"{name_some(hosts)} would go back to {version}"
            yield met(Code.WAY_BACK, subject, f"{said}, if it is there still: nobody looked over SSH")


def _list_versions(question: Question) -> dict[str, list[str]]:
    """Return what the nodes that are still to be upgraded have now -> these nodes."""
    found: dict[str, list[str]] = {}
    for host in question.pending:
        version = question.nodes[host].versions.get(COMPUTE)
        named = f"{COMPUTE} {version}" if version else f"the {COMPUTE} of now, whose version is not known"
        found.setdefault(named, []).append(host)
    return found
