"""Real guests on two nodes: they answer, move live, and outlive the upgrade of what they run on."""

from __future__ import annotations

import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.conftest import REAL_GUESTS
from tests.lab.machine.machines import APT, NEW, OLD, SERVICE_VERSIONS, out, own_lab, place, reboot, ssh

from escalator.lab.computes import ComputeRecords
from escalator.lab.lab import Lab
from escalator.lab.machine.bridge import INTERFACES
from escalator.lab.machine.compute import ComputeMachine
from escalator.lab.machine.guest import spec_of
from escalator.lab.machine.package_files import PACKAGE, version_of
from escalator.lab.machine.qemu_layers import HYPERVISOR
from escalator.lab.machine.store import MachineStore
from escalator.lab.ping_meter import answers, metered
from escalator.lab.processes import wait_until
from escalator.lab.progress import Progress
from escalator.lab.settings import Hypervisor, LabSettings, NovaForm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from escalator.lab.ping_meter import Echoes

pytestmark = [pytest.mark.lab, pytest.mark.proof, pytest.mark.real_guests]

INSTANCE = str(REAL_GUESTS)
QEMU_OLD, QEMU_NEW = 7_000_000, 10_000_000
TOLD = Progress()


@pytest.fixture(scope="module")
def cloud() -> Iterator[Lab]:
    with own_lab(INSTANCE, nova=NovaForm.PACKAGE, hypervisor=Hypervisor.QEMU) as lab:
        yield lab
    assert interfaces(lab.settings) == []


@pytest.fixture(scope="module")
def store(cloud: Lab) -> MachineStore:
    return MachineStore(settings=cloud.settings, progress=TOLD)


@pytest.fixture(scope="module")
def nodes(cloud: Lab) -> tuple[ComputeMachine, ...]:
    return tuple(node.compute for node in cloud.nodes())


@pytest.fixture(scope="module")
def guest(cloud: Lab, nodes: tuple[ComputeMachine, ...]) -> Iterator[tuple[str, str]]:
    """A guest on the first node: its id in Nova, and its address."""
    server = cloud.boot(spec_of("guest-1", nodes[0].host))
    address = next(iter(cloud.servers.fetch_one(server)["addresses"].values()))[0]["addr"]
    wait(lambda: answers(address), "the guest answers")
    yield server, address
    cloud.servers.delete({server})


def interfaces(settings: LabSettings) -> list[str]:
    return [path.name for path in INTERFACES.iterdir() if f"lab{settings.instance}" in path.name]


