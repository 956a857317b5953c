"""The VNFs of a lab: servers, guests, addresses and managers, from nothing and back to nothing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from escalator.lab.accounts import ensure_tenant
from escalator.lab.errors import LabError
from escalator.lab.machine import guest
from escalator.lab.progress import Progress, silent
from escalator.lab.real_guests import RealGuests
from escalator.lab.services import VNF_PREFIX, Service, ServiceRunner
from escalator.lab.vnf.json_server import call
from escalator.lab.vnf.load_balancers import Octavia
from escalator.lab.vnf.members import READY_SECONDS, GuestMembers, Members, ProcessMembers
from escalator.lab.vnf.networks import VnfNetworks
from escalator.lab.vnf.processes import CONTROL_PORT, MANAGER_PORT, VnfProcesses, describe
from escalator.lab.vnf.service_log import ServiceGap, find_gaps, read_events
from escalator.lab.vnf.specs import Form, Vnf, VnfServer, VnfSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from escalator.lab.lab import Lab
    from escalator.lab.vnf.vnfm import Behaviour

PAIR = 2


class VnfLab:
    """The VNFs that run beside the servers of a lab.

    :param lab: it must be up.
    :param progress: told about what takes time; nothing is said when it is left out.
    """

    def __init__(self, lab: Lab, *, progress: Progress | None = None) -> None:
        self._lab = lab
        self._progress = progress or silent()
        self._runner = ServiceRunner(run=lab.settings.run)
        self._processes = VnfProcesses(config=lab.config)
        self._are_real = RealGuests(settings=lab.settings).are_there
        network = guest.NETWORK if self._are_real else None
        self.networks = VnfNetworks(cloud=lab.cloud, instance=lab.settings.instance, network=network)
        self._members: Members = (
            GuestMembers(networks=self.networks)
            if self._are_real
            else ProcessMembers(lab=lab, processes=self._processes, runner=self._runner, folder=self.folder)
        )
        self.octavia = Octavia(config=lab.config, cloud=lab.cloud)
        self.vnfs: dict[str, Vnf] = {}

    @property
    def folder(self) -> Path:
        """Return the folder of logs and configurations."""
        return self._lab.settings.run / "vnfs"

    # -- from nothing and back

    def start(self, *specs: VnfSpec) -> tuple[Vnf, ...]:
        """Make projects, server groups, servers, addresses and processes of VNFs; return when all answer.

        :raises LabError: when one has the name of another, has too few nodes, or a part does not start.
        """
        for spec in specs:
            self._check(spec)
        self.networks.ensure()
        if any(spec.form is Form.OCTAVIA for spec in specs):
            self._progress.say("starting Octavia")
            self.octavia.ensure()
        self._progress.say(f"booting the servers of {len(specs)} VNFs")
        tenants = {name: ensure_tenant(self._lab.cloud, name) for name in {s.project_name for s in specs}}
        groups = {spec.name: self._make_group(spec) for spec in specs}
        ids = self._lab.servers.boot(
            server for spec in specs for server in self._members.list_servers(spec, groups[spec.name])
        )
        self._progress.say("giving them their addresses")
        made = [
            self._place(spec, tenants[spec.project_name].project_id, groups[spec.name], ids) for spec in specs
        ]
        self.vnfs |= {vnf.spec.name: vnf for vnf in made}
        self._progress.say("starting guests and managers")
        self._start_processes(made)
        self._write()
        self._progress.say(f"VNFs are served: {', '.join(sorted(self.vnfs))}")
        return tuple(made)

    def stop(self) -> None:
        """End every process (managers first, in order), and delete servers, addresses and groups."""
        managers = [f"{VNF_PREFIX}{name}-vnfm" for name in self.vnfs]
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(self._end, managers))
        found = list(self.vnfs.values())
        for vnf in found:
            if vnf.load_balancer is not None:
                self.octavia.delete_balancer(vnf.load_balancer.id)
        self._runner.kill_all(VNF_PREFIX)
        self._lab.servers.delete({server.id for vnf in found for server in vnf.servers})
        for vnf in found:
            self.networks.give_back(vnf.address_id, floating=vnf.spec.form is Form.FLOATING_IP)
            self._lab.cloud.within(vnf.spec.project_name).delete("nova", f"/os-server-groups/{vnf.group_id}")
        self.vnfs.clear()
        self._write()

    # -- managers

    def change_behaviour(self, name: str, behaviour: Behaviour, **more: object) -> None:
        """Make the manager of a VNF behave otherwise from now on."""
        answer = call("POST", f"{self._manager_url(name)}/behaviour", {"behaviour": behaviour, **more})
        if answer.body != {"behaviour": behaviour}:
            raise LabError(f"the manager of {name} does not take that: {answer.body}")

    def is_manager_alive(self, name: str) -> bool:
        """Tell whether the manager of a VNF runs."""
        return self._runner.is_alive(f"{VNF_PREFIX}{name}-vnfm")

    def start_manager(self, name: str) -> None:
        """Start the manager of a VNF again; one that runs stays."""
        vnf = self.vnfs[name]
        if vnf.spec.vnfm is None:
            raise LabError(f"{name} has no manager", "give its VnfSpec a vnfm")
        self._run(self._processes.manager(vnf, vnf.spec.vnfm), _host_of(self._manager_url(name)))

    def stop_manager(self, name: str) -> None:
        """End the manager of a VNF in order: it deletes its constraints."""
        self._end(f"{VNF_PREFIX}{name}-vnfm")

    # -- what is to be seen

    def active(self, name: str) -> VnfServer | None:
        """Return the member that serves; None when none does, or all do (behind a balancer)."""
        serving = [server for server in self.vnfs[name].servers if self.role(server) == "active"]
        return serving[0] if len(serving) == 1 else None

    @staticmethod
    def role(server: VnfServer) -> str | None:
        """Return the role that a member tells; None when it does not answer."""
        try:
            return str(call("GET", f"{server.url}/role").body["role"])
        except OSError:
            return None

    def weights(self, name: str) -> dict[str, int]:
        """Return the weights of the members behind a balancer, by name."""
        members = call("GET", f"{self.vnfs[name].balancer}/members").body["members"]
        return {member["name"]: member["weight"] for member in members}

    def logs(self) -> Mapping[str, tuple[dict[str, Any], ...]]:
        """Return the events of every log, by ``VNF/process``."""
        paths = sorted(self.folder.rglob("*.jsonl"))
        return {str(p.relative_to(self.folder).with_suffix("")): read_events([p]) for p in paths}

    def gaps(self, name: str) -> tuple[ServiceGap, ...]:
        """Return when nobody served a VNF, as its own processes say."""
        vnf = self.vnfs[name]
        return find_gaps(read_events([*vnf.logs, self.folder / "power.jsonl"]), vnf.address)

    def messages(self, name: str, event: str = "received") -> tuple[dict[str, Any], ...]:
        """Return what the manager of a VNF wrote down: messages received, or ``replied``, ``put``, …."""
        return tuple(e for e in read_events([self.vnfs[name].vnfm_log]) if e["event"] == event)

    # -- pieces

    def _check(self, spec: VnfSpec) -> None:
        if spec.name in self.vnfs:
            raise LabError(f"there is a VNF {spec.name} already", "choose another name")
        fits = len(spec.nodes) >= PAIR if spec.form.is_pool else len(spec.nodes) == PAIR
        if not fits:
            raise LabError(f"{spec.name} has {len(spec.nodes)} nodes", "a pair has two, a pool two or more")
        self._members.check(spec)
        if spec.form in {Form.VIP_PORT, Form.OCTAVIA} and spec.vnfm is not None:
            raise LabError(f"{spec.name}: a manager moves no {spec.form} here", "choose another form")

    def _make_group(self, spec: VnfSpec) -> str:
        policy = "anti-affinity" if spec.hard else "soft-anti-affinity"
        body = {"server_group": {"name": spec.name, "policy": policy}}
        cloud = self._lab.cloud.within(spec.project_name)
        return str(cloud.post("nova", "/os-server-groups", body)["server_group"]["id"])

    def _place(self, spec: VnfSpec, project_id: str, group_id: str, ids: Mapping[str, str]) -> Vnf:
        """Give a VNF its addresses."""
        servers = []
        port, path = self._members.port, self._members.path
        for wanted in self._members.list_servers(spec, group_id):
            port_id, address = self.networks.fetch_port(ids[wanted.name])
            about = {"name": wanted.name, "id": ids[wanted.name], "host": wanted.host or ""}
            servers.append(VnfServer(**about, port_id=port_id, address=address, port=port, path=path))
        if spec.form is Form.FLOATING_IP:
            address_id, address = self.networks.make_floating_ip(servers[0].port_id, project_id)
        else:
            address_id, address = self.networks.reserve_address(spec.name, project_id)
        if spec.form is Form.VIP_PORT:
            self.networks.allow_address(servers[0].port_id, address)
        folder = self.folder / spec.name
        folder.mkdir(parents=True, exist_ok=True)
        vnf = Vnf(
            spec=spec,
            project_id=project_id,
            group_id=group_id,
            servers=tuple(servers),
            address=address,
            port=port,
            address_id=address_id,
            folder=folder,
            is_real=self._are_real,
        )
        return self._with_urls(vnf)

    def _with_urls(self, vnf: Vnf) -> Vnf:
        if vnf.spec.form.is_pool:
            vnf = replace(vnf, balancer=f"http://{vnf.address}:{CONTROL_PORT}")
        if vnf.spec.form is Form.OCTAVIA:
            members = {server.name: (server.address, server.port) for server in vnf.servers}
            made = self.octavia.make_balancer(
                vnf.spec.name, vnf.spec.project_name, vnf.address, members, vnf.port
            )
            vnf = replace(vnf, load_balancer=made)
        if vnf.spec.vnfm is not None:
            number = int(vnf.servers[0].address.rpartition(".")[2])  # as unique as the server's
            address = self.networks.name_manager_address(number)
            vnf = replace(vnf, vnfm_url=f"http://{address}:{MANAGER_PORT}")
        return vnf

    def _start_processes(self, vnfs: list[Vnf]) -> None:
        self._members.start(vnfs, self.vnfs)
        processes = self._processes
        wanted = [(processes.balancer(vnf), vnf.address) for vnf in vnfs if vnf.balancer is not None]
        wanted += [
            (processes.manager(vnf, vnf.spec.vnfm), _host_of(vnf.vnfm_url or ""))
            for vnf in vnfs
            if vnf.spec.vnfm is not None
        ]
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(lambda each: self._run(*each), wanted))
        for vnf in vnfs:
            self._members.wait_served(vnf)

    def _run(self, service: Service, address: str) -> None:
        self._runner.ensure_started(service)
        self._runner.wait_ready(service, address=address, timeout_seconds=READY_SECONDS)

    def _end(self, name: str) -> None:
        self._runner.ensure_stopped(Service(name=name, command=()))

    def _manager_url(self, name: str) -> str:
        url = self.vnfs[name].vnfm_url
        if url is None:
            raise LabError(f"{name} has no manager", "give its VnfSpec a vnfm")
        return url

    def _write(self) -> None:
        """Tell programs what there is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        described = [describe(vnf) for vnf in self.vnfs.values()]
        (self.folder / "vnfs.json").write_text(json.dumps({"vnfs": described}, indent=1) + "\n")


def _host_of(url: str) -> str:
    return url.removeprefix("http://").partition(":")[0]
