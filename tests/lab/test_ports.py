from __future__ import annotations

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalator.lab.errors import PortTakenError
from escalator.lab.ports import Endpoint, Listener, check_free, describe_holder, fetch_listeners


@pytest.fixture
def listening() -> socket.socket:
    opened = socket.socket()
    opened.bind(("127.0.0.77", 0))
    opened.listen()
    return opened


def test_a_listener_is_found_and_its_holder_named(listening: socket.socket) -> None:
    with listening:
        address, port = listening.getsockname()
        found = next(each for each in fetch_listeners() if each.port == port and each.address == address)
        assert describe_holder(found).startswith(f"pid {os.getpid()}: ")


def test_a_taken_port_is_refused_with_holder_and_remedy(listening: socket.socket) -> None:
    with listening:
        address, port = listening.getsockname()
        wanted = Endpoint(address=address, port=port, purpose="keystone")
        with pytest.raises(
            PortTakenError, match=rf"{port} \(keystone\) is taken by pid {os.getpid()}"
        ) as refused:
            check_free([wanted], fetch_listeners())
        assert "ESCALATOR_LAB_INSTANCE" in str(refused.value.remedy)
    check_free([wanted], fetch_listeners())


@pytest.mark.parametrize(
    ("address", "port", "hinders"),
    [
        ("0.0.0.0", 22, True),  # noqa: S104
        ("::", 22, True),
        ("127.0.10.1", 22, True),
        ("127.0.0.1", 22, False),
        ("0.0.0.0", 23, False),  # noqa: S104
    ],
)
def test_a_wildcard_hinders_every_address(address: str, port: int, *, hinders: bool) -> None:
    wanted = Endpoint(address="127.0.10.1", port=22, purpose="ssh of node-01")
    assert Listener(address=address, port=port, inode=1).hinders(wanted) is hinders


def test_all_taken_ports_are_named_at_once_and_ssh_has_a_way_out() -> None:
    wanted = [
        Endpoint(address="127.0.0.1", port=21000, purpose="keystone"),
        Endpoint(address="127.0.10.1", port=22, purpose="ssh of node-01"),
    ]
    others = [Listener(address="0.0.0.0", port=port, inode=0) for port in (21000, 22)]  # noqa: S104
    with pytest.raises(PortTakenError) as refused:
        check_free(wanted, others)
    assert "21000 (keystone)" in refused.value.message
    assert "22 (ssh of node-01)" in refused.value.message
    assert "ESCALATOR_LAB_SSH_PORT" in str(refused.value.remedy)


@given(st.integers(min_value=1, max_value=65535), st.integers(min_value=1, max_value=65535))
def test_only_the_same_port_hinders(ours: int, theirs: int) -> None:
    wanted = Endpoint(address="127.0.0.1", port=ours, purpose="x")
    assert Listener(address="127.0.0.1", port=theirs, inode=1).hinders(wanted) == (ours == theirs)
