"""The life of real guests beside upgrades: cold moves, a node without power, a lab that is as it was."""

from __future__ import annotations

import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.conftest import REAL_GUESTS
from tests.lab.machine.machines import APT, NEW, OLD, SERVICE_VERSIONS, own_lab, place, ssh

from escalator.lab import cli
from escalator.lab.computes import ComputeRecords
from escalator.lab.machine.package_files import PACKAGE, version_of
from escalator.lab.machine.store import MachineStore
from escalator.lab.ping_meter import answers
from escalator.lab.processes import wait_until
from escalator.lab.progress import Progress
from escalator.lab.settings import Hypervisor, NovaForm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from escalator.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.proof, pytest.mark.real_guests]

INSTANCE = str(REAL_GUESTS)
GUEST = "guest-01"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Lab]:
    with own_lab(INSTANCE, servers=1, nova=NovaForm.PACKAGE, hypervisor=Hypervisor.QEMU) as lab:
        yield lab


@pytest.fixture
def guest(cloud: Lab) -> tuple[str, str]:
    """The guest of the lab as it is at the beginning, on the first node: its id, and its address."""
    return find_guest(cloud)


def find_guest(lab: Lab) -> tuple[str, str]:
    found = {server["name"]: server for server in lab.servers.fetch()}
    assert set(found) == {GUEST}
    address = next(iter(found[GUEST]["addresses"].values()))[0]["addr"]
    return found[GUEST]["id"], address


def wait(condition: Callable[[], bool], what: str, seconds: float = 180) -> None:
    assert wait_until(condition, timeout_seconds=seconds, poll_seconds=0.5), what


def act(lab: Lab, server: str, action: Mapping[str, Any], then: tuple[str, str, None]) -> None:
    lab.servers.act(server, action)
    wait(lambda: place(lab, server) == then, f"{action} ends with {then}")


def read(address: str) -> str:
    wait(lambda: answers(address), f"{address} answers")
    with urllib.request.urlopen(f"http://{address}/", timeout=10) as answer:
        return str(answer.read().decode())


def disks(lab: Lab, server: str) -> list[str]:
    """Return the nodes that have a disk of the guest, or what a move left of it."""
    folders = ("sh", "-c", f"ls -d /var/lib/nova/instances/{server}* 2>/dev/null")
    return [node.host for node in lab.nodes() if node.console(*folders, check=False).stdout]


def test_a_running_guest_is_moved_cold_and_boots_anew_and_a_move_is_taken_back(
    cloud: Lab, guest: tuple[str, str]
) -> None:
    server, address = guest
    first, second = cloud.settings.hosts
    told = read(address)
    act(cloud, server, {"migrate": {"host": second}}, ("VERIFY_RESIZE", second, None))
    act(cloud, server, {"confirmResize": None}, ("ACTIVE", second, None))
    moved = read(address)
    assert moved != told, "it was started anew"
    wait(lambda: disks(cloud, server) == [second], "the first node has nothing of it any more")
    act(cloud, server, {"migrate": {"host": first}}, ("VERIFY_RESIZE", first, None))
    act(cloud, server, {"revertResize": None}, ("ACTIVE", second, None))
    read(address)
    wait(lambda: disks(cloud, server) == [second], "the first node has nothing of it any more")


def test_a_stopped_guest_is_moved_cold_and_stays_off_until_it_is_started(
    cloud: Lab, guest: tuple[str, str]
) -> None:
    server, address = guest
    first, second = cloud.settings.hosts
    act(cloud, server, {"os-stop": None}, ("SHUTOFF", second, None))
    act(cloud, server, {"migrate": {"host": first}}, ("VERIFY_RESIZE", first, None))
    act(cloud, server, {"confirmResize": None}, ("SHUTOFF", first, None))
    assert not answers(address)
    act(cloud, server, {"os-start": None}, ("ACTIVE", first, None))
    read(address)
    wait(lambda: disks(cloud, server) == [first], "the second node has nothing of it any more")


def test_a_node_without_power_comes_back_with_its_guest_on_its_disk(
    cloud: Lab, guest: tuple[str, str], command: Callable[..., int]
) -> None:
    server, address = guest
    node = cloud.node(cloud.settings.hosts[0])
    told = read(address)
    assert command("node", "stop", node.host) == cli.OK
    assert not node.is_on
    assert not answers(address)
    since = datetime.now(UTC)
    assert command("node", "start", node.host) == cli.OK
    ComputeRecords(settings=cloud.settings).wait_heard([node.host], since=since)
    wait(lambda: place(cloud, server) == ("SHUTOFF", node.host, None), "Nova finds that it is off")
    act(cloud, server, {"os-start": None}, ("ACTIVE", node.host, None))
    assert read(address) != told


def test_faults_are_refused_with_what_to_do(
    cloud: Lab, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("node", "fault", cloud.settings.hosts[0], "--migrate", "fail") == cli.BAD
    told = capsys.readouterr().err
    assert "knows no faults" in told
    assert "--hypervisor sim" in told


def test_a_reset_gives_every_node_its_first_disk_and_the_guests_their_first_place(
    cloud: Lab, guest: tuple[str, str], command: Callable[..., int]
) -> None:
    first, second = cloud.nodes()
    store = MachineStore(settings=cloud.settings, progress=Progress())
    ssh(store, second.compute.machine, "apt-get -q update")
    ssh(store, second.compute.machine, f"{APT} install {PACKAGE}={version_of(NEW)}")
    wait(lambda: cloud.release_versions()[second.host] == SERVICE_VERSIONS[NEW], "the new release reports")
    service = next(
        each
        for each in cloud.cloud.get("nova", "/os-services?binary=nova-compute")["services"]
        if each["host"] == second.host
    )
    cloud.cloud.put("nova", f"/os-services/{service['id']}", {"status": "disabled"})
    first.stop()  # with the guest on it: Nova cannot delete that before the node is back
    assert command("reset") == cli.OK
    assert [node.release for node in cloud.nodes()] == [OLD, OLD]
    assert cloud.release_versions() == dict.fromkeys(cloud.settings.hosts, SERVICE_VERSIONS[OLD])
    assert cloud.status().is_up
    assert {node.status for node in cloud.status().nodes} == {"enabled"}
    server, address = find_guest(cloud)
    assert server != guest[0]
    assert place(cloud, server) == ("ACTIVE", first.host, None)
    read(address)
    assert disks(cloud, guest[0]) == []
    assert command("reset") == cli.OK
    read(find_guest(cloud)[1])


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """A command of ``escalator lab`` for this lab."""
    monkeypatch.setenv("ESCALATOR_LAB_INSTANCE", INSTANCE)
    return lambda *words: cli.main(words)
