"""A lab: real OpenStack services and compute nodes on loopback, from nothing to servers that run."""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from escalator.lab import instance_ha, services
from escalator.lab.api import NOT_FOUND, Cloud
from escalator.lab.bootstrap import Databases, make_catalogue, make_resources
from escalator.lab.clients import write_client_files
from escalator.lab.computes import COMPUTE_SECONDS, POLL_SECONDS, ComputeRecords
from escalator.lab.config import ControlConfig
from escalator.lab.errors import ApiError, LabError
from escalator.lab.machine.possible import Computer, check_rights
from escalator.lab.nodes import Node
from escalator.lab.ports import Endpoint, check_free, fetch_listeners
from escalator.lab.prepare import prepare
from escalator.lab.progress import Progress, silent
from escalator.lab.real_guests import RealGuests
from escalator.lab.servers import Servers, ServerSpec
from escalator.lab.services import VNF_PREFIX, Service, ServiceRunner
from escalator.lab.settings import Hypervisor, NovaForm
from escalator.lab.status import LabStatus, fetch_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from escalator.lab.machine.node_disk import NodeDisk
    from escalator.lab.settings import LabSettings

AGGREGATE = "general"
ENABLED_WITH_ROOM = "/allocation_candidates?resources=MEMORY_MB:1&required=!COMPUTE_STATUS_DISABLED"


