"""Freezes quotas of projects so that nothing can be added, and restores them value for value.

What is used becomes the limit. The limits of before are recorded first; they are restored by the last run
that keeps them frozen, and only where the limit is still the one that we set.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from escalator.model.errors import InvalidRequestError, NotFoundError
from escalator.model.quota import UNLIMITED, FrozenQuota, ProjectQuota
from escalator.model.run_life import FindLife, RunLife, ask_nobody


class QuotaSide(Protocol):
    """What is needed of a cloud: its ``quotas``."""

    def find_own_project(self) -> str | None:
        """Return the id of the project that Escalator itself works in."""

    def fetch(self, project_id: str) -> ProjectQuota:
        """Read limits and use of a project."""

    def ensure_limits(self, project_id: str, limits: Mapping[str, int]) -> ProjectQuota:
        """Set limits; InvalidRequestError when they are not taken."""


class QuotaBookSide(Protocol):
    """What is needed of the ledger's book of frozen quotas."""

    def hold(self, cloud: str, project_id: str, campaign: str, run_id: str) -> None:
        """Record that a run keeps the quotas of a project frozen."""

    def frozen(self, cloud: str, project_id: str) -> tuple[FrozenQuota, ...]:
        """Return what is recorded of a project."""

    def find_others(
        self, cloud: str, project_id: str, campaign: str, run_id: str
    ) -> tuple[tuple[str, str], ...]:
        """Return the other runs that keep the quotas of a project frozen."""

    def freeze(
        self, cloud: str, project_id: str, campaign: str, run_id: str, quotas: Sequence[FrozenQuota]
    ) -> tuple[FrozenQuota, ...]:
        """Record before it is done; return what is recorded."""

    def held_by(self, cloud: str, campaign: str, run_id: str) -> tuple[str, ...]:
        """Return the projects that a run keeps frozen."""

    def leave(
        self,
        cloud: str,
        project_id: str,
        campaign: str,
        run_id: str,
        *,
        dead: Collection[tuple[str, str]] = (),
    ) -> tuple[FrozenQuota, ...] | None:
        """Let a run go, and others that are over; the last one gets what it has to restore."""

    def close(self, cloud: str, project_id: str, campaign: str, run_id: str) -> tuple[FrozenQuota, ...]:
        """Forget what was restored; return what has to be frozen again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What became of a freeze or a restore: quotas that were set, and what a person has to know.

    :ivar by_project: id of each project that was looked at -> what a person has to know.
    """

    quotas: tuple[FrozenQuota, ...] = ()
    by_project: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def findings(self) -> tuple[str, ...]:
        """Return what a person has to know."""
        return tuple(words for found in self.by_project.values() for words in found)


def plan_freeze(cloud: str, quota: ProjectQuota) -> tuple[FrozenQuota, ...]:
    """Say which limits to lower to what is used; a limit that lets nothing be added stays as it is."""
    return tuple(
        FrozenQuota(
            cloud=cloud,
            project_id=quota.project_id,
            name=name,
            found=limit,
            set_to=quota.used[name],
        )
        for name, limit in quota.limits.items()
        if limit == UNLIMITED or limit > quota.used[name]
    )


def plan_restore(frozen: Sequence[FrozenQuota], now: ProjectQuota) -> tuple[dict[str, int], tuple[str, ...]]:
    """Say which limits to set, and which a person has changed meanwhile: these stay."""
    limits: dict[str, int] = {}
    findings: list[str] = []
    for quota in frozen:
        limit = now.limits[quota.name]
        if limit == quota.set_to:
            limits[quota.name] = quota.found
        elif limit != quota.found:
            findings.append(
                f"project {quota.project_id}: the quota {quota.name} was set to {limit} meanwhile, it was "
                f"{quota.found} before and frozen at {quota.set_to}: that stays"
            )
    return limits, tuple(findings)


