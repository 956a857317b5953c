"""What is kept of a cloud before a campaign changes it, as its API tells it: services, aggregates, quotas."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from escalator.cloud_manager.api import Record
from escalator.cloud_manager.quotas import Quotas
from escalator.cloud_manager.services import ComputeServices
from escalator.model.errors import ForbiddenError, InvalidRequestError, NotFoundError

MOST_PROJECTS = 200
"""Quotas of so many projects are read; of more of them none are, which is said."""
_CALLS_AT_ONCE = 4


def fetch_kept_state(
    services: ComputeServices,
    fetch_aggregates: Callable[[], Iterable[Record]],
    quotas: Quotas,
    project_ids: Iterable[str],
) -> dict[str, Any]:
    """Read services of every kind, aggregates with hosts and metadata, and quotas.

    Two calls, and one for each project.

    :return: JSON data; ``unread`` names what the user may not read, or what would be too much.
    :raises TransientError: Nova does not answer.
    """
    unread: list[str] = []
    wanted = sorted(set(project_ids))
    if len(wanted) > MOST_PROJECTS:
        unread.append(f"quotas: {len(wanted)} projects, more than {MOST_PROJECTS}")
        wanted = []
    with ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
        found = list(pool.map(partial(_fetch_quota, quotas), wanted))
    return {
        "services": _take("services", services.fetch_records, unread),
        "aggregates": _take("aggregates", fetch_aggregates, unread),
        "quotas": {project: quota for project, quota in zip(wanted, found, strict=True) if quota is not None},
        "unread": [*unread, *(f"quotas of {p}" for p, q in zip(wanted, found, strict=True) if q is None)],
    }


def _take(name: str, read: Callable[[], Iterable[Record]], unread: list[str]) -> list[Record]:
    try:
        return list(read())
    except ForbiddenError as exc:
        unread.append(f"{name}: {exc.message}")
        return []


def _fetch_quota(quotas: Quotas, project_id: str) -> Record | None:
    """Read the quotas of a project; None: the user may not, or Keystone has no such project any more."""
    try:
        return quotas.fetch_record(project_id)
    except (InvalidRequestError, NotFoundError):  # 403; of a project that is gone Nova says 400
        return None
