from __future__ import annotations

import pytest

from escalator.model.network import AddressPair, NetworkPort


def port(*addresses: str) -> NetworkPort:
    return NetworkPort(id="p", network_id="n", pairs=tuple(AddressPair(address=a) for a in addresses))


@pytest.mark.parametrize("written", ["10.0.0.5", "10.0.0.5/32"])
def test_a_pair_for_one_address_is_known_with_and_without_its_length(written: str) -> None:
    assert port("10.0.0.9", written).has_pair("10.0.0.5")
    assert port(written).find_wider_pair("10.0.0.5") is None


def test_a_range_is_no_pair_for_one_address_but_covers_it() -> None:
    assert not port("10.0.0.0/24").has_pair("10.0.0.5")
    assert port("10.0.0.9", "10.0.0.0/24").find_wider_pair("10.0.0.5") == AddressPair(address="10.0.0.0/24")
    assert port("10.0.1.0/24").find_wider_pair("10.0.0.5") is None


def test_both_versions_of_ip_stand_beside_each_other() -> None:
    both = port("2001:db8::/64", "10.0.0.5")
    assert both.has_pair("10.0.0.5")
    assert not both.has_pair("2001:db8::5")
    assert both.find_wider_pair("2001:db8::5") == AddressPair(address="2001:db8::/64")
    assert both.find_wider_pair("10.0.0.5") is None
