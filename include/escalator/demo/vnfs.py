"""VNFs of a lab as Escalator has to know them: the registry of their managers, and a VNF file each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import yaml

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.catalogue import ensure_endpoint
from escalator.cloud_manager.connection import connect
from escalator.cloud_manager.credentials import CloudCredentials
from escalator.demo.demo_world import CLOUD, DemoWorld
from escalator.lab.real_guests import RealGuests
from escalator.lab.settings import LabSettings
from escalator.lab.vnf.specs import Form, Vnf, VnfmSpec, VnfSpec
from escalator.lab.vnf.world import VnfLab
from escalator.vim_interface.register import SERVICE_NAME, SERVICE_TYPE, make_endpoint_url

KINDS = {"a": "fenix-a", "b": "fenix-b", "webhook": "webhook"}
PAIR = VnfSpec(name="sbc", nodes=("node-01", "node-02"), vnfm=VnfmSpec(dialect="a"), takeover_seconds=0.3)
"""The pair of the demonstration: its manager moves its service away from a node before that is drained."""


def start_pair(world: DemoWorld, airflow_url: str) -> VnfLab:
    """Start the pair of the demonstration with its manager, and make them known.

    :param airflow_url: where managers reach Airflow.
    """
    register_api(world, airflow_url)
    vnfs = VnfLab(world.lab)
    register_vnfs(world, vnfs.start(place_pair(world.lab.settings)))
    return vnfs


def place_pair(settings: LabSettings) -> VnfSpec:
    """Return the pair of the demonstration.

    Real guests are on the last nodes, which have fewer, and are moved live once their service is elsewhere:
    their nodes are rebooted, and who stays there is stopped.
    """
    if RealGuests(settings=settings).are_there:
        moved = VnfmSpec(dialect="a", action="MIGRATE")
        return replace(PAIR, nodes=settings.hosts[-len(PAIR.nodes) :], vnfm=moved)
    return PAIR


def register_api(world: DemoWorld, airflow_url: str) -> None:
    """Put the VIM interface into the lab's catalogue, as ``escalator vim register`` does."""
    credentials = CloudCredentials.from_clouds_yaml(CLOUD, path=world.clouds_yaml)
    ensure_endpoint(
        connect(credentials, CallCounter()),
        service_type=SERVICE_TYPE,
        name=SERVICE_NAME,
        url=make_endpoint_url(airflow_url, CLOUD),
    )


def register_vnfs(world: DemoWorld, vnfs: Iterable[Vnf], **fields: dict[str, Any]) -> None:
    """Write ``vnfms.yaml``, and a VNF file for each VNF.

    :param fields: name of a VNF -> further keys of its manager in ``vnfms.yaml``.
    """
    found = list(vnfs)
    managers = [{**_describe_manager(vnf), **fields.get(vnf.spec.name, {})} for vnf in found if vnf.spec.vnfm]
    document = {"schema": "escalator.vnfms/1", "vnfms": managers}
    (world.inventory_dir / "vnfms.yaml").write_text(yaml.safe_dump(document))
    for vnf in found:
        path = world.vnf_dir / f"{vnf.spec.name}.yaml"
        path.write_text(yaml.safe_dump(_describe_vnf(vnf)))


def _describe_manager(vnf: Vnf) -> dict[str, Any]:
    spec = vnf.spec.vnfm
    return {
        "id": vnf.spec.name,
        "cloud": CLOUD,
        "kind": KINDS[spec.dialect if spec else "a"],
        "url": vnf.vnfm_url,
        "projects": [vnf.project_id],
        "reply_seconds": 60,
    }


def _describe_vnf(vnf: Vnf) -> dict[str, Any]:
    """Say who the group is, how it is switched over and seen, and where it is probed."""
    pool = vnf.spec.form.is_pool
    roles: list[dict[str, str]] = [{} for _ in vnf.servers] if pool else [{"role": r} for r in _ROLES]
    group: dict[str, Any] = {
        "id": vnf.spec.name,
        "mode": "load-balanced" if pool else "active-standby",
        "members": [{"id": server.id, **role} for server, role in zip(vnf.servers, roles, strict=True)],
        "probe": _describe_probe(vnf),
    }
    means = _describe_means(vnf)
    if means is not None:
        group["switchover"] = means
    return {
        "schema": "escalator.vnf/1",
        "name": vnf.spec.name,
        "project_id": vnf.project_id,
        "groups": [group],
    }


def _describe_probe(vnf: Vnf) -> dict[str, Any]:
    if vnf.is_real:
        return {"method": "icmp", "address": vnf.address}
    return {"method": "http", "url": f"{vnf.url}/health"}


_ROLES = ("active", "standby")


def _describe_means(vnf: Vnf) -> dict[str, Any] | None:
    """Say how the service leaves a member; None: its manager alone can do it."""
    match vnf.spec.form:
        case Form.HTTP:
            return {"method": "http", "urls": {server.id: server.url for server in vnf.servers}}
        case Form.FLOATING_IP:
            return {"method": "floating-ip", "address": vnf.address}
        case Form.VIP_PORT:
            return {"method": "vip-port", "port": vnf.address_id}
        case Form.OCTAVIA if vnf.load_balancer is not None:
            return {"method": "octavia", "load_balancer": vnf.load_balancer.id, "drain_seconds": 5}
        case _:
            return None
