"""Nova's quotas of a project: what it may have and what it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UNLIMITED = -1
COUNTED = ("instances", "cores", "ram")
"""The quotas that a server needs; ram in MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectQuota:
    """The quotas of one project, each by its name.

    :ivar limits: what it may have; -1: as much as it likes.
    :ivar used: what it has.
    """

    project_id: str
    limits: Mapping[str, int]
    used: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenQuota:
    """One quota that was lowered so that nothing can be added.

    :ivar name: of the quota: a word of ``COUNTED``.
    :ivar found: the limit before; -1: there was none.
    :ivar set_to: the limit that we set.
    """

    cloud: str
    project_id: str
    name: str
    found: int
    set_to: int
