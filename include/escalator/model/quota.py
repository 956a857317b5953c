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
