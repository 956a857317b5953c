"""Versions: what the bundle's steps mean on the targets, which releases are mixed, which cannot be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from escalator.model.bundle import COMPUTE, Bundle, Component
from escalator.model.check_report import Condition
from escalator.model.errors import InvalidRequestError
from escalator.model.verdict import Code, Severity, Subject
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import Family, Question, count, met, unmet
from escalator.upgrade_manager.state.hypervisors import HYPERVISOR, is_hypervisor
from escalator.upgrade_manager.versions.compatibility import StepJudgement, judge_step
from escalator.upgrade_manager.versions.release_version import Scheme

_DOWNGRADE = (
    "bring a newer release; to undo what a run brought, start its rollback; to bring an older one all the "
    "same, say allow_downgrade in the run"
)


def check_releases(question: Question, _domain: str) -> Iterator[Condition]:
    """Judge the step of every component on the targets, and what the other nodes run beside it."""
    yield from _mixed(question)
    if question.bundle is None:
        yield unmet(
            Code.NOT_CHECKED,
            Subject.of_cloud(question.snapshot.cloud),
            "no bundle was named: the steps between versions were not judged",
            "name the bundle with --bundle",
            Severity.INFO,
        )
        return
    for component in question.bundle.components:
        yield from _component(question, question.bundle, component)
    yield from _others(question, question.bundle)


def _component(question: Question, bundle: Bundle, component: Component) -> Iterator[Condition]:
    """Judge the step of one component, once for each version that the targets report of it."""
    reported: dict[str | None, list[str]] = defaultdict(list)
    name = HYPERVISOR if is_hypervisor(component) else component.name
    for host in question.pending:
        reported[question.nodes[host].versions.get(name)].append(host)
    subject = Subject.of_bundle(bundle.name)
    for version, hosts in sorted(reported.items(), key=lambda item: item[0] or ""):
        where = f"on {name_some(hosts)}"
        if version is None:
            yield unmet(
                Code.VERSION_UNREADABLE,
                subject,
                f"{component.name} {where}: N/A, its version is not reported",
                "it is read on the nodes at the start of a campaign",
                Severity.INFO,
            )
            continue
        judgement = _judged(component, version)
        if judgement is None:
            yield unmet(
                Code.VERSION_UNREADABLE,
                subject,
                f"{component.name} {where}: N/A, {version!r} cannot be read as {component.scheme}",
                "correct the scheme in the bundle, or see what the nodes report",
                Severity.WARNING,
            )
        elif judgement.allowed or (judgement.backwards and _may_go_back(question)):
            yield met(Code.VERSION_STEP, subject, f"{component.name} {where}: {judgement.message}")
        else:
            yield unmet(
                Code.VERSION_DOWNGRADE if judgement.backwards else Code.VERSION_TOO_FAR,
                subject,
                f"{component.name} {where}: {judgement.message}",
                _DOWNGRADE if judgement.backwards else judgement.remedy or "choose another bundle",
                # one too far behind would stay so, and stop the others
                hosts=hosts if judgement.backwards else (),
            )


def _may_go_back(question: Question) -> bool:
    """Tell whether older versions are what is asked for: by a way back, or by a downgrade that is allowed."""
    return question.plan.undoes is not None or question.plan.request.allow_downgrade


def _judged(component: Component, version: str) -> StepJudgement | None:
    """Judge the step of a component; None when what is reported cannot be read.

    What a node reports may be a package's version or the release's: what is not read as the one is read as
    the other.
    """
    schemes = dict.fromkeys((component.scheme, Scheme.PBR.value))
    for scheme in schemes:
        try:
            return judge_step(version, component.to, scheme, component=component.name)
        except InvalidRequestError:
            continue
    return None


def _mixed(question: Question) -> Iterator[Condition]:
    """Name the releases of nova-compute that are mixed now; mixed releases are legal while they are few."""
    releases: dict[str, list[str]] = defaultdict(list)
    for host, node in sorted(question.nodes.items()):
        if COMPUTE in node.versions:
            releases[node.versions[COMPUTE]].append(host)
    if len(releases) > 1:
        named = "; ".join(f"{version} on {name_some(hosts)}" for version, hosts in sorted(releases.items()))
        yield unmet(
            Code.MIXED_RELEASES,
            Subject.of_cloud(question.snapshot.cloud),
            f"{COMPUTE} runs in {len(releases)} releases: {named}",
            "nothing, if that is what an upgrade in parts has left; else bring them to one release",
            Severity.INFO,
        )


def _others(question: Question, bundle: Bundle) -> Iterator[Condition]:
    """Find nodes that stay behind so far that the control plane of the new release does not serve them."""
    component = next((c for c in bundle.components if c.name == COMPUTE), None)
    if component is None:
        return
    behind: dict[str, list[str]] = defaultdict(list)
    targets = frozenset(question.plan.hosts)
    for host, node in sorted(question.nodes.items()):
        version = node.versions.get(COMPUTE)
        if host not in targets and version is not None and not node.upgraded:
            judgement = _judged(component, version)
            if judgement is not None and not judgement.allowed and not judgement.backwards:
                behind[version].append(host)
    for version, hosts in behind.items():
        yield unmet(
            Code.VERSION_TOO_FAR,
            Subject.of_cloud(question.snapshot.cloud),
            f"{name_some(hosts)} would stay at {COMPUTE} {version}, too far behind {component.to}",
            "upgrade them first, to a release between the two",
        )


def _says(question: Question, _domain: str) -> str:
    known = [host for host in question.pending if COMPUTE in question.nodes[host].versions]
    if question.bundle is None or not known:
        return ""
    return f"the versions of {count(len(known), 'target')} allow the step to bundle {question.bundle.name}"


FAMILY = Family(code=Code.VERSIONS_COMPATIBLE, check=check_releases, says=_says)
