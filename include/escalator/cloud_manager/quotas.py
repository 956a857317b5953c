"""Nova's quotas of a project."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from escalator.cloud_manager.api import Record, ServiceApi
from escalator.model.errors import InvalidRequestError
from escalator.model.quota import COUNTED, ProjectQuota

log = logging.getLogger(__name__)


class Quotas:
    """Reads and sets the quotas that servers need."""

    def __init__(self, compute: ServiceApi) -> None:
        self._compute = compute

    def find_own_project(self) -> str | None:
        """Return the id of the project of the connection: that of the canaries. No call, but for a token."""
        return self._compute.find_project()

    def fetch(self, project_id: str) -> ProjectQuota:
        """Read limits and use of a project. One call.

        :raises InvalidRequestError: Keystone has no such project, where Nova asks it.
        """
        record = self._compute.get(f"/os-quota-sets/{project_id}/detail")["quota_set"]
        return read_quota(record, project_id)

    def fetch_record(self, project_id: str) -> Record:
        """Read all limits of a project, as Nova tells them. One call."""
        record: Record = self._compute.get(f"/os-quota-sets/{project_id}")["quota_set"]
        return record

    def ensure_limits(self, project_id: str, limits: Mapping[str, int]) -> ProjectQuota:
        """Set limits, below what is used too; a second run finds them and writes nothing. One to three calls.

        Nova writes down what it was given as the project's own, also what was the default before. Where it
        takes its limits from Keystone it answers 200 and changes nothing: so they are read back.

        :return: limits and use as read back.
        :raises InvalidRequestError: Nova did not take them.
        """
        found = self.fetch(project_id)
        wanted = {name: limit for name, limit in limits.items() if found.limits[name] != limit}
        if not wanted:
            return found
        self._compute.put(f"/os-quota-sets/{project_id}", {"quota_set": {**wanted, "force": True}})
        log.info("project %s: quota %s", project_id, wanted)
        found = self.fetch(project_id)
        if any(found.limits[name] != limit for name, limit in wanted.items()):
            raise InvalidRequestError(
                f"Nova did not take the quota of project {project_id}: {wanted}, it has {dict(found.limits)}",
                remedy="where Nova takes its limits from Keystone, quotas are set there and cannot be frozen",
            )
        return found


def read_quota(record: Record, project_id: str) -> ProjectQuota:
    """Read the record of ``GET /os-quota-sets/{id}/detail``."""
    return ProjectQuota(
        project_id=project_id,
        limits={name: int(record[name]["limit"]) for name in COUNTED},
        used={name: int(record[name]["in_use"]) + int(record[name]["reserved"]) for name in COUNTED},
    )
