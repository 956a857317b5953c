"""Nova's quotas by a fake; what the real ones do: tests/cloud_manager/test_contract_quotas.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from escalator.model.errors import InvalidRequestError
from escalator.model.quota import ProjectQuota

LIMITS = {"instances": 10, "cores": -1, "ram": 4096}
USED = {"instances": 2, "cores": 4, "ram": 4096}


@dataclass
class FakeQuotas:
    """Nova's quotas of projects."""

    limits: dict[str, dict[str, int]] = field(default_factory=lambda: {"p": dict(LIMITS)})
    used: dict[str, dict[str, int]] = field(default_factory=lambda: {"p": dict(USED)})
    writes: int = 0
    before_write: Callable[[], None] = lambda: None
    unified: bool = False
    own: str = "escalator"
    before_answer: Callable[[], None] = lambda: None

    def find_own_project(self) -> str:
        return self.own

    def fetch(self, project_id: str) -> ProjectQuota:
        if project_id not in self.limits:
            raise InvalidRequestError(f"no project {project_id}")
        found = ProjectQuota(
            project_id=project_id, limits=dict(self.limits[project_id]), used=self.used[project_id]
        )
        self.before_answer()
        return found

    def ensure_limits(self, project_id: str, limits: Mapping[str, int]) -> ProjectQuota:
        changes = {n: v for n, v in limits.items() if self.limits[project_id][n] != v}
        if changes:
            self.before_write()
            if self.unified:
                raise InvalidRequestError("Nova did not take the quota")
            self.writes += 1
            self.limits[project_id] |= changes
        return self.fetch(project_id)
