"""Real guests on a node that is upgraded: one is moved live, one cold as its owner says, one as it is off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from escalator.lab.machine.guest import spec_of
from tests.campaigns.harness import NEW, Harness, host_of, state_of
from tests.campaigns.real_guests import address_of, hypervisor_bundle, read, real_guests
from tests.lab.machine.machines import lost_by_emulation

pytestmark = [
    pytest.mark.lab,
    pytest.mark.stack,
    pytest.mark.real_guests,
    pytest.mark.proof,
    pytest.mark.timeout(1800),
]

FIRST = "node-01"
OFFLINE = {"supported_migration_type": "OFFLINE_MIGRATION"}
GUESTS = (
    spec_of("live", FIRST),
    replace(spec_of("cold", FIRST), metadata=OFFLINE),
    replace(spec_of("stopped", FIRST), state="SHUTOFF"),
)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    with real_guests(tmp_path_factory.mktemp("cold"), GUESTS) as harness:
        yield harness


@pytest.fixture(scope="module")
def campaign(real: Harness) -> dict[str, Any]:
    before = real.servers()
    running = ("live", "cold")
    told = {name: read(address_of(before[name])) for name in running}
    run = real.trigger(bundle=hypervisor_bundle(real))
    state = real.wait(run)
    after = real.servers()
    nodes = {node["host"]: node for node in real.report(run)["nodes"]}
    return {
        "state": state,
        "states": real.states(run),
        "moves": [move for node in nodes.values() for move in node["moves"]],
        "after": after,
        "told": {name: (told[name], read(address_of(after[name]))) for name in running},
    }


def test_each_leaves_the_node_the_way_that_it_can(real: Harness, campaign: dict[str, Any]) -> None:
    assert campaign["state"] == "success", campaign["states"]
    hosts = real.lab.settings.hosts
    assert {host: real.running(host) for host in hosts} == dict.fromkeys(hosts, NEW)
    left = {move["name"]: move for move in campaign["moves"] if move["from"] == FIRST}
    assert {name: move["method"] for name, move in left.items()} == {
        "live": "live",
        "cold": "cold",
        "stopped": "cold",
    }
    assert all(move["succeeded"] for move in campaign["moves"])


def test_what_was_moved_cold_was_started_anew_and_what_was_off_is_off(
    real: Harness, campaign: dict[str, Any]
) -> None:
    after = campaign["after"]
    states = {name: state_of(server) for name, server in after.items()}
    assert states == {"live": ("ACTIVE", None), "cold": ("ACTIVE", None), "stopped": ("SHUTOFF", None)}
    assert all(host_of(server) for server in after.values())
    first, last = campaign["told"]["cold"]
    assert "" not in (first, last)
    assert first != last
    if lost := lost_by_emulation(real.lab, after["live"]["id"]):
        pytest.skip(f"QEMU's emulation lost a page of the guest in its move: {lost}")
    first, last = campaign["told"]["live"]
    assert first == last != ""


def test_a_guest_that_was_off_starts_on_its_new_node(real: Harness, campaign: dict[str, Any]) -> None:
    server = campaign["after"]["stopped"]
    real.lab.servers.act(server["id"], {"os-start": None})
    real.lab.servers.wait_for({server["id"]: "ACTIVE"})
    assert read(address_of(server)) != ""
