"""The bundle: whether it has all that an upgrade needs, and asks for nothing that no step does."""

from __future__ import annotations

from collections.abc import Iterator

from escalator.model.bundle import COMPUTE, Bundle, Impact, RebootPolicy, VenvMechanism
from escalator.model.check_report import Condition
from escalator.model.errors import InvalidRequestError
from escalator.model.verdict import Code, Severity, Subject, SubjectType
from escalator.upgrade_manager.conditions.question import Family, Question, unmet


def check_bundle(question: Question, _domain: str) -> Iterator[Condition]:
    """Find what is missing in the bundle; without one, say that nothing was looked at."""
    bundle = question.bundle
    if bundle is None:
        return
    subject = Subject(type=SubjectType.BUNDLE, id=bundle.name)
    if bundle.target_version(COMPUTE) is None:
        yield unmet(
            Code.BUNDLE_INCOMPLETE,
            subject,
            f"it brings no {COMPUTE}: nothing tells whether a node is upgraded",
            f"name {COMPUTE} among its components",
        )
    asked = find_unserved(bundle)
    if asked:
        yield unmet(
            Code.BUNDLE_UNSERVED,
            subject,
            f"it asks for what this release does not do: {', '.join(asked)}",
            "take it out of the bundle, and do it by other means before or after the campaign",
        )
    if not bundle.rollback_supported:
        yield unmet(
            Code.NO_WAY_BACK,
            subject,
            "it does not support a rollback: an upgraded node does not go back",
            "have a backup, or another bundle that goes back",
            Severity.INFO,
        )


def find_unserved(bundle: Bundle) -> tuple[str, ...]:
    """Return what a bundle asks for and no step of this release does."""
    return tuple(wish for _, wish in list_unserved(bundle))


def list_unserved(bundle: Bundle) -> tuple[tuple[tuple[str | int, ...], str], ...]:
    """Return what a bundle asks for and no step of this release does, each with its place in the document."""
    wishes = {
        "impact: reboot": (("impact",), bundle.impact is Impact.REBOOT),
        "reboot": (("reboot",), bundle.reboot is not RebootPolicy.NEVER),
    }
    asked = ((at, name) for name, (at, wanted) in wishes.items() if wanted)
    return (*asked, *_find_not_brought(bundle))


def _find_not_brought(bundle: Bundle) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the components that the mechanism does not bring: their nodes would be pending for ever."""
    if not isinstance(bundle.mechanism, VenvMechanism):
        return
    service = bundle.mechanism.service
    for index, component in enumerate(bundle.components):
        if component.name != service:
            yield ("components", index), f"component {component.name} (venv brings {service} only)"


def refuse_unserved(bundle: Bundle) -> None:
    """Refuse a bundle that asks for what no step of this release does: better no start than half of it.

    :raises InvalidRequestError: names every such wish.
    """
    asked = find_unserved(bundle)
    if asked:
        raise InvalidRequestError(
            f"bundle {bundle.name} asks for what this release does not do: {', '.join(asked)}",
            remedy="take it out of the bundle, and do it by other means before or after the campaign",
        )


def _says(question: Question, _domain: str) -> str:
    if question.bundle is None:
        return ""
    return f"it names {COMPUTE} and a mechanism that is served, {question.bundle.mechanism.type}"


FAMILY = Family(code=Code.BUNDLE_COMPLETE, check=check_bundle, says=_says)
