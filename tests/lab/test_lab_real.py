from __future__ import annotations

import json
import socket
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from escalator.lab.errors import LabError, PortTakenError
from escalator.lab.lab import Lab
from escalator.lab.processes import wait_until
from escalator.lab.servers import ServerSpec, standard_set
from escalator.lab.settings import LabSettings

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.lab

SECONDS = 180.0
BOOT_ID = "/proc/sys/kernel/random/boot_id"


@pytest.fixture
def clean(lab: Lab) -> Lab:
    lab.reset()
    lab.servers.wait_gone(lab.servers.order_deletion())
    return lab


def wait(condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    assert wait_until(condition, timeout_seconds=seconds, poll_seconds=0.5), what


def live_migrate(lab: Lab, server: str, dest: str | None = None) -> None:
    lab.servers.act(server, {"os-migrateLive": {"host": dest, "block_migration": "auto"}})


def last_migration(lab: Lab, server: str) -> dict[str, Any]:
    found = lab.cloud.get("nova", f"/os-migrations?instance_uuid={server}")["migrations"]
    return max(found, key=lambda migration: migration["id"], default={"status": "none", "id": 0})


def wait_migration(lab: Lab, server: str, *statuses: str) -> dict[str, Any]:
    wait(lambda: last_migration(lab, server)["status"] in statuses, f"{last_migration(lab, server)}")
    return last_migration(lab, server)


def where(lab: Lab, server: str) -> tuple[str, str, str | None]:
    found = lab.servers.fetch_one(server)
    return found["status"], found["OS-EXT-SRV-ATTR:host"], found["OS-EXT-STS:task_state"]


def settled(lab: Lab, server: str, status: str, host: str) -> None:
    wait(lambda: where(lab, server) == (status, host, None), f"{server}: {status} on {host}")


def events(lab: Lab, server: str) -> list[str]:
    return [event["event"] for event in lab.guest_events() if event["guest"] == server]


def test_the_standard_set_gets_its_states_and_keeps_them_over_a_restart(clean: Lab) -> None:
    specs = standard_set(("node-01", "node-02"), 6)
    ids = clean.restore_servers(specs)
    for host in ("node-01", "node-02"):
        clean.node(host).systemctl("restart", "nova-compute")
    time.sleep(8)
    assert {spec.name: where(clean, ids[spec.name]) for spec in specs} == {
        spec.name: (spec.state, spec.host, None) for spec in specs
    }
    assert {spec.state for spec in specs} == {"ACTIVE", "SHUTOFF", "PAUSED"}
    wait(lambda: clean.status().is_up, "the lab is up")


def port_states(lab: Lab, server: str) -> list[tuple[str, str]]:
    """Return status and node of a server's ports, when they are active or ten seconds have passed."""
    found: list[tuple[str, str]] = []

    def are_active() -> bool:
        ports = lab.cloud.get("neutron", f"/v2.0/ports?device_id={server}")["ports"]
        found[:] = [(port["status"], port["binding:host_id"]) for port in ports]
        return all(status == "ACTIVE" for status, _ in found)

    wait_until(are_active, timeout_seconds=10.0)
    return found


def test_an_active_server_moves_live_with_one_short_pause(clean: Lab) -> None:
    server = clean.boot(ServerSpec(name="live", host="node-01"))
    live_migrate(clean, server, "node-02")
    settled(clean, server, "ACTIVE", "node-02")
    assert wait_migration(clean, server, "completed")["status"] == "completed"
    told = [event for event in clean.guest_events() if event["guest"] == server]
    names = ("migration-start", "paused", "resumed")
    begun, paused, resumed = (next(e for e in told if e["event"] == name) for name in names)
    assert paused["t"] - begun["t"] > 0.9 * begun["seconds"]  # the guest runs while its memory is copied
    assert 0.05 < resumed["t"] - paused["t"] < 1.0
    assert [event["event"] for event in told].count("paused") == 1
    assert port_states(clean, server) == [("ACTIVE", "node-02")]


def test_a_paused_server_moves_live_and_stays_paused(clean: Lab) -> None:
    server = clean.boot(ServerSpec(name="frozen", host="node-01", state="PAUSED"))
    live_migrate(clean, server, "node-03")
    settled(clean, server, "PAUSED", "node-03")
    assert "resumed" not in events(clean, server)
    clean.servers.act(server, {"unpause": None})
    settled(clean, server, "ACTIVE", "node-03")


def test_a_shut_off_server_moves_cold_and_arrives_shut_off(clean: Lab) -> None:
    server = clean.boot(ServerSpec(name="cold", host="node-01", state="SHUTOFF"))
    clean.servers.act(server, {"migrate": {"host": "node-04"}})
    clean.servers.wait_for({server: "VERIFY_RESIZE"})
    clean.servers.act(server, {"confirmResize": None})
    settled(clean, server, "SHUTOFF", "node-04")
    assert events(clean, server).count("started") == 1
    guests = json.loads((clean.node("node-01").hypervisor / "guests.json").read_text())
    assert server not in guests


def test_a_hanging_migration_shows_progress_and_can_be_aborted(clean: Lab) -> None:
    spec = ServerSpec(
        name="hang", host="node-01", metadata={"lab_migrate": "hang", "lab_migrate_seconds": "2"}
    )
    server = clean.boot(spec)
    live_migrate(clean, server, "node-02")
    migration = wait_migration(clean, server, "running")
    path = f"/servers/{server}/migrations/{migration['id']}"
    wait(lambda: (clean.cloud.get("nova", path)["migration"]["memory_processed_bytes"] or 0) > 0, "progress")
    clean.cloud.delete("nova", path)
    assert wait_migration(clean, server, "cancelled", "error", "failed")["status"] == "cancelled"
    settled(clean, server, "ACTIVE", "node-01")


def test_a_hanging_migration_can_be_forced(clean: Lab) -> None:
    spec = ServerSpec(
        name="force", host="node-01", metadata={"lab_migrate": "hang", "lab_migrate_seconds": "60"}
    )
    server = clean.boot(spec)
    live_migrate(clean, server, "node-02")
    migration = wait_migration(clean, server, "running")
    clean.servers.act(f"{server}/migrations/{migration['id']}", {"force_complete": None})
    assert wait_migration(clean, server, "completed", "error", "failed")["status"] == "completed"
    settled(clean, server, "ACTIVE", "node-02")


@pytest.mark.parametrize(("fault", "status"), [("fail", "failed"), ("precheck-fail", "error")])
def test_a_fault_of_the_node_strikes_once_and_the_guest_stays(clean: Lab, fault: str, status: str) -> None:
    server = clean.boot(ServerSpec(name="unlucky", host="node-01"))
    clean.node("node-01").fault(migrate=fault, once=True)
    live_migrate(clean, server, "node-02")
    assert wait_migration(clean, server, "completed", "error", "failed")["status"] == status
    settled(clean, server, "ACTIVE", "node-01")
    live_migrate(clean, server, "node-02")
    settled(clean, server, "ACTIVE", "node-02")


def test_a_cold_migration_that_fails_leaves_the_server_as_it_was(clean: Lab) -> None:
    metadata = {"lab_migrate": "fail"}
    server = clean.boot(ServerSpec(name="stuck", host="node-01", state="SHUTOFF", metadata=metadata))
    clean.servers.act(server, {"migrate": {"host": "node-02"}})
    assert wait_migration(clean, server, "error", "failed", "finished")["status"] == "error"
    settled(clean, server, "SHUTOFF", "node-01")


def test_nova_compute_dies_in_mid_migration_and_the_guest_is_still_there(clean: Lab) -> None:
    node = clean.node("node-01")
    server = clean.boot(ServerSpec(name="die", host="node-01"))
    node.fault(migrate="die", seconds=2, once=True)
    live_migrate(clean, server, "node-02")
    wait(lambda: "ActiveState=failed" in node.systemctl("show", "nova-compute"), "nova-compute is dead")
    assert where(clean, server)[0] == "MIGRATING"
    node.systemctl("start", "nova-compute")
    settled(clean, server, "ACTIVE", "node-01")
    assert last_migration(clean, server)["status"] == "error"


def test_the_hypervisor_version_is_what_was_ordered(clean: Lab) -> None:
    node = clean.node("node-02")
    node.fault(hypervisor_version=9001000)
    node.systemctl("restart", "nova-compute")

    def version() -> int:
        found = clean.cloud.get("nova", "/os-hypervisors/detail")["hypervisors"]
        return int(
            next(each["hypervisor_version"] for each in found if each["hypervisor_hostname"] == "node-02")
        )

    wait(lambda: version() == 9001000, "the new version")
    node.clear_faults()
    node.systemctl("restart", "nova-compute")
    wait(lambda: version() == 8002000, "the usual version")
    assert version() == 8002000


def test_a_node_is_upgraded_over_ssh_in_seconds_and_reset_brings_it_back(clean: Lab) -> None:
    node = clean.node("node-03")
    about = json.loads((clean.settings.run / "lab.json").read_text())
    target = clean.settings.to_release
    start = time.monotonic()
    script = (
        f"uv venv -q /opt/nova/venv-{target} && "
        f"uv pip install -q -p /opt/nova/venv-{target} nova=={target} && ln -sfn venv-{target} /opt/nova/venv"
    )
    assert ssh(about, node.address, script).returncode == 0
    staged = time.monotonic() - start
    assert staged < 20
    node.fault(refuse_start_release=target, once=True)
    assert ssh(about, node.address, "systemctl restart nova-compute").returncode == 0
    wait(lambda: not node.is_compute_active(), "it refuses to start")
    assert (
        ssh(
            about, node.address, "systemctl start nova-compute && sleep 6; systemctl is-active nova-compute"
        ).returncode
        == 0
    )
    python = "/opt/nova/venv/bin/python -c 'import importlib.metadata as m; print(m.version(\"nova\"))'"
    assert ssh(about, node.address, python).stdout.strip() == target
    wait(lambda: clean.release_versions()["node-03"] > clean.release_versions()["node-01"], "Nova knows")
    clean.reset()
    assert node.release == clean.settings.from_release
    assert len(set(clean.release_versions().values())) == 1


def test_a_node_is_a_machine_with_its_own_systemd_and_comes_back_from_a_reboot(clean: Lab) -> None:
    node = clean.node("node-04")
    about = json.loads((clean.settings.run / "lab.json").read_text())
    assert ssh(
        about, node.address, "cat /proc/1/comm; dpkg-query -Wf '${db:Status-Status}' systemd"
    ).stdout == ("systemd\ninstalled")
    before = node.console("cat", BOOT_ID).stdout
    server = clean.boot(ServerSpec(name="sleeper", host="node-04"))
    ssh(about, node.address, "systemctl reboot")
    wait(lambda: ssh(about, node.address, f"cat {BOOT_ID}").stdout not in {before, ""}, "another boot")
    wait(node.is_compute_active, "nova-compute starts with the machine")
    settled(clean, server, "ACTIVE", "node-04")
    wait(lambda: clean.status().is_up, "Nova hears from it")


def test_ssh_checks_the_host_key_and_refuses_a_foreign_one(lab: Lab) -> None:
    about = json.loads((lab.settings.run / "lab.json").read_text())
    assert ssh(about, about["nodes"][0]["address"], "hostname").stdout.strip() == "node-01"
    wrong = {**about, "ssh": {**about["ssh"], "known_hosts": "/dev/null"}}
    assert ssh(wrong, about["nodes"][0]["address"], "hostname").returncode == 255


def test_what_a_node_writes_stays_in_the_node(lab: Lab) -> None:
    places = ["/var/lib/probe-of-a-node", "/etc/probe-of-a-node", "/run/probe-of-a-node"]
    lab.node("node-01").console("mkdir", "-p", *places)
    assert lab.node("node-01").console("ls", "-d", *places).returncode == 0
    assert lab.node("node-02").console("ls", "-d", *places, check=False).stdout == ""
    here = subprocess.run(["ls", "-d", *places], capture_output=True, text=True, check=False)
    assert here.stdout == ""


def test_killing_nova_compute_leaves_the_node_on(clean: Lab) -> None:
    node = clean.node("node-02")
    node.kill_compute()
    wait(lambda: not node.is_compute_active(), "nova-compute is dead")
    assert node.is_on
    assert "Result=signal" in node.systemctl("show", "nova-compute")


def test_power_loss_ends_everything_in_the_node_and_its_guests_survive(clean: Lab) -> None:
    node = clean.node("node-04")
    server = clean.boot(ServerSpec(name="survivor", host="node-04"))
    node.stop()
    with socket.socket() as probe:
        assert probe.connect_ex((node.address, clean.settings.ssh_port)) != 0
    with pytest.raises(LabError, match="is off"):
        node.console("true")
    node.start()
    wait(node.is_compute_active, "nova-compute runs")
    settled(clean, server, "ACTIVE", "node-04")
    wait(lambda: clean.status().is_up, "Nova hears from it")


def test_reset_enables_a_node_that_was_disabled(lab: Lab) -> None:
    service = lab.cloud.get("nova", "/os-services?host=node-01&binary=nova-compute")["services"][0]["id"]
    lab.cloud.put("nova", f"/os-services/{service}", {"status": "disabled", "disabled_reason": "a test"})
    assert next(node for node in lab.status().nodes if node.host == "node-01").disabled_reason == "a test"
    lab.reset()
    found = next(node for node in lab.status().nodes if node.host == "node-01")
    assert (found.status, found.disabled_reason) == ("enabled", None)


def test_up_a_second_time_changes_nothing_and_mends_what_died(lab: Lab) -> None:
    def read() -> dict[str, str]:
        files = {path.name: path.read_text() for path in (lab.settings.run / "pid").glob("*.json")}
        return files | {node.host: node.console("cat", BOOT_ID).stdout for node in lab.nodes()}

    before = read()
    lab.up()
    assert read() == before
    lab.node("node-01").stop()
    lab.up()
    after = read()
    assert after.keys() == before.keys()
    assert [name for name in after if after[name] != before[name]] == ["node-01"]


def test_a_lab_of_another_shape_is_refused(lab: Lab) -> None:
    other = Lab(replace(lab.settings, nodes=lab.settings.nodes + 1))
    with pytest.raises(LabError, match="runs already"):
        other.up()


def test_a_taken_port_is_refused_and_nothing_is_started(lab: Lab) -> None:
    settings = LabSettings(home=lab.settings.home, instance=7, nodes=1, servers=0)
    other = Lab(settings)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.ports.glance))
        taken.listen()
        with pytest.raises(
            PortTakenError, match=rf"{settings.ports.glance} \(glance\) is taken by pid \d+: .*pytest"
        ):
            other.up()
    assert not list((settings.run / "pid").glob("*.json"))


def ssh(about: dict[str, Any], address: str, command: str) -> subprocess.CompletedProcess[str]:
    how = about["ssh"]
    options = {
        "UserKnownHostsFile": how["known_hosts"],
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
    }
    flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    login = ["-p", str(how["port"]), "-i", how["key_file"], f"{how['user']}@{address}"]
    return subprocess.run(
        ["ssh", "-F", "/dev/null", *flags, *login, command],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
