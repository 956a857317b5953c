"""The control plane: whether it is ahead of the computes, offers what is needed, and how many cells it has.

The control plane goes first: nova-compute of a release works with conductors of that release or a later one.
"""

from __future__ import annotations

from collections.abc import Iterator

from escalator.model.bundle import COMPUTE, Component
from escalator.model.check_report import Condition
from escalator.model.control_plane import ControlPlane
from escalator.model.errors import InvalidRequestError
from escalator.model.verdict import Code, Severity, Subject
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import Family, Question, met, unmet
from escalator.upgrade_manager.versions.compatibility import find_floor, find_nova_major
from escalator.upgrade_manager.versions.microversions import NEEDED, find_majors, is_enough


def check_control_plane(question: Question, _domain: str) -> Iterator[Condition]:
    """Judge what Nova tells of its control plane; say so when nobody looked."""
    control = question.snapshot.control_plane
    if control is None:
        yield unmet(
            Code.NOT_CHECKED,
            Subject.of_cloud(question.snapshot.cloud),
            "N/A: nobody asked for the release and the microversions of the control plane",
            "run `nova-status upgrade check` there",
            Severity.INFO,
        )
        return
    yield from _cells(question, control)
    if not is_enough(control.lowest, control.highest):
        yield unmet(
            Code.CONTROL_PLANE_BEHIND,
            Subject.of_cloud(question.snapshot.cloud),
            f"Nova offers the microversions {control.lowest} to {control.highest}; a campaign needs those "
            f"from {NEEDED[0]} to {NEEDED[1]}",
            "upgrade the control plane first",
        )
        return
    component = _find_compute(question)
    if component is not None:
        yield from _release(question, control, component)


def _cells(question: Question, control: ControlPlane) -> Iterator[Condition]:
    """Find hosts that are surely in different cells, though they are said to be in one."""
    mixed = control.find_mixed({host: node.cell for host, node in question.nodes.items()})
    if mixed:
        yield unmet(
            Code.CELLS_UNKNOWN,
            Subject.of_cloud(question.snapshot.cloud),
            f"Nova has several cells, and it is not known which node is in which: {name_some(mixed)} are not "
            "all in one. No server moves from one cell to another",
            "write the cells into the inventory settings, or name a controller there on which "
            "`nova-manage cell_v2 list_hosts` tells; then refresh the inventory",
        )


def _release(question: Question, control: ControlPlane, brings: Component) -> Iterator[Condition]:
    """Compare the release of the control plane, as its highest microversion tells it, with the bundle's."""
    subject = Subject.of_bundle(question.bundle.name if question.bundle else "")
    try:
        majors = find_majors(control.highest)
        wanted = find_nova_major(brings.to, brings.scheme)
    except InvalidRequestError:
        return  # the bundle's version is judged, and named, as any other
    if majors is None:
        yield _behind(subject, control, wanted, "an older one than is known here")
        return
    said = f"the control plane is of Nova {majors} (its API goes up to {control.highest})"
    if majors.last is not None and wanted > majors.last:
        yield _behind(subject, control, wanted, f"of Nova {majors}")
    elif wanted > majors.first and majors.only is None:
        yield unmet(
            Code.CONTROL_PLANE_BEHIND,
            subject,
            f"{said}: whether it is of {wanted} already, which the computes get, its API does not tell",
            f"see that nova-conductor and the API run {wanted} before the first node goes",
            Severity.WARNING,
        )
    elif wanted < find_floor(majors.first):
        yield unmet(
            Code.VERSION_TOO_FAR,
            subject,
            f"{said}: it works with computes of {find_floor(majors.first)} and newer, not with {wanted}",
            "bring a newer release",
            Severity.WARNING,
        )
    else:
        yield met(Code.CONTROL_PLANE, subject, f"{said}: the computes may get {wanted}")


def _behind(subject: Subject, control: ControlPlane, wanted: int, is_of: str) -> Condition:
    return unmet(
        Code.CONTROL_PLANE_BEHIND,
        subject,
        f"the control plane is {is_of} (its API goes up to {control.highest}): computes of {wanted} must not "
        "go ahead of it",
        f"upgrade the control plane to {wanted} first: nova-conductor, then the API",
    )


def _find_compute(question: Question) -> Component | None:
    components = question.bundle.components if question.bundle is not None else ()
    return next((component for component in components if component.name == COMPUTE), None)


FAMILY = Family(code=Code.CONTROL_PLANE, check=check_control_plane)