def wait(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    assert wait_until(condition, timeout_seconds=seconds, poll_seconds=0.5), what


def hypervisors(lab: Lab) -> dict[str, dict[str, Any]]:
    found = lab.cloud.get("nova", "/os-hypervisors/detail")["hypervisors"]
    return {each["hypervisor_hostname"]: each for each in found}


def is_ready(lab: Lab, node: ComputeMachine) -> bool:
    """Tell whether Nova sends servers there; it disables a node whose libvirt went, until that is back."""
    found = lab.cloud.get("nova", f"/os-services?binary=nova-compute&host={node.host}")["services"]
    return [(each["state"], each["status"]) for each in found] == [("up", "enabled")]


def order_move(lab: Lab, server: str, to: ComputeMachine) -> str:
    """Order a live migration and return how it ended."""
    before = len(migrations(lab, server))
    lab.servers.act(server, {"os-migrateLive": {"host": to.host, "block_migration": "auto"}})
    ended = {"completed", "failed", "error", "cancelled"}
    wait(lambda: len(migrations(lab, server)) > before and migrations(lab, server)[0] in ended, "it ends")
    return migrations(lab, server)[0]


def migrations(lab: Lab, server: str) -> list[str]:
    found = lab.cloud.get("nova", f"/os-migrations?instance_uuid={server}")["migrations"]
    return [each["status"] for each in sorted(found, key=lambda each: each["id"], reverse=True)]


def move(lab: Lab, guest: tuple[str, str], to: ComputeMachine) -> Echoes:
    """Move a guest live and return what the meter counted meanwhile."""
    server, address = guest
    with metered(address) as meter:
        assert order_move(lab, server, to) == "completed"
        wait(lambda: place(lab, server) == ("ACTIVE", to.host, None), f"the guest is on {to.host}")
        echoes = meter.stop()
    TOLD.say(f"moved to {to.host}: {echoes}")
    return echoes


def read(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
        return str(answer.read().decode())


def test_a_guest_answers_ping_and_http_and_is_moved_live(
    cloud: Lab, nodes: tuple[ComputeMachine, ...], guest: tuple[str, str]
) -> None:
    kinds = hypervisors(cloud)
    assert [kinds[node.host]["hypervisor_type"] for node in nodes] == ["QEMU", "QEMU"]
    address = guest[1]
    told = read(address)
    assert told.startswith(f"guest {address}, boot ")
    for to in (nodes[1], nodes[0]):
        echoes = move(cloud, guest, to)
        assert echoes.longest_silence_seconds < 2
        assert read(address) == told, "it was started anew"


def test_nova_is_upgraded_by_apt_under_a_guest_that_notices_nothing(
    cloud: Lab, store: MachineStore, nodes: tuple[ComputeMachine, ...], guest: tuple[str, str]
) -> None:
    node = nodes[0]
    told = read(guest[1])
    ssh(store, node.machine, "apt-get -q update")
    with metered(guest[1]) as meter:
        ssh(store, node.machine, f"{APT} install {PACKAGE}={version_of(NEW)}")
        wait(lambda: cloud.release_versions()[node.host] == SERVICE_VERSIONS[NEW], "the new release reports")
        echoes = meter.stop()
    TOLD.say(f"nova-compute upgraded under it: {echoes}")
    assert echoes.lost == 0
    assert read(guest[1]) == told
    assert hypervisors(cloud)[node.host]["hypervisor_type"] == "QEMU"


def test_an_emptied_node_gets_a_newer_hypervisor_and_reboots_and_takes_the_guest_from_the_old_one(
    cloud: Lab, store: MachineStore, nodes: tuple[ComputeMachine, ...], guest: tuple[str, str]
) -> None:
    upgraded, old = nodes
    assert QEMU_OLD < hypervisors(cloud)[upgraded.host]["hypervisor_version"] < QEMU_NEW
    told = read(guest[1])
    move(cloud, guest, old)
    ssh(store, upgraded.machine, "apt-get -q update")
    ssh(store, upgraded.machine, f"{APT} install {' '.join(HYPERVISOR)}")
    assert out(store, upgraded.machine, "dpkg --audit") == ""
    before = datetime.now(UTC)
    reboot(store, upgraded.machine)
    ComputeRecords(settings=cloud.settings).wait_heard([upgraded.host], since=before)
    wait(lambda: hypervisors(cloud)[upgraded.host]["hypervisor_version"] >= QEMU_NEW, "Nova sees the new one")
    wait(lambda: is_ready(cloud, upgraded), "servers may be sent there")
    assert (upgraded.release, old.release) == (NEW, OLD)
    assert hypervisors(cloud)[old.host]["hypervisor_version"] < QEMU_NEW
    assert move(cloud, guest, upgraded).longest_silence_seconds < 2
    assert read(guest[1]) == told


def test_a_node_that_loses_its_power_leaves_no_cable_and_comes_back(
    cloud: Lab, nodes: tuple[ComputeMachine, ...]
) -> None:
    node = nodes[1]
    cables = [cable.outside for cable in node.machine.cables]
    assert set(cables) <= set(interfaces(cloud.settings))
    node.machine.ensure_cut()
    wait(lambda: set(cables).isdisjoint(interfaces(cloud.settings)), "its cables are gone", 10)
    before = datetime.now(UTC)
    node.ensure_on()
    ComputeRecords(settings=cloud.settings).wait_heard([node.host], since=before)
    assert set(cables) <= set(interfaces(cloud.settings))
