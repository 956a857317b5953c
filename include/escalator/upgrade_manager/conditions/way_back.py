"""What of a bundle can be undone on a node, as far as the bundle itself tells: said before the start."""

from __future__ import annotations

from collections.abc import Iterator

from escalator.model.bundle import (
    COMPUTE,
    AnsibleMechanism,
    Bundle,
    CommandMechanism,
    DnfMechanism,
    KollaAnsibleMechanism,
)
from escalator.model.check_report import Condition
from escalator.model.verdict import Code, Severity, Subject
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import Question, met, unmet


def find_one_way(bundle: Bundle) -> str:
    """Say why a bundle that says to support a rollback has none all the same; empty: nodes can go back."""
    match bundle.mechanism:
        case CommandMechanism(rollback=None):
            return "it says to support a rollback, but names no rollback command"
        case AnsibleMechanism(rollback=None) | KollaAnsibleMechanism(rollback=None):
            return f"it says to support a rollback, but names none for {bundle.mechanism.type}"
        case DnfMechanism():
            return f"this release cannot undo what {bundle.mechanism.type} brings"
        case _:
            return ""


def check_way_back(question: Question, bundle: Bundle) -> Iterator[Condition]:
    """Say whether upgraded nodes can go back, and to what; what only a node itself can tell is not judged."""
    if not bundle.changes_nodes or question.plan.undoes is not None:
        return
    subject = Subject.of_bundle(bundle.name)
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