def freeze_quotas(
    quotas: QuotaSide, book: QuotaBookSide, cloud: str, campaign: str, run_id: str, projects: Collection[str]
) -> Frozen:
    """Freeze the quotas of projects for a run; a second run lowers what is not lowered yet.

    Not the project of Escalator itself: its canaries are servers too.

    :return: what is frozen, and the projects whose quotas cannot be.
    :raises TransientError: Nova or the ledger does not answer; what is frozen until then is recorded.
    """
    done: list[FrozenQuota] = []
    findings: dict[str, tuple[str, ...]] = {}
    own = quotas.find_own_project() if projects else None
    for project_id in sorted(projects):
        if project_id == own:
            why = "it is Escalator's own, and its canaries need them"
            findings[project_id] = (f"the quotas of project {project_id} are not frozen: {why}",)
            continue
        book.hold(cloud, project_id, campaign, run_id)
        try:
            now = quotas.fetch(project_id)
            recorded = book.freeze(cloud, project_id, campaign, run_id, plan_freeze(cloud, now))
            quotas.ensure_limits(project_id, dict(_find_still_as_found(recorded, now)))
        except (InvalidRequestError, NotFoundError) as exc:
            findings[project_id] = (f"the quotas of project {project_id} cannot be frozen: {exc}",)
            continue
        findings[project_id] = ()
        done += recorded
    return Frozen(quotas=tuple(done), by_project=findings)


def restore_quotas(
    quotas: QuotaSide,
    book: QuotaBookSide,
    cloud: str,
    campaign: str,
    run_id: str,
    *,
    find_life: FindLife = ask_nobody,
) -> Frozen:
    """Restore the quotas that a run keeps frozen, unless another run does so too; a second run goes on.

    What another run froze and did not restore before it was over is restored with them.

    :param find_life: says of a campaign and id whether that run lives.
    :return: what was restored, and what a person has changed meanwhile.
    :raises TransientError: Nova or the ledger does not answer; the rest stays recorded.
    """
    done: list[FrozenQuota] = []
    findings: dict[str, tuple[str, ...]] = {}
    for project_id in book.held_by(cloud, campaign, run_id):
        others = {run: find_life(*run) for run in book.find_others(cloud, project_id, campaign, run_id)}
        dead = [run for run, life in others.items() if life.is_over]
        frozen = book.leave(cloud, project_id, campaign, run_id, dead=dead)
        if frozen is None:
            unknown = [run for run, life in others.items() if life is RunLife.NOT_ASKED]
            findings[project_id] = tuple(
                _describe_kept(project_id, run, book.frozen(cloud, project_id)) for run in unknown
            )
            continue
        try:
            limits, findings[project_id] = _restore_one(quotas, project_id, frozen)
            again = book.close(cloud, project_id, campaign, run_id)
            if again:  # another run came while these were restored
                quotas.ensure_limits(project_id, dict(_find_still_as_found(again, quotas.fetch(project_id))))
        except (InvalidRequestError, NotFoundError) as exc:
            findings[project_id] = (
                f"the quotas of project {project_id} cannot be restored ({_list_found(frozen)}): {exc}",
            )
            continue
        done += [quota for quota in frozen if quota.name in limits]
    return Frozen(quotas=tuple(done), by_project=findings)


def _restore_one(
    quotas: QuotaSide, project_id: str, frozen: Sequence[FrozenQuota]
) -> tuple[Collection[str], tuple[str, ...]]:
    """Restore the quotas of one project; return which, and what a person has changed."""
    if not frozen:
        return (), ()
    limits, changed = plan_restore(frozen, quotas.fetch(project_id))
    quotas.ensure_limits(project_id, limits)
    return limits, changed


def _describe_kept(project_id: str, run: tuple[str, str], frozen: Sequence[FrozenQuota]) -> str:
    campaign, run_id = run
    return (
        f"the quotas of project {project_id} stay frozen ({_list_found(frozen)} before): run {run_id} of "
        f"{campaign} keeps them so, and it is not known whether that run lives: clear its restore_scale_up"
    )


def _list_found(frozen: Sequence[FrozenQuota]) -> str:
    return ", ".join(f"{quota.name} {quota.found}" for quota in frozen)


def _find_still_as_found(frozen: Sequence[FrozenQuota], now: ProjectQuota) -> Iterator[tuple[str, int]]:
    """Give the limits to set: not those that a person has changed since they were frozen."""
    for quota in frozen:
        if now.limits[quota.name] == quota.found:
            yield quota.name, quota.set_to
