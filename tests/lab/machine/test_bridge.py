from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import pytest

from escalator.lab.errors import LabError
from escalator.lab.machine import bridge
from escalator.lab.machine.bridge import Bridge, check_free, mac_of

if TYPE_CHECKING:
    from pathlib import Path

BRIDGE = Bridge(instance=4)
LONGEST_NAME = 15
ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
escalator-lab4\t0004D50A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def test_names_carry_the_instance_and_are_no_longer_than_the_kernel_takes() -> None:
    names = [
        cable.outside for host in ("node-01", "node-99") for cable in BRIDGE.cables_of(host, guests="eth1")
    ]
    assert [BRIDGE.name, *names] == [
        "escalator-lab4",
        *("esclab4-01m", "esclab4-01g", "esclab4-99m", "esclab4-99g"),
    ]
    assert max(map(len, [BRIDGE.name, *names])) <= LONGEST_NAME


def test_a_node_keeps_its_address_and_its_mac_address_and_its_guests_have_others() -> None:
    own, guests = BRIDGE.cables_of("node-02", guests="eth1")
    assert (own.inside, own.address, own.mac) == ("eth0", "10.213.4.12/24", "02:00:0a:d5:04:0c")
    assert (guests.inside, guests.address, guests.mac) == ("eth1", "", "")
    assert BRIDGE.address == "10.213.4.1"
    assert BRIDGE.guests == ("10.213.4.110", "10.213.4.250")
    assert BRIDGE.address_of("node-99") == "10.213.4.109"
    assert BRIDGE.address_of("node-02") != Bridge(instance=5).address_of("node-02")


def test_a_mac_address_tells_the_address() -> None:
    assert mac_of("10.213.4.110") == "02:00:0a:d5:04:6e"


def test_real_guests_cannot_run_without_tun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "TUN", tmp_path / "tun")
    with pytest.raises(LabError, match=r"tun is missing"):
        BRIDGE.check_possible()


def test_real_guests_cannot_run_where_the_kernel_makes_no_bridge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    bridge.check_kernel()  # what makes bridges is not installed yet
    for name in ("ip", "unshare"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'Error: Unknown device type.' >&2; exit 2\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(LabError, match=r"no bridge can be made: Error: Unknown device type\."):
        bridge.check_kernel()


def test_addresses_that_are_reached_by_the_default_route_or_the_bridge_itself_are_free() -> None:
    check_free(BRIDGE.network, ROUTES, but=BRIDGE.name)


@pytest.mark.parametrize("network", ["10.213.0.0/16", "10.213.4.128/25"])
def test_addresses_that_somebody_has_are_refused_with_the_interface(network: str) -> None:
    there = IPv4Network(network)
    target, mask = (each.packed[::-1].hex().upper() for each in (there.network_address, there.netmask))
    taken = f"{ROUTES}tun0\t{target}\t00000000\t0001\t0\t0\t0\t{mask}\t0\t0\t0\n"
    with pytest.raises(LabError, match="tun0"):
        check_free(BRIDGE.network, taken, but=BRIDGE.name)
