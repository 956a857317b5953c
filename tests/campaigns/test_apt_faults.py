"""Nodes that apt cannot upgrade: each says what is wrong and what to do, and the others go on.

Three are found by the look before the campaign. Of the same and three more, that come when it has begun, four
are held before anything is changed on them, and two fail: a script of the package, and a node that does not
come back from its reboot. When a person has mended them, the same run and a second one end all of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from escalator.model.lease import LeasePhase
from tests.campaigns.harness import NEW, OLD, Harness, host_of, state_of
from tests.campaigns.packaged import (
    BROKEN,
    FULL,
    HELD,
    NO_CONFIGURATION,
    OTHER_SUM,
    in_node,
    make_bundle,
    packaged_lab,
    read_boots,
)
from tests.campaigns.watching import Watcher

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(3600)]

BUNDLE = "packages-and-policy"
POLICY_SUM = hashlib.sha256(b"7\n").hexdigest()
BUNDLE_TEXT = make_bundle(
    BUNDLE,
    f"""\
artefacts:
  - {{path: /srv/site/policy, sha256: {POLICY_SUM}}}
impact: reboot
reboot: always
reboot_limit_seconds: 120
expected: {{upgrade_seconds: 60, reboot_seconds: 30}}
""",
)
FAILING, SILENT, TAMPERED = "node-08", "node-07", "node-06"
"""Their faults show when the node's turn has come; no look before it can see them."""
SERVERS = 8
CHANGED = (LeasePhase.UPGRADING, LeasePhase.VERIFIED)
SAID = {
    "held": ("node_package_held", "lab-nova-compute is held on the node", "apt-mark unhold"),
    "broken": ("node_packages_broken", "broken state: site-tool", "dpkg --configure -a"),
    "full": ("node_disk_full", "/var/cache/apt/archives has 0 MiB free", "make room there"),
    "tampered": ("stage_failed", "artefact policy has the checksum", "it is not used -> mend /srv"),
    "failing": ("upgrade_failed", "post-installation script", "it said: postinst: ordered to fail"),
    "silent": ("reboot_overdue", "did not come back", "silent since", "bring it up at its console"),
}
"""Who has which fault -> the code of its reason, and words of it."""


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    with packaged_lab(8, tmp_path_factory.mktemp("faults"), {BUNDLE: BUNDLE_TEXT}) as found:
        yield found


@pytest.fixture(scope="module")
def before(harness: Harness) -> dict[str, Any]:
    servers = harness.fresh(SERVERS)
    for node in harness.lab.nodes():
        in_node(node, f"mkdir -p /srv/site; {OTHER_SUM.mend}")
    return servers


# -- what is there before the campaign


@pytest.fixture(scope="module")
def refused(harness: Harness, before: dict[str, Any]) -> dict[str, Any]:
    assert len(before) == SERVERS
    faults = {"node-01": HELD, "node-02": BROKEN, "node-03": FULL}
    for host, fault in faults.items():
        in_node(harness.lab.node(host), fault.strike)
    run = harness.trigger(bundle=BUNDLE)
    state = harness.wait(run)
    seen = {"state": state, "log": harness.log(run, "check_conditions"), "services": harness.services()}
    for host, fault in faults.items():
        in_node(harness.lab.node(host), fault.mend)
    return seen


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("node node-01: lab-nova-compute is held on the node", "apt-mark unhold"),
        ("node node-02: dpkg has packages in a broken state: site-tool", "dpkg --configure -a"),
        ("node node-03: /var/cache/apt/archives has 0 MiB free", "make room there; apt-get clean"),
    ],
)
def test_the_look_before_names_each_node_its_fault_and_its_remedy(
    refused: dict[str, Any], said: str, remedy: str
) -> None:
    assert refused["state"] == "failed"
    found = [line for line in refused["log"].splitlines() if said in line]
    assert found, refused["log"]
    assert any(remedy in line for line in found)


def test_nothing_was_begun(refused: dict[str, Any]) -> None:
    services = refused["services"].values()
    assert {(s.status, s.disabled_reason) for s in services} == {("enabled", None)}


# -- what comes when it has begun


@pytest.fixture(scope="module")
def faulty(harness: Harness, refused: dict[str, Any]) -> dict[str, Any]:
    assert refused["state"] == "failed"
    lab = harness.lab
    in_node(lab.node(FAILING), NO_CONFIGURATION.strike)
    in_node(lab.node(TAMPERED), OTHER_SUM.strike)
    lab.node(SILENT).compute.machine.order_stay_off()
    boots = read_boots(harness)
    watcher = Watcher(harness.world.cloud())
    with watcher.watching():
        run = harness.trigger(bundle=BUNDLE, max_parallel=2, max_failed_nodes=2)
        *fine, held, broken, full = (
            host for host in harness.order(run) if host not in {FAILING, SILENT, TAMPERED}
        )
        for host, fault in ((full, FULL), (broken, BROKEN), (held, HELD)):
            in_node(lab.node(host), fault.strike)
        state = harness.wait(run)
    report = harness.report(run)
    return {
        "run": run,
        "state": state,
        "fine": fine,
        "held": {held: HELD, broken: BROKEN, full: FULL, TAMPERED: OTHER_SUM},
        "roles": {
            "held": held,
            "broken": broken,
            "full": full,
            "tampered": TAMPERED,
            "failing": FAILING,
            "silent": SILENT,
        },
        "nodes": {node["host"]: node for node in report["nodes"]},
        "report": report,
        "services": harness.services(),
        "servers": harness.servers(),
        "leases": [leases for _, leases in watcher.seen],
        "boots": boots,
        "running": {host: harness.running(host) for host in lab.settings.hosts},
    }


