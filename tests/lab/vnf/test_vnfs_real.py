"""VNFs on the lab's real Keystone, Nova, Neutron and Octavia."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from tests.lab.vnf.fake_escalator import SESSION, alarm, post

from escalator.lab.accounts import ensure_tenant
from escalator.lab.config import REGION
from escalator.lab.errors import ApiError
from escalator.lab.processes import wait_until
from escalator.lab.progress import Progress
from escalator.lab.vnf.json_server import Answer, JsonServer, Request, call
from escalator.lab.vnf.specs import Form, VnfmSpec, VnfSpec
from escalator.lab.vnf.vnfm import Behaviour
from escalator.lab.vnf.vnfm_cloud import Account, NoTokenError, VnfmCloud
from escalator.lab.vnf.world import VnfLab

if TYPE_CHECKING:
    from escalator.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.proof]

SPECS = (
    VnfSpec(name="fip", nodes=("node-01", "node-02"), form=Form.FLOATING_IP, vnfm=VnfmSpec(dialect="a")),
    VnfSpec(name="vip", nodes=("node-03", "node-04"), form=Form.VIP_PORT),
    VnfSpec(name="db", nodes=("node-01", "node-03"), vnfm=VnfmSpec(dialect="b"), hard=True),
    VnfSpec(name="web", nodes=("node-01", "node-02", "node-03"), form=Form.OCTAVIA),
)


class Maintenance:
    """An API of the type ``maintenance`` that asks the lab's Keystone whose token it was shown."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._server = JsonServer("127.0.0.1", 0, self.answer)
        self.taken: list[tuple[str, str, str, Any]] = []
        self.instance_ids: list[str] = []

    def answer(self, request: Request) -> Answer:
        headers = {
            "X-Auth-Token": self._lab.cloud.token(),
            "X-Subject-Token": request.headers["x-auth-token"],
        }
        token = call("GET", f"{self._lab.config.auth_url}/auth/tokens", headers=headers).body["token"]
        project = token["project"]["name"]
        self.taken.append((project, request.method, request.path, request.body))
        return Answer(body={"instance_ids": self.instance_ids})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}/v1"

    def register(self) -> str:
        """Put it into the catalogue and return the id of the service."""
        self._server.start()
        service = {"service": {"name": "a-test", "type": "maintenance"}}
        made = str(self._lab.cloud.post("keystone", "/services", service)["service"]["id"])
        about = {"interface": "public", "region_id": REGION, "service_id": made, "url": self.url}
        self._lab.cloud.post("keystone", "/endpoints", {"endpoint": about})
        return made

    def end(self, service: str) -> None:
        self._lab.cloud.delete("keystone", f"/services/{service}")
        self._server.stop()

    def planned(self, project_id: str, instance: str, dialect: str) -> dict[str, Any]:
        url = f"{self.url}/maintenance/{SESSION}/{project_id}"
        self.instance_ids = [instance]
        one = {"instance_ids": [instance], "reply_url": f"{url}/{instance}"}
        payload = {"instance_ids": url, "reply_url": url, "session_id": SESSION, "project_id": project_id}
        about = {"state": "PLANNED_MAINTENANCE", "allowed_actions": ["MIGRATE", "OWN_ACTION"]}
        return alarm({**payload, **about, **(one if dialect == "b" else {})})


@pytest.fixture(scope="module")
def world(lab: Lab) -> Iterator[VnfLab]:
    lab.servers.wait_gone(lab.servers.order_deletion())
    made = VnfLab(lab, progress=Progress())
    try:
        made.start(*SPECS)
        yield made
    finally:
        made.stop()


@pytest.fixture
def maintenance(lab: Lab) -> Iterator[Maintenance]:
    made = Maintenance(lab)
    service = made.register()
    yield made
    made.end(service)


def wait(condition: Callable[[], object], what: str) -> None:
    assert wait_until(lambda: bool(condition()), timeout_seconds=20, poll_seconds=0.02), what


def serves(world: VnfLab, name: str) -> str:
    return str(call("GET", world.vnfs[name].url).body["name"])


