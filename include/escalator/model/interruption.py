"""Interruptions of a service, as probes measured them, and what is allowed of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from escalator.model.verdict import Code

SWITCH_SECONDS = 1.0
"""Interruption of a service that Escalator's requirements allow for one switch."""
YEAR_SECONDS = 300.0
"""Interruption of a service that Escalator's requirements allow in a year."""
YEAR = timedelta(days=365)
NOT_MEASURED = "not measured"
"""How the cause of a gap begins in which the probe, not the service, is what is known to have stood still."""


class ProbeMethod(StrEnum):
    """What a probe asks a service for: an echo, a connection, or an answer."""

    ICMP = "icmp"
    TCP = "tcp"
    HTTP = "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time without a good answer: from the last good one to the next one, or as far as it is known.

    :ivar host: the node that was worked on.
    :ivar group: id of the HA group whose service it is.
    :ivar address: the service's address, as it was probed; with port or path where the method has one.
    :ivar started_at: aware.
    :ivar cause: why there was no good answer, such as ``refused`` or ``status 503``.
    :ivar limit_seconds: what the VNF says it bears at once (max_undetectable_interruption_time); None: it
        says nothing.
    """

    cloud: str
    campaign: str
    run_id: str
    host: str
    group: str
    address: str
    method: ProbeMethod
    started_at: datetime
    seconds: float
    cause: str = ""
    limit_seconds: float | None = None

    @property
    def allowed_seconds(self) -> float:
        """Return what is allowed at once: as the VNF says, else as Escalator's requirements do."""
        return SWITCH_SECONDS if self.limit_seconds is None else self.limit_seconds

    @property
    def too_long(self) -> bool:
        """Tell whether the service was interrupted for more than is allowed at once."""
        return self.measured and self.seconds > self.allowed_seconds

    @property
    def measured(self) -> bool:
        """Tell whether the service was interrupted; else nothing is known of it in that time."""
        return not self.cause.startswith(NOT_MEASURED)

    @property
    def never_answered(self) -> bool:
        """Tell whether the address had no good answer at all since the probe began, or could not be asked."""
        return self.cause.startswith(f"{NOT_MEASURED}:")

    @property
    def ended_at(self) -> datetime:
        """Return the end, as far as it is known."""
        return self.started_at + timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupInterruptions:
    """The interruptions of one group, summed up.

    :ivar count: gaps of the service.
    :ivar longest_seconds: of one gap; 0.0 without any.
    :ivar sum_seconds: time in which a service of the group was interrupted; what overlaps counts once.
    :ivar not_measured_seconds: time in which a probe of the group could not tell.
    :ivar too_long: the longest of the gaps that were longer than is allowed at once; None: none was.
    """

    group: str
    count: int
    longest_seconds: float
    sum_seconds: float
    not_measured_seconds: float
    too_long: Gap | None = None


class InterruptionLimit(StrEnum):
    """The two limits: of one switch, and of a year."""

    SWITCH = "switch"
    YEAR = "year"

    @property
    def seconds(self) -> float:
        """Return what is allowed."""
        return SWITCH_SECONDS if self is InterruptionLimit.SWITCH else YEAR_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A group whose interruptions are more than a limit allows.

    :ivar own_seconds: what the VNF itself says it bears at once; None: it says nothing.
    """

    group: str
    limit: InterruptionLimit
    seconds: float
    own_seconds: float | None = None

    @property
    def code(self) -> Code:
        """Return the code of the finding."""
        of_switch = self.limit is InterruptionLimit.SWITCH
        return Code.INTERRUPTION_SWITCH if of_switch else Code.INTERRUPTION_YEAR

    def __str__(self) -> str:
        """Say it: ``sbc was interrupted for 1.3 s at once, 1 s is allowed``."""
        when = "at once" if self.limit is InterruptionLimit.SWITCH else "within a year"
        own = self.own_seconds
        allowed = f"{self.limit.seconds if own is None else own:g} s is allowed"
        if own is not None:
            allowed += ", as its VNF says"
        return f"{self.group} was interrupted for {self.seconds:.1f} s {when}, {allowed}"


def sum_gaps(gaps: Iterable[Gap]) -> tuple[GroupInterruptions, ...]:
    """Sum the gaps of each group, by the groups' ids.

    Two runs, or two addresses of one group, may have seen the same outage: it counts once in the sum.
    """
    of_group: dict[str, list[Gap]] = {}
    for gap in gaps:
        of_group.setdefault(gap.group, []).append(gap)
    return tuple(_sum_group(group, own) for group, own in sorted(of_group.items()))


def name_vnfs(gaps: Iterable[Gap], vnf_of: Mapping[str, str]) -> tuple[Gap, ...]:
    """Return gaps with the VNF in place of the group, to be summed by VNF.

    :param vnf_of: id of a group -> name of its VNF; a group that is not there is a VNF of its own.
    """
    return tuple(replace(gap, group=vnf_of.get(gap.group, gap.group)) for gap in gaps)


def find_breaches(of_run: Sequence[Gap], of_year: Iterable[Gap]) -> tuple[Breach, ...]:
    """Return which groups that a run interrupted were interrupted for too long, by the groups' ids.

    :param of_run: the gaps of the run.
    :param of_year: the gaps of the cloud in the year up to now, with those of the run.
    """
    year = {found.group: found for found in sum_gaps(of_year)}
    found = []
    for own in sum_gaps(of_run):
        if not own.count:
            continue
        if own.too_long is not None:
            found.append(
                Breach(
                    group=own.group,
                    limit=InterruptionLimit.SWITCH,
                    seconds=own.too_long.seconds,
                    own_seconds=own.too_long.limit_seconds,
                )
            )
        total = max(own.sum_seconds, year[own.group].sum_seconds if own.group in year else 0.0)
        if total > YEAR_SECONDS:
            found.append(Breach(group=own.group, limit=InterruptionLimit.YEAR, seconds=total))
    return tuple(found)


def _sum_group(group: str, gaps: Sequence[Gap]) -> GroupInterruptions:
    service = [gap for gap in gaps if gap.measured]
    return GroupInterruptions(
        group=group,
        count=len(service),
        longest_seconds=max((gap.seconds for gap in service), default=0.0),
        sum_seconds=_measure_union(service),
        not_measured_seconds=_measure_union([gap for gap in gaps if not gap.measured]),
        too_long=max((gap for gap in service if gap.too_long), key=lambda g: g.seconds, default=None),
    )


def _measure_union(gaps: Iterable[Gap]) -> float:
    """Return how many seconds lie in any of the gaps."""
    total, end = timedelta(), None
    for gap in sorted(gaps, key=lambda g: g.started_at):
        start = gap.started_at if end is None else max(gap.started_at, end)
        if gap.ended_at > start:
            total += gap.ended_at - start
            end = gap.ended_at
    return total.total_seconds()