class Lab:
    """One lab instance.

    :param settings: where it is and how large it shall be; a lab that was brought up already keeps its shape.
    :param progress: told about what takes time; nothing is said when it is left out.
    """

    def __init__(self, settings: LabSettings, *, progress: Progress | None = None) -> None:
        self._wanted = settings
        self._progress = progress or silent()
        self._runner = ServiceRunner(run=settings.run)
        self._use(self._kept_settings() or settings)

    def _use(self, settings: LabSettings) -> None:
        self.settings = settings
        self.config = ControlConfig(settings=settings)
        self.cloud = Cloud(config=self.config)
        self.servers = Servers(cloud=self.cloud)
        self._computes = ComputeRecords(settings=settings)
        self._guests = RealGuests(settings=settings)
        self.masakari = instance_ha.Masakari(config=self.config, cloud=self.cloud, progress=self._progress)

    # -- up and down

    def up(self) -> None:
        """Bring the lab up. A second run starts only what does not run; a lab of another shape is refused.

        :raises LabError: saying what is in the way.
        """
        check_rights(Computer.this())
        RealGuests(settings=self._wanted).check_possible()
        self._wanted.home.mkdir(parents=True, exist_ok=True)
        with self._wanted.run.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another command may be bringing this very lab up
            self._up()
        self._progress.say(
            f"the lab is up: {self.settings.nodes} nodes; clients: {self.settings.run / 'clouds.yaml'}"
        )

    def _up(self) -> None:
        fresh = not self.is_running
        if fresh:
            if self._is_anything_alive():
                self._progress.say("an earlier start was not finished: ending what it left")
            if self.settings.run.exists():  # groups and a bridge may be left where nothing lives any more
                self.down()
            self._use(self._wanted)
        self._refuse_other_shape()
        check_free(self._wanted_endpoints(), fetch_listeners())
        disk = prepare(self.settings, self._progress)
        if fresh:
            self._up_from_nothing(disk)
        else:
            self._start_what_is_down()
        if self._wanted.masakari or self.masakari.is_wanted:
            self.masakari.ensure(self.settings.hosts)

    def down(self) -> bool:
        """End everything that ``up`` started, and nothing else; logs and files stay until the next ``up``.

        :return: whether there was something to end.
        """
        with ThreadPoolExecutor(max_workers=16) as pool:
            more = [self._runner.kill_all(prefix) for prefix in (VNF_PREFIX, instance_ha.NAME)]
            nodes = list(pool.map(lambda node: (node.is_on, node.stop()), self.nodes()))
            front = list(pool.map(self._runner.ensure_stopped, services.openstack_services(self.config)))
            back = list(pool.map(self._runner.ensure_stopped, self._base_services()))
        left = self._runner.ensure_removed()
        bridge = self._guests.ensure_bridge_removed()
        return any(was_on for was_on, _ in nodes) or any((left, bridge, *more, *front, *back))

    def reset(self) -> None:
        """Bring every node back to the first release, enabled in Nova, without faults.

        Real guests are booted anew: their disks are on those of the nodes.
        """
        gone = self.servers.order_deletion() if self._guests.are_there else set()
        for service in self._compute_services():
            if service["status"] != "enabled" or service["forced_down"]:
                body = {"status": "enabled", "forced_down": False}
                self.cloud.put("nova", f"/os-services/{service['id']}", body)
        with ThreadPoolExecutor(max_workers=8) as pool:
            restarted = list(pool.map(Node.reset, self.nodes()))
        since = datetime.now(UTC)  # from here on nobody but the new processes can report
        late = {s["host"] for s in self._compute_services() if s["state"] != "up"}
        again = {node.host for node, begun in zip(self.nodes(), restarted, strict=True) if begun}
        self._computes.wait_heard(sorted(late | again), since=since)
        self.servers.wait_gone(gone)
        self._wait_hypervisors()
        if self._guests.are_there:
            self.servers.boot(self._guests.standard_set())

    # -- what is there

    @property
    def is_running(self) -> bool:
        """Tell whether the lab was brought up to the end and something of it still runs."""
        return self._ready_mark.exists() and self._is_anything_alive()

    def status(self) -> LabStatus:
        """Return what runs, what does not, and the servers."""
        everything = (*self._base_services(), *services.openstack_services(self.config))
        running = {service.name: self._runner.is_alive(service.name) for service in everything}
        running |= {"masakari": self.masakari.is_alive} if self.masakari.is_wanted else {}
        return fetch_status(settings=self.settings, cloud=self.cloud, services=running, nodes=self.nodes())

    def nodes(self) -> tuple[Node, ...]:
        """Return the nodes."""
        return tuple(Node(host=host, config=self.config) for host in self.settings.hosts)

    def node(self, host: str) -> Node:
        """Return one node.

        :raises LabError: when the lab has none of that name.
        """
        found = [node for node in self.nodes() if node.host == host]
        if not found:
            raise LabError(
                f"the lab has no node {host}", f"choose {', '.join(node.host for node in self.nodes())}"
            )
        return found[0]

    def guest_events(self) -> tuple[dict[str, Any], ...]:
        """Return what happened to the guests, oldest first; ``t`` is in seconds since the epoch."""
        lines = [line for node in self.nodes() for line in _lines(node.events_file)]
        return tuple(sorted((json.loads(line) for line in lines), key=lambda event: float(event["t"])))

    def release_versions(self) -> dict[str, int]:
        """Return Nova's service version by node (72 for release 33, 74 for 34), which no API tells."""
        return self._computes.fetch_versions()

    # -- servers

    def boot(self, spec: ServerSpec) -> str:
        """Boot one server, wait for its state and return its id."""
        return self.servers.boot([spec])[spec.name]

    def restore_servers(
        self, specs: Iterable[ServerSpec] | None = None, *, fresh: bool = False
    ) -> dict[str, str]:
        """Make the lab hold the standard set of servers, or the one that is given, and no others.

        :param fresh: replace those too that are as they should be.
        :return: the ids by name.
        """
        return self.servers.ensure(self._guests.standard_set() if specs is None else specs, fresh=fresh)

    # -- from nothing

    def _up_from_nothing(self, disk: NodeDisk) -> None:
        self._clear_run()
        disk.write(self.settings.run)
        self._guests.ensure_bridge()
        databases = Databases(config=self.config, progress=self._progress)
        with ThreadPoolExecutor(max_workers=4) as pool:
            written = pool.submit(self._write_nodes)
            services.write_rabbitmq_config(self.settings)
            self._ensure_running(services.epmd(self.settings))
            self._runner.ensure_started(services.rabbitmq(self.settings))
            known = databases.restore()
            if not known:
                databases.initialise()
            self._ensure_running(services.postgresql(self.settings))
            written.result()
        self._fill_databases(databases, known=known)
        self._start_openstack(new=not known)
        if not known:
            self._wait_openstack()
            self._progress.say("filling the cloud: flavors, image, network; saved as a template")
            make_resources(self.cloud)
            databases.save_template()
        databases.map_hosts(self.settings.hosts)
        self._wait_openstack()
        self._guests.ensure_resources(self.cloud)
        self._progress.say("control plane answers; starting the nodes")
        self._start_nodes()
        self._add_to_aggregates()
        shape = self._guests.standard_set()
        self._progress.say(f"booting {len(shape)} servers")
        self.servers.boot(shape)
        self._ready_mark.touch()

    def _clear_run(self) -> None:
        shutil.rmtree(self.settings.run, ignore_errors=True)
        self.config.write()
        (self.settings.run / "settings.json").write_text(json.dumps(asdict(self.settings), default=str))

    def _write_nodes(self) -> None:
        for node in self.nodes():
            node.write()
        write_client_files(self.config, self.nodes())

    def _fill_databases(self, databases: Databases, *, known: bool) -> None:
        if known:
            databases.adopt()
            self._progress.say("databases copied from the template")
        else:
            self._progress.say("making the databases (once; later labs copy them)")
            databases.make_schemas()

    def _start_openstack(self, *, new: bool = False) -> None:
        """Start Keystone, then the others: they end at once when Keystone does not know their users."""
        self._runner.wait_ready(services.rabbitmq(self.settings))
        keystone, *others = services.openstack_services(self.config)
        self._ensure_running(keystone)
        if new:
            make_catalogue(self.cloud)
        for service in others:
            self._runner.ensure_started(service)

    def _wait_openstack(self) -> None:
        for service in services.openstack_services(self.config):
            self._runner.wait_ready(service)

    def _start_nodes(self) -> None:
        since = datetime.now(UTC)
        self._each_node(Node.start)
        self._computes.wait_heard([node.host for node in self.nodes()], since=since)
        self._progress.say(f"{self.settings.nodes} nova-compute services are up")

    def _add_to_aggregates(self) -> None:
        """Make the zones and put the nodes into them, as soon as Nova has found the nodes."""
        self._wait_hypervisors()
        zones = self.settings.zones
        for zone in range(1, zones + 1):
            name = AGGREGATE if zones == 1 else f"{AGGREGATE}-{zone}"
            body = {"aggregate": {"name": name, "availability_zone": f"az{zone}"}}
            aggregate = self.cloud.post("nova", "/os-aggregates", body)["aggregate"]["id"]
            for host in self.settings.hosts[zone - 1 :: zones]:
                self._add_host(aggregate, host)

    def _wait_hypervisors(self) -> None:
        """Wait until Nova and Placement know every hypervisor as enabled: no server can be sent there before.

        :raises LabError: naming those that they do not know.
        """
        deadline = time.monotonic() + COMPUTE_SECONDS
        while True:
            found = self.cloud.get("nova", "/os-hypervisors")["hypervisors"]
            with_room = self.cloud.get("placement", ENABLED_WITH_ROOM)
            known = {
                entry["hypervisor_hostname"]
                for entry in found
                if entry["id"] in with_room["provider_summaries"]
            }
            missing = [host for host in self.settings.hosts if host not in known]
            if not missing:
                return
            if time.monotonic() > deadline:
                raise LabError(f"Nova and Placement have not found the hypervisors of {', '.join(missing)}")
            time.sleep(POLL_SECONDS)

    def _add_host(self, aggregate: int, host: str) -> None:
        deadline = time.monotonic() + COMPUTE_SECONDS
        while True:
            try:
                self.cloud.post("nova", f"/os-aggregates/{aggregate}/action", {"add_host": {"host": host}})
            except ApiError as error:
                if error.status != NOT_FOUND or time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)
            else:
                return

    # -- again

    def _start_what_is_down(self) -> None:
        down = [service.name for service in self._all_services() if not self._runner.is_alive(service.name)]
        off = [node for node in self.nodes() if not node.is_on]
        if not down and not off:
            self._progress.say("everything runs already")
            return
        self._progress.say(f"starting again: {', '.join((*down, *(node.host for node in off)))}")
        self._guests.ensure_bridge()
        for service in self._base_services():
            self._ensure_running(service)
        self._start_openstack()
        self._wait_openstack()
        since = datetime.now(UTC)
        self._each_node(Node.start)
        self._computes.wait_heard([node.host for node in off], since=since)

    def _refuse_other_shape(self) -> None:
        for name in ("nodes", "zones", "from_release", "nova", "hypervisor", "ssh_port"):
            there, wanted = getattr(self.settings, name), getattr(self._wanted, name)
            if there != wanted:
                raise LabError(
                    f"a lab with {name} = {there} runs already, not {wanted}", "run: escalator lab down"
                )

    def _kept_settings(self) -> LabSettings | None:
        """Return the settings that the files in the run folder were made with; None when there are none."""
        try:
            kept = json.loads((self._wanted.run / "settings.json").read_text())
            found = {
                "home": self._wanted.home,
                "python": Path(kept["python"]),
                "nova": NovaForm(kept.get("nova", NovaForm.VENV)),
                "hypervisor": Hypervisor(kept.get("hypervisor", Hypervisor.SIM)),
            }
            return type(self._wanted)(**(kept | found))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def _ready_mark(self) -> Path:
        return self._wanted.run / "ready"

    def _is_anything_alive(self) -> bool:
        return bool(self._runner.cgroup.fetch_processes()) or any(node.is_on for node in self.nodes())

    # -- pieces

    def _base_services(self) -> tuple[Service, ...]:
        here = self.settings
        return (services.epmd(here), services.rabbitmq(here), services.postgresql(here))

    def _all_services(self) -> tuple[Service, ...]:
        return (*self._base_services(), *services.openstack_services(self.config))

    def _ensure_running(self, service: Service) -> None:
        self._runner.ensure_started(service)
        self._runner.wait_ready(service)

    def _each_node(self, act: Callable[[Node], object]) -> None:
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(act, self.nodes()))

    def _compute_services(self) -> Sequence[dict[str, Any]]:
        return list(self.cloud.get("nova", "/os-services?binary=nova-compute")["services"])

    def _wanted_endpoints(self) -> list[Endpoint]:
        """Return what ``up`` will listen on, except where it does already."""
        ports = self.settings.ports.as_dict()
        running = {service.port for service in self._all_services() if self._runner.is_alive(service.name)}
        if self._runner.is_alive("rabbitmq"):
            running.add(self.settings.ports.rabbitmq_distribution)
        wanted = [
            Endpoint(address="127.0.0.1", port=port, purpose=name.replace("_", " "))
            for name, port in ports.items()
            if port not in running
        ]
        off = [node for node in self.nodes() if not node.is_on]
        port = self.settings.ssh_port
        return wanted + [
            Endpoint(address=node.address, port=port, purpose=f"ssh of {node.host}") for node in off
        ]


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
