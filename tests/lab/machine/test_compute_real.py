from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.lab.machine.machines import APT, NEW, OLD, SERVICE_VERSIONS, own_lab, place, reboot, ssh

from escalator.lab.lab import Lab
from escalator.lab.machine.compute import ComputeMachine
from escalator.lab.machine.package_files import PACKAGE, version_of
from escalator.lab.machine.store import MachineStore
from escalator.lab.processes import wait_until
from escalator.lab.progress import Progress
from escalator.lab.servers import ServerSpec
from escalator.lab.settings import NovaForm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.lab, pytest.mark.proof]

INSTANCE = "5"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Lab]:
    """A lab whose nodes have nova-compute as a package."""
    with own_lab(INSTANCE, nova=NovaForm.PACKAGE) as lab:
        yield lab


@pytest.fixture(scope="module")
def store(cloud: Lab) -> MachineStore:
    return MachineStore(settings=cloud.settings, progress=Progress())


@pytest.fixture(scope="module")
def nodes(cloud: Lab) -> tuple[ComputeMachine, ...]:
    return tuple(node.compute for node in cloud.nodes())


def wait(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    assert wait_until(condition, timeout_seconds=seconds, poll_seconds=1), what


def service(lab: Lab, node: ComputeMachine) -> dict[str, Any]:
    found = lab.cloud.get("nova", f"/os-services?binary=nova-compute&host={node.host}")["services"]
    return found[0] if found else {"state": "unknown", "updated_at": None}


def reports_after(lab: Lab, node: ComputeMachine, moment: datetime) -> bool:
    told = service(lab, node)
    seen = told["updated_at"] and datetime.fromisoformat(told["updated_at"]).replace(tzinfo=UTC)
    return told["state"] == "up" and seen is not None and seen > moment


def move(lab: Lab, server: str, to: ComputeMachine) -> None:
    lab.servers.act(server, {"os-migrateLive": {"host": to.host, "block_migration": "auto"}})
    arrived = ("ACTIVE", to.host, None)
    wait(lambda: place(lab, server) == arrived, f"the server is on {to.host}")


def test_a_node_is_emptied_upgraded_by_apt_and_rebooted_and_its_server_comes_back(
    cloud: Lab, store: MachineStore, nodes: tuple[ComputeMachine, ...]
) -> None:
    first, second = nodes
    versions = cloud.release_versions()
    assert [versions[node.host] for node in nodes] == [SERVICE_VERSIONS[OLD]] * 2
    server = cloud.boot(ServerSpec(name="guest", host=first.host))
    move(cloud, server, second)
    ssh(store, first.machine, "apt-get -q update")
    ssh(store, first.machine, f"{APT} install {PACKAGE}={version_of(NEW)}")
    wait(lambda: cloud.release_versions()[first.host] == SERVICE_VERSIONS[NEW], "the new release reports")
    before = datetime.now(UTC)
    reboot(store, first.machine)
    wait(lambda: reports_after(cloud, first, before), "it reports after its reboot")
    move(cloud, server, first)
    assert cloud.release_versions()[second.host] == SERVICE_VERSIONS[OLD]
    assert (first.release, second.release) == (NEW, OLD)
    cloud.servers.wait_gone(cloud.servers.order_deletion())


def test_a_node_that_is_reset_is_the_same_node_with_the_first_release(
    cloud: Lab, store: MachineStore, nodes: tuple[ComputeMachine, ...]
) -> None:
    node = nodes[0]
    key = node.machine.files.known_host(node.machine.upper)
    assert node.reset()
    wait(lambda: cloud.release_versions()[node.host] == SERVICE_VERSIONS[OLD], "the first release reports")
    assert node.release == OLD
    assert node.machine.files.known_host(node.machine.upper) == key
    assert ssh(store, node.machine, "dpkg --audit").stdout == ""
    wait(node.is_compute_active, "it runs")
    assert not node.reset()
    cloud.node(node.host).kill_compute()
    wait(node.is_compute_active, "systemd starts it again")


def test_a_node_without_power_is_down_for_nova_and_comes_back_with_its_guests(
    cloud: Lab, nodes: tuple[ComputeMachine, ...]
) -> None:
    node = nodes[1]
    server = cloud.boot(ServerSpec(name="stays", host=node.host))
    node.machine.ensure_cut()
    wait(lambda: service(cloud, node)["state"] == "down", "Nova finds it down")
    before = datetime.now(UTC)
    node.ensure_on()
    wait(lambda: reports_after(cloud, node, before), "it reports again")
    assert place(cloud, server) == ("ACTIVE", node.host, None)
    cloud.servers.wait_gone(cloud.servers.order_deletion())
