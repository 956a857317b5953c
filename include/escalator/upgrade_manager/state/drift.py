"""Drift: nodes of one drain domain that do not run the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from escalator.model.bundle import COMPUTE, Bundle
from escalator.model.cloud import CloudSnapshot
from escalator.model.node_software import Software, sort_components
from escalator.model.verdict import Code, Severity, Subject, SubjectType, Verdict
from escalator.model.wording import name_some
from escalator.upgrade_manager.state.hypervisors import HYPERVISOR

JUDGED_ELSEWHERE = frozenset({COMPUTE, HYPERVISOR})
"""Components whose mixture has conditions of its own: what it means is known."""
_SHOWN = 4
"""Versions of a component that are said one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A component of which nodes have several versions.

    :ivar hosts_of: version -> its hosts, sorted; the version that most of them have comes first.
    """

    component: str
    hosts_of: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        """Say it: how many have the first version, which have the others."""
        (most, hosts), *others = self.hosts_of.items()
        said = [f"{most} on {len(hosts)}"]
        said += [f"{version} on {name_some(few)}" for version, few in others[: _SHOWN - 1]]
        if len(others) >= _SHOWN:
            said.append(f"{len(others) - _SHOWN + 1} more version(s)")
        return f"{self.component}: {'; '.join(said)}"


def add_software(snapshot: CloudSnapshot, software: Mapping[str, Software]) -> CloudSnapshot:
    """Return a snapshot whose nodes have what was read on them, too; what is known of them already stays.

    :param software: host -> what was read there.
    """
    nodes = (
        replace(node, versions={**software[node.host], **node.versions}) if node.host in software else node
        for node in snapshot.nodes
    )
    return replace(snapshot, nodes=tuple(nodes))


def judge_drift(
    domain: str, software: Mapping[str, Software], bundle: Bundle | None = None
) -> tuple[Verdict, ...]:
    """Say each component of which the nodes of a domain have different versions, and the odd nodes."""
    return tuple(
        Verdict(
            code=Code.VERSIONS_DIFFER,
            message=f"its nodes differ in {drift}",
            subject=Subject(type=SubjectType.DOMAIN, id=domain),
            severity=Severity.WARNING,
            remedy="bring the odd ones to what the others run, or see that the bundle brings it to all",
        )
        for drift in find_drift(software, bundle)
    )


def find_drift(software: Mapping[str, Software], bundle: Bundle | None = None) -> tuple[Drift, ...]:
    """Find the components of which some nodes have different versions, as far as they tell.

    :param software: host -> what is known of it.
    :param bundle: nodes that have what it brings are no drift beside those that have not; None: they are.
    """
    brings = {c.name: c.to for c in bundle.components} if bundle is not None else {}
    hosts_of: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for host, versions in software.items():
        for name, version in versions.items():
            if name not in JUDGED_ELSEWHERE and version != brings.get(name):
                hosts_of[name][version].append(host)
    return tuple(
        Drift(component=name, hosts_of=_sort(hosts_of[name]))
        for name in sort_components(hosts_of)
        if len(hosts_of[name]) > 1
    )


def _sort(hosts_of: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    ordered = sorted(hosts_of.items(), key=lambda item: (-len(item[1]), item[0]))
    return {version: tuple(sorted(hosts)) for version, hosts in ordered}
