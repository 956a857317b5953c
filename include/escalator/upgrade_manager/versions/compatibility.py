"""Compatibility: what a step between two versions means, and whether it may be taken in one go."""

from __future__ import annotations

from dataclasses import dataclass

from escalator.model.errors import InvalidRequestError
from escalator.upgrade_manager.versions.comparison import Order, compare_packages
from escalator.upgrade_manager.versions.release_version import (
    ReleaseVersion,
    Scheme,
    StepClass,
    classify,
)

NOVA_MAJORS = {
    "2023.1": 27,
    "2023.2": 28,
    "2024.1": 29,
    "2024.2": 30,
    "2025.1": 31,
    "2025.2": 32,
    "2026.1": 33,
    "2026.2": 34,
}
"""Names of OpenStack releases and Nova's major in them (releases.openstack.org)."""
_FIRST_SLURP = 27
"""From this major of Nova on (2023.1), every other release can be upgraded to from two releases back."""
_JUDGES = {str(Scheme.DEB): "dpkg", str(Scheme.RPM): "rpm"}
"""What compares the packages of a scheme."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepJudgement:
    """What a step is, whether it is allowed, and why; ``remedy`` says what else can be done.

    :ivar backwards: it leads to something older, be it the release or only the package.
    """

    step: StepClass
    allowed: bool
    message: str
    remedy: str | None = None
    backwards: bool = False


def judge_step(
    before: str, after: str, scheme: str = Scheme.PBR, *, component: str = "nova-compute"
) -> StepJudgement:
    """Say what the step between two versions of one component means, and whether it is allowed.

    Allowed is every step forward within a major, and from as far back as the new release's floor for computes
    (:func:`find_floor`). Of two packages, the new one must be the newer one for dpkg or rpm too.

    :param component: what is stepped; the limit of majors holds for Nova's alone.
    :param scheme: how both are written: pbr, deb or rpm.
    :raises InvalidRequestError: a version cannot be read, or the two cannot be compared.
    """
    old, new = (ReleaseVersion.parse(text, scheme) for text in (before, after))
    step = classify(*_as_components(old, new))
    if step is StepClass.DOWNGRADE:
        return StepJudgement(
            step=step,
            allowed=False,
            message=f"{after} is older than {before}",
            remedy="bring a newer release; going back is a rollback, which undoes an upgrade",
            backwards=True,
        )
    packages = compare_packages(before, after, scheme)
    if packages is Order.NEWER:
        return StepJudgement(
            step=step,
            allowed=False,
            message=f"for {_JUDGES[scheme]} {after} is older than {before}, though its release is not",
            remedy="build the package with an epoch or a revision that is not lower",
            backwards=True,
        )
    if packages is Order.OLDER and step is StepClass.NONE:
        message = f"from {before} to {after} is another revision of the same release"
        return StepJudgement(step=step, allowed=True, message=message)
    if not component.startswith("nova"):
        return StepJudgement(step=step, allowed=True, message=f"from {before} to {after} is a {step} step")
    return _judge_majors(step, before, after, *(_major(version) for version in (old, new)))


def find_floor(major: int) -> int:
    """Return the oldest major of Nova whose computes a control plane of this major works with.

    Of a SLURP release, the SLURP release before it; of any other, the release before it. Nova itself says so
    in each release (``OLDEST_SUPPORTED_SERVICE_VERSION``): its conductor does not start with older computes.

    :param major: Nova's major, such as 33 (2026.1); SLURP are the odd ones from 27 (2023.1) on.
    """
    slurp = major >= _FIRST_SLURP and major % 2 == 1
    return major - 2 if slurp else major - 1


def _judge_majors(step: StepClass, before: str, after: str, old: int, new: int) -> StepJudgement:
    apart = new - old
    if old < (floor := find_floor(new)):
        between = " or ".join(str(major) for major in (old + 1, old + 2) if find_floor(major) <= old)
        return StepJudgement(
            step=step,
            allowed=False,
            message=f"from {before} to {after} are {apart} majors; "
            f"major {new} works with computes of major {floor} and newer",
            remedy=f"upgrade to major {between} first",
        )
    how = {StepClass.NONE: "no step", StepClass.MAJOR: f"a step of {apart} major" + "s" * (apart > 1)}
    words = how.get(step, f"a {step} step")
    return StepJudgement(step=step, allowed=True, message=f"from {before} to {after} is {words}")


def find_nova_major(text: str, scheme: str = Scheme.PBR) -> int:
    """Return the major of Nova that a version means, be it the component's own or the name of a release.

    :raises InvalidRequestError: it cannot be read, or no release of that name is known.
    """
    return _major(ReleaseVersion.parse(text, scheme))


def _as_components(old: ReleaseVersion, new: ReleaseVersion) -> tuple[ReleaseVersion, ReleaseVersion]:
    """Write names of two OpenStack releases as Nova's versions in them; others are left as they are."""
    if not (old.calendar and new.calendar):
        return old, new
    if old == new:
        return old, new
    return ReleaseVersion(major=_major(old)), ReleaseVersion(major=_major(new))


def _major(version: ReleaseVersion) -> int:
    """Return the major of a component; of a named OpenStack release, Nova's.

    :raises InvalidRequestError: no release of that name is known.
    """
    if not version.calendar:
        return version.major
    name = f"{version.major}.{version.minor}"
    if name not in NOVA_MAJORS or version.patch or version.kind or version.dev is not None:
        raise InvalidRequestError(
            f"no OpenStack release {version} is known",
            remedy=f"give the component's own version, or one of {', '.join(NOVA_MAJORS)}",
        )
    return NOVA_MAJORS[name]
