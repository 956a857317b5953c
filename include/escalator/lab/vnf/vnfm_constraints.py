"""The constraints that a manager of a VNF puts at Escalator's API, and deletes when it ends."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from escalator.lab.vnf.service_log import ServiceLog
from escalator.lab.vnf.vnfm_cloud import VnfmCloud

SERVICE_TYPE = "maintenance"
AGAIN_SECONDS = 1.0
TAKEN = (200, 201, 204)


@dataclass(slots=True, kw_only=True)
class Constraints:
    """The bodies of a manager's groups and instances."""

    cloud: VnfmCloud
    groups: Sequence[dict[str, Any]]
    instances: Sequence[dict[str, Any]]
    log: ServiceLog
    _pushed: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def push(self) -> None:
        """Put groups, then instances, as soon as the catalogue names Escalator; what fails is put again."""
        wanted = [(f"/instance_group/{each['group_id']}", each) for each in self.groups]
        wanted += [(f"/instance/{each['instance_id']}", each) for each in self.instances]
        while wanted and not self._ended.is_set():
            endpoint = self._find_endpoint()
            while endpoint is not None and wanted and self._put(endpoint + wanted[0][0], wanted[0][1]):
                self._pushed.append(endpoint + wanted.pop(0)[0])
            self._ended.wait(AGAIN_SECONDS if wanted else 0)

    def delete(self) -> None:
        """Delete what was put, instances first; what cannot be deleted is told."""
        self._ended.set()
        for url in reversed(self._pushed):
            try:
                status = self.cloud.send("DELETE", url).status
            except OSError as error:
                self.log.write("not deleted", url=url, error=repr(error))
                continue
            self.log.write("deleted" if status in TAKEN else "not deleted", url=url, status=status)

    def _find_endpoint(self) -> str | None:
        try:
            return self.cloud.find_endpoint(SERVICE_TYPE)
        except OSError as error:
            self.log.write("no catalogue", error=repr(error))
            return None

    def _put(self, url: str, body: dict[str, Any]) -> bool:
        """Put one; tell whether it was taken."""
        try:
            answer = self.cloud.send("PUT", url, body)
        except OSError as error:
            self.log.write("not put", url=url, error=repr(error))
            return False
        self.log.write(
            "put" if answer.status in TAKEN else "not put", url=url, body=body, status=answer.status
        )
        return answer.status in TAKEN
