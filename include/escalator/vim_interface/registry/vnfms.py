"""The managers of VNFs that the operator registered: ``vnfms.yaml``, beside the inventory files."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from escalator.documents.faults import say_faults
from escalator.documents.yaml_lines import read_yaml
from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.errors import InvalidRequestError
from escalator.model.notice import NoticeEvent, NoticeState
from escalator.model.vnfm import InstanceSelector, ManagerRole, Vnfm
from escalator.settings.places import find_inventory_dir
from escalator.vim_interface.registry.vnfm_document import parse_vnfms
from escalator.vim_interface.wire.payloads import is_known_to

NAME = "vnfms.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vnfms:
    """The managers of all clouds.

    An NFVO is only told of the infrastructure: it manages no server.
    """

    vnfms: tuple[Vnfm, ...] = ()

    def named(self, vnfm_id: str) -> Vnfm | None:
        """Return the manager of that id; None when there is none (any more)."""
        return next((vnfm for vnfm in self.vnfms if vnfm.id == vnfm_id), None)

    def of_cloud(self, cloud: str) -> tuple[Vnfm, ...]:
        """Return the managers of a cloud, NFVOs too, in the order of the file."""
        return tuple(vnfm for vnfm in self.vnfms if vnfm.cloud == cloud)

    def of_project(self, cloud: str, project_id: str) -> tuple[Vnfm, ...]:
        """Return the managers of a project, NFVOs too, in the order of the file."""
        return tuple(vnfm for vnfm in self.of_cloud(cloud) if project_id in vnfm.projects)

    def manager_of(self, cloud: str, server: Server) -> Vnfm | None:
        """Return the manager of a server; None when it has none.

        One whose selectors select the server comes before one that has its whole project.

        :raises InvalidRequestError: the selectors of two managers select it.
        """
        able = [v for v in self.of_project(cloud, server.project_id) if v.role is ManagerRole.VNFM]
        chosen = [v for v in able if any(_selects(selector, server) for selector in v.selectors)]
        if len(chosen) > 1:
            names = ", ".join(vnfm.id for vnfm in chosen)
            raise InvalidRequestError(
                f"server {server.name} ({server.id}) has {len(chosen)} managers: {names}",
                remedy=f"correct {NAME}: let the selectors of one manager select it",
            )
        return next(iter(chosen or (v for v in able if not v.selectors)), None)

    def list_scalable(self, snapshot: CloudSnapshot, hosts: Collection[str]) -> frozenset[str]:
        """Return the ids of the servers whose managers can be asked to scale in.

        A manager is asked for a project that has a server on the nodes of a campaign: it is told of it.

        :raises InvalidRequestError: two managers claim a server.
        """
        if not self.of_cloud(snapshot.cloud):
            return frozenset()
        owners: dict[str, tuple[str, str]] = {}
        for server in snapshot.servers:
            vnfm = None if server.on_no_node else self.manager_of(snapshot.cloud, server)
            if vnfm is not None and is_known_to(vnfm, NoticeEvent.SCHEDULED, NoticeState.SCALE_IN):
                owners[server.id] = (vnfm.id, server.project_id)
        told = {owners[s.id] for s in snapshot.servers if s.host in hosts and s.id in owners}
        return frozenset(server_id for server_id, owner in owners.items() if owner in told)


def load_vnfms(folder: Path | None = None, *, must_exist: bool = False) -> Vnfms:
    """Read the managers; none without a file.

    :param folder: folder of the inventory files; None: :func:`find_inventory_dir`.
    :param must_exist: the file was there before: that it is gone is a fault.
    :raises InvalidRequestError: names every fault with its path, such as ``vnfms[0].url: is required``.
    """
    path = (folder or find_inventory_dir()) / NAME
    try:
        document = read_yaml(path)
    except FileNotFoundError as exc:
        if must_exist:
            raise InvalidRequestError(
                f"{path} is not there any more, and managers in it were told of this campaign",
                remedy="put it back; when there are no managers any more, let it say `vnfms: []`",
            ) from exc
        return Vnfms()
    found = parse_vnfms(document, str(path))
    if isinstance(found, list):
        raise InvalidRequestError(
            f"the managers of VNFs have {len(found)} fault(s): " + say_faults(found),
            remedy=f"correct {path}; its form is in README.md of the VNF files",
        )
    return Vnfms(vnfms=found)


def _selects(selector: InstanceSelector, server: Server) -> bool:
    if selector.name is not None and not fnmatchcase(server.name, selector.name):
        return False
    return all(server.metadata.get(key) == value for key, value in selector.metadata.items())
