"""Comparison: how what is reported of a component stands to what a bundle brings: older, the same, newer.

What is reported may be a package's version or only the release in it: the revisions of packages are compared
where both sides have one.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

from escalator.model.errors import InvalidRequestError
from escalator.upgrade_manager.versions.release_version import PackageVersion, ReleaseVersion, Scheme
from escalator.upgrade_manager.versions.rpm_version import RpmVersion

_PACKAGED = re.compile(r"(?:[0-9]+:)?[^:-]+(?:-[^:-]+)+")
"""The form of a package's version: with a revision after its last hyphen."""
_LONGEST = 200
"""Characters of the longest text that is looked at."""


class Order(Enum):
    """How one version stands to another."""

    OLDER = -1
    SAME = 0
    NEWER = 1


@lru_cache(maxsize=4096)
def compare_versions(reported: str, wanted: str, scheme: str) -> Order | None:
    """Say how a reported version stands to the wanted one; None when one of them cannot be read.

    :param scheme: how the wanted one is written; what is reported may be written in pbr's way all the same.
    """
    found = compare_packages(reported, wanted, scheme)
    if found is not None:
        return found
    for way in dict.fromkeys((scheme, Scheme.PBR.value)):
        try:
            one, other = ReleaseVersion.parse(reported, way), ReleaseVersion.parse(wanted, scheme)
        except InvalidRequestError:
            continue
        return None if one.calendar != other.calendar else _order(one < other, one == other)
    return None


def compare_packages(reported: str, wanted: str, scheme: str) -> Order | None:
    """Say how one package stands to another for dpkg or rpm; None when not both are packages' versions."""
    texts = (reported, wanted)
    if scheme == Scheme.PBR or not all(len(t) <= _LONGEST and _PACKAGED.fullmatch(t) for t in texts):
        return None
    kind = PackageVersion if scheme == Scheme.DEB else RpmVersion
    try:
        one, other = kind(reported), kind(wanted)
    except InvalidRequestError:
        return None
    return _order(one < other, one == other)


def _order(less: bool, equal: bool) -> Order:  # noqa: FBT001
    if equal:
        return Order.SAME
    return Order.OLDER if less else Order.NEWER
