from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.lab.vnf.test_specs import make

from escalator.lab.errors import LabError
from escalator.lab.lab import Lab
from escalator.lab.settings import Hypervisor, LabSettings, NovaForm
from escalator.lab.vnf.json_server import Answer, JsonServer, Request
from escalator.lab.vnf.members import GuestMembers
from escalator.lab.vnf.networks import VnfNetworks
from escalator.lab.vnf.specs import Form, VnfServer, VnfSpec
from escalator.lab.vnf.world import VnfLab

SPEC = VnfSpec(name="sbc", nodes=("node-02", "node-03"))


class Ports:
    """Neutron as far as addresses of ports are allowed."""

    def __init__(self) -> None:
        self.allowed: dict[str, list[dict[str, str]]] = {}

    def put(self, _service: str, path: str, body: dict[str, Any]) -> None:
        self.allowed[path.rpartition("/")[2]] = body["port"]["allowed_address_pairs"]


def members(cloud: object = None) -> GuestMembers:
    return GuestMembers(networks=VnfNetworks(cloud=cloud, instance=4, network="guest-net"))  # type: ignore[arg-type]


def test_members_that_are_real_guests_are_booted_as_such_in_the_project_and_group_of_their_vnf() -> None:
    specs = members().list_servers(SPEC, "group-1")
    assert [(spec.name, spec.host) for spec in specs] == [("sbc-1", "node-02"), ("sbc-2", "node-03")]
    assert {(s.image, s.flavor, s.network, s.project, s.group) for s in specs} == {
        ("guest", "m1.guest", "guest-net", "vnf-sbc", "group-1")
    }


def test_a_lab_with_real_guests_has_pairs_that_switch_over_by_http_and_no_other_vnf(tmp_path: Path) -> None:
    kind = {"nova": NovaForm.PACKAGE, "hypervisor": Hypervisor.QEMU}
    vnfs = VnfLab(Lab(LabSettings(home=tmp_path, instance=4, **kind)))  # type: ignore[arg-type]
    with pytest.raises(LabError, match="no member of the form octavia"):
        vnfs.start(VnfSpec(name="web", nodes=("node-01", "node-02"), form=Form.OCTAVIA))


def test_real_guests_are_told_who_they_are_the_standby_first(tmp_path: Path) -> None:
    told: list[tuple[str, str, Any]] = []

    def answer(request: Request) -> Answer:
        told.append((request.method, request.path, request.body))
        return Answer(body={})

    server, ports = JsonServer("127.0.0.1", 0, answer), Ports()
    server.start()
    try:
        vnf = make(tmp_path, address="127.0.0.1", port=server.port, servers=_servers(server.port))
        members(ports).start([vnf], {"db": vnf})
        members(ports).wait_served(vnf)
    finally:
        server.stop()
    url = f"http://127.0.0.1:{server.port}"
    assert told == [
        ("POST", "/2/configure", _told("2", "standby", f"{url}/1")),
        ("POST", "/1/configure", _told("1", "active", f"{url}/2")),
        ("GET", "/health", None),
    ]
    assert ports.allowed == {"p-1": [{"ip_address": "127.0.0.1"}], "p-2": [{"ip_address": "127.0.0.1"}]}


def _servers(port: int) -> tuple[VnfServer, ...]:
    return tuple(
        VnfServer(
            name=f"db-{n}",
            id=f"id-{n}",
            host="",
            port_id=f"p-{n}",
            address="127.0.0.1",
            port=port,
            path=f"/{n}",
        )
        for n in (1, 2)
    )


def _told(number: str, role: str, peer: str) -> dict[str, str]:
    about = {"name": f"db-{number}", "server": f"id-{number}", "role": role}
    return {**about, "service": "127.0.0.1", "peer": peer}
