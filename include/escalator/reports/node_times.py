"""Where a node's time went: out of service, waiting for VNFs or people, migrating, upgrading, our own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalator.model.campaign import Step
from escalator.model.moves import MoveRecord
from escalator.reports.facts import StepRun
from escalator.reports.intervals import Interval, cut_to, sum_seconds

_GIVEN_BACK = frozenset({"ok", "skipped"})
"""Results of release after which the node is in service, or is not ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A time in which a node was leased; ``end`` is None while it is not given back."""

    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTimes:
    """The seconds of one node.

    :ivar wall_seconds: from the lease to its return; None when there was no lease or it is still held.
    :ivar waited_seconds: in which answers of VNF managers were waited for.
    :ivar migrate_seconds: in which at least one of its migrations was in flight.
    :ivar upgrade_seconds: in which the upgrade job ran on it.
    :ivar parked_seconds: between a release that left it out of service and the next attempt.
    :ivar own_overhead_seconds: what is left of the wall time; None with it.
    """

    outages: tuple[Outage, ...]
    wall_seconds: float | None
    waited_seconds: float
    migrate_seconds: float
    upgrade_seconds: float
    parked_seconds: float
    own_overhead_seconds: float | None

    @property
    def out_of_service(self) -> bool:
        """Tell whether the lease was taken and not given back."""
        return any(outage.end is None for outage in self.outages)


def measure(
    runs: Sequence[StepRun],
    moves: Iterable[MoveRecord],
    horizon: datetime,
    *,
    waits: Iterable[Interval] = (),
) -> NodeTimes:
    """Divide a node's time.

    :param runs: attempts at the node's steps, in the order of their starts.
    :param horizon: when the campaign ended; an open outage is looked at up to here.
    :param waits: when answers of VNF managers were waited for.
    """
    outages = find_outages(runs)
    windows = [Interval(o.start, o.end or max(horizon, o.start)) for o in outages]
    waiting = cut_to(waits, windows)
    migrating = cut_to((Interval(m.started_at, m.ended_at) for m in moves), windows)
    upgrading = cut_to(upgrade_jobs(runs), windows)
    parked = cut_to(_parked(runs, horizon), windows)
    closed = bool(outages) and all(o.end is not None for o in outages)
    wall = sum_seconds(windows)
    used = sum_seconds((*waiting, *migrating, *upgrading, *parked))
    return NodeTimes(
        outages=outages,
        wall_seconds=wall if closed else None,
        waited_seconds=sum_seconds(waiting),
        migrate_seconds=sum_seconds(migrating),
        upgrade_seconds=sum_seconds(upgrading),
        parked_seconds=sum_seconds(parked),
        own_overhead_seconds=wall - used if closed else None,
    )


def find_outages(runs: Sequence[StepRun]) -> tuple[Outage, ...]:
    """Find when a node was leased.

    An attempt at admit that was killed may have written the lease: when a later one finds it, the outage
    begins at the time that was noted for the lease, else with the killed attempt.
    """
    outages: list[Outage] = []
    begun: datetime | None = None
    killed: datetime | None = None
    for run in runs:
        if run.step is Step.ADMIT and begun is None:
            if run.ended_at is None:
                killed = killed or run.started_at
                continue
            if run.result == "ok":
                begun = _told(run, "leased_at", killed or run.started_at) or killed or run.ended_at
            killed = None
        elif run.step is Step.RELEASE and begun is not None and run.ended_at and run.result in _GIVEN_BACK:
            end = _told(run, "released_at", begun) or run.ended_at
            outages.append(Outage(start=begun, end=max(begun, end)))
            begun = None
    if begun is not None:
        outages.append(Outage(start=begun))
    return tuple(outages)


def upgrade_jobs(runs: Iterable[StepRun]) -> tuple[Interval, ...]:
    """Return when the upgrade job ran on the node; attempts that do not say how long it ran are left out."""
    jobs = []
    for run in runs:
        seconds = run.details.get("upgrade_seconds")
        if run.step is Step.UPGRADE and run.ended_at is not None and isinstance(seconds, int | float):
            start = run.ended_at - timedelta(seconds=max(0.0, seconds))
            jobs.append(Interval(max(run.started_at, start), run.ended_at))
    return tuple(jobs)


def _parked(runs: Sequence[StepRun], horizon: datetime) -> tuple[Interval, ...]:
    """Return the times in which the node was left out of service until somebody asked for another attempt."""
    parked = []
    for index, run in enumerate(runs):
        if run.step is Step.RELEASE and run.ended_at is not None and run.result not in _GIVEN_BACK:
            following = [later.started_at for later in runs[index + 1 :]]
            parked.append(Interval(run.ended_at, min(following, default=horizon)))
    return tuple(parked)


def _told(run: StepRun, key: str, earliest: datetime) -> datetime | None:
    """Read a time that a step recorded; None without one, or when it cannot be true."""
    text = run.details.get(key)
    if not isinstance(text, str) or run.ended_at is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None and earliest <= moment <= run.ended_at else None