def test_every_vnf_is_served_by_its_servers_where_they_were_asked_for(lab: Lab, world: VnfLab) -> None:
    assert [serves(world, name) for name in ("fip", "vip", "db")] == ["fip-1", "vip-1", "db-1"]
    assert {serves(world, "web") for _ in range(6)} == {"web-1", "web-2", "web-3"}
    servers = {server["name"]: server for server in lab.servers.fetch()}
    for vnf in world.vnfs.values():
        assert [servers[s.name]["OS-EXT-SRV-ATTR:host"] for s in vnf.servers] == list(vnf.spec.nodes)
        assert {servers[s.name]["tenant_id"] for s in vnf.servers} == {vnf.project_id}
        path = f"/os-server-groups/{vnf.group_id}"
        group = lab.cloud.within(vnf.spec.project_name).get("nova", path)["server_group"]
        assert set(group["members"]) == {s.id for s in vnf.servers}
        assert group["policy"] == ("anti-affinity" if vnf.spec.hard else "soft-anti-affinity")


def test_a_floating_ip_that_moves_in_neutron_moves_the_service(world: VnfLab) -> None:
    vnf = world.vnfs["fip"]
    was = world.active("fip")
    assert was is not None
    other = next(server for server in vnf.servers if server != was)
    before = len(world.gaps("fip"))
    world.networks.move_floating_ip(vnf.address_id, other.port_id)
    wait(lambda: world.active("fip") == other, "the other one serves")
    gap = world.gaps("fip")[before]
    assert (gap.before, gap.after) == (was.name, other.name)
    assert gap.seconds is not None
    assert 0.01 < gap.seconds < 1.0
    world.networks.move_floating_ip(vnf.address_id, None)
    wait(lambda: world.active("fip") is None, "without a port nobody serves")
    world.networks.move_floating_ip(vnf.address_id, was.port_id)
    wait(lambda: world.active("fip") == was, "the first one serves")


def test_a_vip_whose_pair_moves_in_neutron_moves_the_service(world: VnfLab) -> None:
    vnf = world.vnfs["vip"]
    first, second = vnf.servers
    world.networks.allow_address(second.port_id, vnf.address)
    time.sleep(0.3)
    assert world.active("vip") == first, "of two that may have it, the one that has it keeps it"
    world.networks.forbid_addresses(first.port_id)
    wait(lambda: world.active("vip") == second, "the other one serves")
    assert serves(world, "vip") == second.name


def test_a_weight_of_octavia_is_the_weight_of_the_balancer(world: VnfLab) -> None:
    vnf = world.vnfs["web"]
    balancer = vnf.load_balancer
    assert balancer is not None
    world.octavia.set_weight(balancer.pool_id, balancer.members["web-2"], 0)
    with pytest.raises(ApiError, match="immutable"):
        world.octavia.set_weight(balancer.pool_id, balancer.members["web-1"], 0)
    wait(lambda: world.weights("web")["web-2"] == 0, "the balancer follows")
    assert {serves(world, "web") for _ in range(6)} == {"web-1", "web-3"}
    with socket.create_connection((vnf.address, vnf.port)):
        wait(lambda: world.octavia.count_connections(balancer.id) == 1, "Octavia counts what is open")
    wait(lambda: world.octavia.count_connections(balancer.id) == 0, "Octavia counts what has ended")
    world.octavia.wait_active(balancer.id)
    world.octavia.set_weight(balancer.pool_id, balancer.members["web-2"], 1)
    wait(lambda: world.weights("web")["web-2"] == 1, "the balancer follows back")
    world.octavia.wait_active(balancer.id)


def test_a_manager_moves_its_floating_ip_through_neutron_and_answers_with_its_own_token(
    world: VnfLab, maintenance: Maintenance
) -> None:
    vnf = world.vnfs["fip"]
    was = world.active("fip")
    assert was is not None
    assert vnf.vnfm_url is not None
    assert post(vnf.vnfm_url, maintenance.planned(vnf.project_id, was.id, "a")) == 200
    wait(lambda: world.active("fip") not in {None, was}, "the other one serves")
    replies = [(project, body) for project, _, path, body in maintenance.taken if body and SESSION in path]
    actions = {"instance_actions": {was.id: "OWN_ACTION"}}
    assert replies == [("vnf-fip", {"session_id": SESSION, "state": "ACK_PLANNED_MAINTENANCE", **actions})]


