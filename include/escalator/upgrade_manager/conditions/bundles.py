"""The bundle: whether it has all that an upgrade needs, and asks for nothing that no step does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from escalator.model.bundle import (
    COMPUTE,
    Bundle,
    HookTime,
    Impact,
    NoMechanism,
    RebootPolicy,
    VenvMechanism,
)
from escalator.model.check_report import Condition
from escalator.model.errors import InvalidRequestError
from escalator.model.verdict import Code, Subject
from escalator.upgrade_manager.conditions.question import Family, Question, met, unmet
from escalator.upgrade_manager.conditions.way_back import check_way_back


def check_bundle(question: Question, _domain: str) -> Iterator[Condition]:
    """Find what is missing in the bundle; without one, say that nothing was looked at."""
    bundle = question.bundle
    if bundle is None:
        return
    subject = Subject.of_bundle(bundle.name)
    if bundle.target_version(COMPUTE) is None:
        yield unmet(
            Code.BUNDLE_INCOMPLETE,
            subject,
            f"it brings no {COMPUTE}: nothing tells whether a node is upgraded",
            f"name {COMPUTE} among its components",
        )
    doings = describe_doings(bundle)
    if doings:
        yield met(Code.REBOOTS, subject, doings)
    asked = find_unserved(bundle)
    if asked:
        yield unmet(
            Code.BUNDLE_UNSERVED,
            subject,
            f"it asks for what this release does not do: {', '.join(asked)}",
            "take it out of the bundle, and do it by other means before or after the campaign",
        )
    yield from check_way_back(question, bundle)


def describe_doings(bundle: Bundle) -> str:
    """Say what is done to a node beside bringing software to it: reboots, or nothing where that surprises."""
    limit = f"one that is not back {bundle.reboot_limit_seconds / 60:g} min after the order is failed"
    match bundle.reboot:
        case RebootPolicy.ALWAYS if bundle.only_reboots:
            return f"each node is emptied and rebooted, unless it was since the campaign began; {limit}"
        case RebootPolicy.IF_REQUIRED if bundle.only_reboots:
            return f"the nodes that ask for a reboot are emptied and rebooted; {limit}"
        case RebootPolicy.ALWAYS:
            return (
                f"each node is rebooted when it is empty and its commands and software were brought; {limit}"
            )
        case RebootPolicy.IF_REQUIRED:
            return f"a node is rebooted if it asks for that once the bundle was brought; {limit}"
        case RebootPolicy.NEVER:
            return _describe_rest(bundle)
        case _:
            assert_never(bundle.reboot)


def _describe_rest(bundle: Bundle) -> str:
    if bundle.impact is Impact.REBOOT:
        return "impact: reboot has each node emptied, but reboot: never has none rebooted"
    if not isinstance(bundle.mechanism, NoMechanism):
        return ""
    if bundle.hooks.get(HookTime.PRE) or bundle.hooks.get(HookTime.POST):
        return "no node is rebooted: hooks are all that is done to it"
    return "nothing is brought and no node is rebooted: what is pending is emptied, proved and given back"


def find_unserved(bundle: Bundle) -> tuple[str, ...]:
    """Return what a bundle asks for and no step of this release does."""
    return tuple(wish for _, wish in list_unserved(bundle))


def list_unserved(bundle: Bundle) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Give what a bundle asks for and no step of this release does, each with its place in the document.

    These are components that the mechanism does not bring: their nodes would be pending for ever.
    """
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
