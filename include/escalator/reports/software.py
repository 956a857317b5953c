"""What nodes ran before and after: from what precheck and verify read on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from escalator.model.bundle import COMPUTE
from escalator.model.campaign import Step
from escalator.model.node_software import Software, sort_components
from escalator.model.wording import name_some
from escalator.reports.facts import CampaignFacts, StepRun

Row = dict[str, Any]
_OF_THE_API = "hypervisor"
"""What Nova's API tells, of libvirt or QEMU: the nodes themselves tell of both."""


def describe_software(facts: CampaignFacts, host: str) -> list[Row]:
    """Describe each component of a node: ``component``, ``before``, ``after``; None is what was not read.

    Before is what the first precheck read, beside what the campaign began with; after is what the last verify
    read. Of nova-compute it is what the mechanism read, where it brings that.
    """
    runs = facts.steps_of(host)
    before = _first(runs, Step.PRECHECK)
    if before:
        before = {**_begun_with(facts, host), **before}
    after = _first(tuple(reversed(runs)), Step.VERIFY)
    first, last = facts.versions_before.get(host), facts.versions_after.get(host)
    if before and first:
        before = {**before, COMPUTE: first}
    if after and first and last:  # a mechanism that brings nothing reads none, and counts as the target's
        after = {**after, COMPUTE: last}
    return [
        {"component": name, "before": before.get(name), "after": after.get(name)}
        for name in sort_components((*before, *after))
    ]


def list_verified_software(facts: CampaignFacts) -> dict[str, Software]:
    """Return what the nodes that the run verified were seen to run then, by host."""
    found = {host: _first(tuple(reversed(facts.steps_of(host))), Step.VERIFY) for host in facts.plan.hosts}
    return {host: software for host, software in found.items() if software}


def _begun_with(facts: CampaignFacts, host: str) -> Software:
    node = None if facts.before is None else facts.before.node(host)
    return {} if node is None else {name: v for name, v in node.versions.items() if name != _OF_THE_API}


def _first(runs: Sequence[StepRun], step: Step) -> Software:
    found = (run.details.get("software") for run in runs if run.step is step)
    return next((software for software in found if software), {})


def list_changes(nodes: Iterable[Mapping[str, Any]]) -> list[tuple[str, str | None, str | None, str]]:
    """Return a row for each component, before and after, and the nodes that have it so."""
    hosts_of: dict[tuple[str, str | None, str | None], list[str]] = {}
    for node in nodes:
        for row in node.get("software", ()):
            hosts_of.setdefault((row["component"], row["before"], row["after"]), []).append(node["host"])
    order = {name: place for place, name in enumerate(sort_components(key[0] for key in hosts_of))}
    rows = sorted(hosts_of.items(), key=lambda item: (order[item[0][0]], -len(item[1])))
    return [(*key, f"{len(hosts)}: {name_some(hosts)}") for key, hosts in rows]


def make_table(
    nodes: Iterable[Mapping[str, Any]],
) -> tuple[tuple[str, ...], list[tuple[str, list[Row | None]]]]:
    """Return the components, and for each node that told its rows in their order."""
    told = [node for node in nodes if node.get("software")]
    names = sort_components(row["component"] for node in told for row in node["software"])
    rows = []
    for node in told:
        of = {row["component"]: row for row in node["software"]}
        rows.append((node["host"], [of.get(name) for name in names]))
    return names, rows