def test_a_manager_switches_its_pair_and_a_liar_does_not(world: VnfLab, maintenance: Maintenance) -> None:
    vnf = world.vnfs["db"]
    assert vnf.vnfm_url is not None
    world.change_behaviour("db", Behaviour.LIAR)
    message = maintenance.planned(vnf.project_id, vnf.servers[0].id, "b")
    post(vnf.vnfm_url, message)
    assert serves(world, "db") == "db-1"
    world.change_behaviour("db", Behaviour.GOOD)
    post(vnf.vnfm_url, message)
    assert serves(world, "db") == "db-2"
    (gap,) = world.gaps("db")
    assert gap.seconds is not None
    assert 0.01 < gap.seconds < 1.0
    states = [event["body"]["state"] for event in world.messages("db", "replied")]
    assert states == ["ACK_PLANNED_MAINTENANCE"] * 2


def test_constraints_are_put_where_the_catalogue_says_and_deleted_at_the_end(
    world: VnfLab, maintenance: Maintenance
) -> None:
    vnf = world.vnfs["db"]
    world.stop_manager("db")
    maintenance.taken.clear()
    world.start_manager("db")
    wait(
        lambda: len([who for who, *_ in maintenance.taken if who == "vnf-db"]) >= 3,
        "group and instances are put",
    )
    assert world.is_manager_alive("db")
    world.stop_manager("db")
    ours = [
        (method, path.removeprefix("/v1/")) for who, method, path, _ in maintenance.taken if who == "vnf-db"
    ]
    group = f"instance_group/{vnf.group_id}"
    instances = [f"instance/{server.id}" for server in vnf.servers]
    assert ours[:3] == [("PUT", group), *(("PUT", path) for path in instances)]
    assert ours[3:] == [*(("DELETE", path) for path in reversed(instances)), ("DELETE", group)]
    assert not world.is_manager_alive("db")
    world.start_manager("db")


def test_a_tenant_moves_no_address_of_anothers(lab: Lab, world: VnfLab) -> None:
    tenant = ensure_tenant(lab.cloud, "vnf-db")
    about = {"auth_url": lab.config.auth_url, "username": tenant.name, "project": tenant.name}
    cloud = VnfmCloud(account=Account(**about, password=tenant.password))
    url = f"{lab.config.endpoint('neutron')}/v2.0/floatingips/{world.vnfs['fip'].address_id}"
    assert cloud.send("PUT", url, {"floatingip": {"port_id": None}}).status == 404
    wrong = VnfmCloud(account=Account(**about, password="wrong"))
    with pytest.raises(NoTokenError, match="401"):
        wrong.log_in()


def test_the_guest_is_paused_while_its_server_moves_live_and_off_while_it_is_stopped(
    lab: Lab, world: VnfLab
) -> None:
    server = world.active("vip")
    assert server is not None
    before = len(world.gaps("vip"))
    lab.servers.act(server.id, {"os-migrateLive": {"host": "node-01", "block_migration": "auto"}})
    wait(lambda: lab.servers.fetch_one(server.id)["OS-EXT-SRV-ATTR:host"] == "node-01", "it has moved")
    wait(lambda: len(world.gaps("vip")) > before, "the pause is a gap")
    gap = world.gaps("vip")[before]
    assert (gap.before, gap.after) == (server.name, server.name)
    assert gap.seconds is not None
    assert 0.03 < gap.seconds < 1.0
    assert serves(world, "vip") == server.name
    lab.servers.wait_for({server.id: "ACTIVE"})
    lab.servers.act(server.id, {"os-stop": None})
    lab.servers.wait_for({server.id: "SHUTOFF"})
    wait(lambda: world.role(server) is None, "its guest is gone")
    lab.servers.act(server.id, {"os-start": None})
    wait(lambda: world.role(server) == "active", "it serves again")
    assert serves(world, "vip") == server.name
