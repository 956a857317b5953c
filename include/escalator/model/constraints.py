"""What managers of VNFs ask for their instances and groups (ETSI NfviMaintenanceInfo, SOL001 6.2.74)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

EVERY_OTHER_SIZE = 0
"""The key of a limit by size that holds for every size without one of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceConstraints:
    """Constraints of one server, as its manager put them. Times are seconds.

    :ivar group_id: the group that it is a member of; None: of none.
    :ivar max_interruption_seconds: what live migration may interrupt (max_undetectable_interruption_time).
    :ivar migration_types: words of ``InstanceAction``, the preferred one first.
    :ivar lead_seconds: between the notice and the first impact.
    """

    project_id: str
    instance_id: str
    group_id: str | None = None
    name: str = ""
    max_interruption_seconds: float | None = None
    migration_types: tuple[str, ...] = ()
    mitigation: bool = False
    lead_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupConstraints:
    """Constraints of one group, as its manager put them. Times are seconds.

    Limits by size: group size -> limit; the key ``EVERY_OTHER_SIZE`` stands for every other one.

    :ivar max_per_host: members that may be on one node; 0: no limit.
    """

    project_id: str
    group_id: str
    name: str = ""
    anti_affinity: bool = False
    max_per_host: int = 0
    max_impacted: Mapping[int, int] = field(default_factory=dict)
    min_preserved: Mapping[int, int] = field(default_factory=dict)
    recovery_seconds: float = 0.0
    mitigation: bool = False
