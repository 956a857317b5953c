"""Freezes quotas of projects so that nothing can be added, and restores them value for value.

What is used becomes the limit. The limits of before are recorded first; they are restored by the last run
that keeps them frozen, and only where the limit is still the one that we set.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from escalator.model.errors import InvalidRequestError, NotFoundError
from escalator.model.quota import UNLIMITED, FrozenQuota, ProjectQuota


class QuotaSide(Protocol):
    """What is needed of a cloud: its ``quotas``."""

    def fetch(self, project_id: str) -> ProjectQuota:
        """Read limits and use of a project."""

    def ensure_limits(self, project_id: str, limits: Mapping[str, int]) -> ProjectQuota:
        """Set limits; InvalidRequestError when they are not taken."""


class QuotaBookSide(Protocol):
    """What is needed of the ledger's book of frozen quotas."""

    def freeze(
        self, cloud: str, project_id: str, campaign: str, run_id: str, quotas: Sequence[FrozenQuota]
    ) -> tuple[FrozenQuota, ...]:
        """Record before it is done; return what is recorded."""

    def held_by(self, cloud: str, campaign: str, run_id: str) -> tuple[str, ...]:
        """Return the projects that a run keeps frozen."""

    def leave(
        self, cloud: str, project_id: str, campaign: str, run_id: str
    ) -> tuple[FrozenQuota, ...] | None:
        """Let a run go; the last one gets what it has to restore."""

    def close(self, cloud: str, project_id: str, campaign: str, run_id: str) -> tuple[FrozenQuota, ...]:
        """Forget what was restored; return what has to be frozen again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What became of a freeze or a restore: quotas that were set, and what a person has to know."""

    quotas: tuple[FrozenQuota, ...] = ()
    findings: tuple[str, ...] = ()


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
    findings: list[str] = []
    for project_id in sorted(projects):
        try:
            now = quotas.fetch(project_id)
        except (InvalidRequestError, NotFoundError) as exc:
            findings.append(f"the quotas of project {project_id} cannot be frozen: {exc}")
            continue
        recorded = book.freeze(cloud, project_id, campaign, run_id, plan_freeze(cloud, now))
        try:
            quotas.ensure_limits(project_id, dict(_find_still_as_found(recorded, now)))
        except InvalidRequestError as exc:
            findings.append(f"the quotas of project {project_id} cannot be frozen: {exc}")
            continue
        done += recorded
    return Frozen(quotas=tuple(done), findings=tuple(findings))


def restore_quotas(quotas: QuotaSide, book: QuotaBookSide, cloud: str, campaign: str, run_id: str) -> Frozen:
    """Restore the quotas that a run keeps frozen, unless another run does so too; a second run goes on.

    :return: what was restored, and what a person has changed meanwhile.
    :raises TransientError: Nova or the ledger does not answer; the rest stays recorded.
    """
    done: list[FrozenQuota] = []
    findings: list[str] = []
    for project_id in book.held_by(cloud, campaign, run_id):
        frozen = book.leave(cloud, project_id, campaign, run_id)
        if frozen is None:
            continue
        try:
            limits, changed = plan_restore(frozen, quotas.fetch(project_id))
            quotas.ensure_limits(project_id, limits)
            again = book.close(cloud, project_id, campaign, run_id)
            if again:  # another run came while these were restored
                quotas.ensure_limits(project_id, dict(_find_still_as_found(again, quotas.fetch(project_id))))
        except (InvalidRequestError, NotFoundError) as exc:
            were = ", ".join(f"{quota.name} {quota.found}" for quota in frozen)
            findings.append(f"the quotas of project {project_id} cannot be restored ({were}): {exc}")
            continue
        done += [quota for quota in frozen if quota.name in limits]
        findings += changed
    return Frozen(quotas=tuple(done), findings=tuple(findings))


def _find_still_as_found(frozen: Sequence[FrozenQuota], now: ProjectQuota) -> Iterator[tuple[str, int]]:
    """Give the limits to set: not those that a person has changed since they were frozen."""
    for quota in frozen:
        if now.limits[quota.name] == quota.found:
            yield quota.name, quota.set_to