def test_each_fault_is_said_with_what_to_do(faulty: dict[str, Any]) -> None:
    said = {
        role: (faulty["nodes"][host]["code"], faulty["nodes"][host]["message"])
        for role, host in faulty["roles"].items()
    }
    for role, (code, *words) in SAID.items():
        assert said[role][0] == code, said[role]
        assert [word for word in words if word not in said[role][1]] == [], said[role]


def test_four_were_held_before_anything_was_changed(harness: Harness, faulty: dict[str, Any]) -> None:
    boots = read_boots(harness, faulty["held"])
    for host in faulty["held"]:
        node, service = faulty["nodes"][host], faulty["services"][host]
        assert (node["state"], node["moves"], node["reboots"]) == ("held", [], [])
        assert (service.status, service.disabled_reason) == ("enabled", None)
        assert (faulty["running"][host], harness.lab.node(host).release) == (OLD, OLD)
        assert boots[host] == faulty["boots"][host]


def test_two_failed_and_stay_out_without_a_server(faulty: dict[str, Any]) -> None:
    on = {host_of(server) for server in faulty["servers"].values()}
    for host in (FAILING, SILENT):
        service = faulty["services"][host]
        assert (faulty["nodes"][host]["state"], service.status) == ("failed", "disabled")
        assert ":FAILED " in service.disabled_reason
        assert host not in on


def test_the_others_went_on_and_every_server_is_as_it_was(
    before: dict[str, Any], faulty: dict[str, Any]
) -> None:
    assert faulty["state"] == "failed"
    for host in faulty["fine"]:
        assert (faulty["nodes"][host]["state"], faulty["running"][host]) == ("released", NEW)
        assert faulty["services"][host].status == "enabled"
    after = {name: state_of(server) for name, server in faulty["servers"].items()}
    assert after == {name: state_of(server) for name, server in before.items()}


def test_no_node_was_enabled_that_was_not_verified(faulty: dict[str, Any]) -> None:
    """Whoever was at its upgrade comes back by its verification, or not at all."""
    for host, node in faulty["nodes"].items():
        seen = [leases[host] for leases in faulty["leases"]]
        begun = next((at for at, lease in enumerate(seen) if lease and lease.phase in CHANGED), None)
        came_back = begun is not None and None in seen[begun:]
        verified = any(step["step"] == "verify" and step["result"] == "ok" for step in node["steps"])
        assert not came_back or verified, node
    out = [sum(lease is not None and not lease.mark for lease in ls.values()) for ls in faulty["leases"]]
    assert max(out) <= 2


# -- when a person has mended them


@pytest.fixture(scope="module")
def mended(harness: Harness, faulty: dict[str, Any]) -> dict[str, Any]:
    """Bring the silent node back in its own run, give the other failed one back, and start a second run."""
    lab, run = harness.lab, faulty["run"]
    for host, fault in (*faulty["held"].items(), (FAILING, NO_CONFIGURATION)):
        in_node(lab.node(host), fault.mend)
    lab.node(SILENT).start()
    harness.clear(run, f"{SILENT}.upgrade")
    harness.wait(run)
    cleared = {step: harness.states(run)[f"{SILENT}.{step}"] for step in ("upgrade", "verify", "release")}
    given_back = harness.type_leases("release", FAILING, "--unverified", "--yes")
    second = harness.trigger(bundle=BUNDLE, max_parallel=2)
    state = harness.wait(second)
    return {
        "run": second,
        "cleared": cleared,
        "given_back": given_back,
        "state": state,
        "nodes": {node["host"]: node for node in harness.report(second)["nodes"]},
    }


def test_the_node_that_is_back_ends_its_own_run_without_another_reboot(
    harness: Harness, faulty: dict[str, Any], mended: dict[str, Any]
) -> None:
    assert set(mended["cleared"].values()) == {"success"}
    (node,) = (node for node in harness.report(faulty["run"])["nodes"] if node["host"] == SILENT)
    assert node["state"] == "released"
    assert node["reboots"][-1]["boot"] == read_boots(harness, [SILENT])[SILENT]


def test_a_second_campaign_ends_the_others(
    harness: Harness, faulty: dict[str, Any], mended: dict[str, Any]
) -> None:
    assert mended["given_back"].returncode == 0, mended["given_back"].stderr
    assert mended["state"] == "success", harness.states(mended["run"])
    states = {host: node["state"] for host, node in mended["nodes"].items()}
    done = [*faulty["held"], FAILING]
    assert states == dict.fromkeys(done, "released") | dict.fromkeys([*faulty["fine"], SILENT], "skipped")


def test_in_the_end_all_is_new_and_every_server_is_there(
    harness: Harness, before: dict[str, Any], mended: dict[str, Any]
) -> None:
    assert mended["state"] == "success"
    hosts = harness.lab.settings.hosts
    assert {host: harness.running(host) for host in hosts} == dict.fromkeys(hosts, NEW)
    assert {(s.status, s.disabled_reason) for s in harness.services().values()} == {("enabled", None)}
    count = "dpkg --audit; grep -c ' upgrade lab-nova-compute:' /var/log/dpkg.log"
    assert {in_node(node, count) for node in harness.lab.nodes()} == {"1"}
    after = {name: state_of(server) for name, server in harness.servers().items()}
    assert after == {name: state_of(server) for name, server in before.items()}
