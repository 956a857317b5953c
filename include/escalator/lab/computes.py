"""What Nova's database says of the nova-compute services, which no API tells."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from escalator.lab import services
from escalator.lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from escalator.lab.settings import LabSettings

COMPUTE_SECONDS = 120.0
POLL_SECONDS = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeRecords:
    """The records of a lab's nova-compute services.

    :param settings: of the lab.
    """

    settings: LabSettings

    def fetch_versions(self) -> dict[str, int]:
        """Return Nova's service version by node (72 for release 33, 74 for 34)."""
        return {host: int(version) for host, version in self._fetch("version").items()}

    def wait_heard(self, hosts: Sequence[str], *, since: datetime) -> None:
        """Wait until Nova has heard from the hosts after a moment.

        :raises LabError: naming those that it has not heard from.
        """
        deadline = time.monotonic() + COMPUTE_SECONDS
        while True:
            heard = self._fetch_last_heard()
            missing = [host for host in hosts if host not in heard or heard[host] < since]
            if not missing:
                return
            if time.monotonic() > deadline:
                logs = self.settings.machine_folder(missing[0]) / "upper" / "var" / "log" / "nova"
                raise LabError(
                    f"nova-compute did not report from {', '.join(missing)}", f"read the logs in {logs}"
                )
            time.sleep(POLL_SECONDS)

    def _fetch_last_heard(self) -> dict[str, datetime]:
        """Return when Nova last heard from each node.

        The API tells only of the last write to a service, which may be that of a new version at its start.
        """
        seen = self._fetch("last_seen_up").items()
        return {host: datetime.fromisoformat(f"{moment}+00:00") for host, moment in seen if moment}

    def _fetch(self, column: str) -> dict[str, str]:
        """Read a column of the nova-compute services, by node."""
        sql = f"SELECT host, {column} FROM services WHERE \"binary\" = 'nova-compute' AND deleted = 0"  # noqa: S608
        rows = services.run_sql(self.settings, "nova_cell1", sql).splitlines()
        return {host: value for host, _, value in (row.partition("|") for row in rows)}
