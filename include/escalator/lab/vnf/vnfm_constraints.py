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
    _putting: threading.Lock = field(default_factory=threading.Lock)

    def push(self) -> None:
        """Put groups, then instances, as soon as the catalogue names Escalator; what fails is put again."""
        wanted = [(f"/instance_group/{each['group_id']}", each) for each in self.groups]
        wanted += [(f"/instance/{each['instance_id']}", each) for each in self.instances]
        while wanted and not self._ended.is_set():
            endpoint = self._find_endpoint()
            while endpoint is not None and wanted and self._put(endpoint + wanted[0][0], wanted[0][1]):
                wanted.pop(0)
            self._ended.wait(AGAIN_SECONDS if wanted else 0)

    def delete(self) -> None:
        """Delete what was put, instances first; what cannot be deleted is told.

        One that is on its way is waited for: it is there, though its answer has not come.
        """
        self._ended.set()
        with self._putting:
            pushed = self._pushed[::-1]
        for url in pushed:
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
        """Put one, unless the end has come; tell whether it was taken."""
        with self._putting:
            if self._ended.is_set():
                return False
            try:
                status = self.cloud.send("PUT", url, body).status
            except OSError as error:
                self.log.write("not put", url=url, error=repr(error))
                return False
            taken = status in TAKEN
            self.log.write("put" if taken else "not put", url=url, body=body, status=status)
            if taken:
                self._pushed.append(url)
            return taken
