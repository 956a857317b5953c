from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.vnf.processes import free_port

from escalator.lab.vnf.guest import Guest, GuestSettings
from escalator.lab.vnf.json_file import JsonFile, write_json
from escalator.lab.vnf.json_server import call
from escalator.lab.vnf.l3_agent import L3Agent
from escalator.lab.vnf.service_log import ServiceLog, find_gaps, read_events

ADDRESS = "127.0.63.1"
ONE, TWO = "127.0.63.11", "127.0.63.12"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


@pytest.fixture
def guests(log: Path) -> Iterator[dict[str, Guest]]:
    port = free_port(ADDRESS)
    made = {
        own: Guest(GuestSettings(name=own, server=own, own=(own, port)), ServiceLog(log, own))
        for own in (ONE, TWO)
    }
    for guest in made.values():
        guest.start(active=False)
    yield made
    for guest in made.values():
        guest.stop()


@pytest.fixture
def agent(guests: dict[str, Guest], log: Path) -> L3Agent:
    return new_agent(guests, log)


def new_agent(guests: dict[str, Guest], log: Path) -> L3Agent:
    ports = {own: guest.settings.own[1] for own, guest in guests.items()}
    return L3Agent(log=ServiceLog(log, "agent"), ports=ports)


def serving(guests: dict[str, Guest]) -> list[str]:
    return [own for own, guest in guests.items() if guest.role == "active"]


def test_the_address_is_served_where_neutron_has_it(
    agent: L3Agent, guests: dict[str, Guest], log: Path
) -> None:
    agent.apply({ADDRESS: {ONE}})
    assert serving(guests) == [ONE]
    agent.apply({ADDRESS: {TWO}})
    assert serving(guests) == [TWO]
    (gap,) = find_gaps(read_events([log]), ADDRESS)
    assert gap.seconds is not None
    assert 0 < gap.seconds < 0.5
    agent.apply({})
    assert serving(guests) == []


def test_of_two_that_may_have_it_the_one_that_has_it_keeps_it(
    agent: L3Agent, guests: dict[str, Guest]
) -> None:
    agent.apply({ADDRESS: {TWO}})
    agent.apply({ADDRESS: {ONE, TWO}})
    assert serving(guests) == [TWO]
    agent.apply({ADDRESS: {ONE}})
    assert serving(guests) == [ONE]


def test_addresses_of_other_servers_are_nobodys_business(agent: L3Agent, guests: dict[str, Guest]) -> None:
    agent.apply({ADDRESS: {"127.0.63.99"}, "10.0.0.1": {"10.0.0.2"}})
    assert serving(guests) == []
    assert agent.held == {}


def test_an_agent_that_was_started_again_takes_away_what_moved_meanwhile(
    agent: L3Agent, guests: dict[str, Guest], log: Path
) -> None:
    agent.apply({ADDRESS: {ONE}})
    new_agent(guests, log).apply({ADDRESS: {TWO}})
    assert serving(guests) == [TWO]


def test_a_guest_that_is_gone_has_let_go_and_one_that_cannot_take_is_asked_again(
    agent: L3Agent, guests: dict[str, Guest]
) -> None:
    agent.apply({ADDRESS: {ONE}})
    guests[ONE].stop()
    port = guests[TWO].settings.own[1]
    call("POST", f"http://{TWO}:{port}/health", {"healthy": False})
    agent.apply({ADDRESS: {TWO}})
    assert serving(guests) == []
    call("POST", f"http://{TWO}:{port}/health", {"healthy": True})
    agent.apply({ADDRESS: {TWO}})
    assert serving(guests) == [TWO]


def test_a_guest_that_was_started_again_is_told_again(agent: L3Agent, guests: dict[str, Guest]) -> None:
    agent.apply({ADDRESS: {ONE}})
    agent.look()
    assert agent.held == {ADDRESS: ONE}
    port = guests[ONE].settings.own[1]
    call("POST", f"http://{ONE}:{port}/release", {})
    agent.look()
    agent.apply({ADDRESS: {ONE}})
    assert serving(guests) == [ONE]


def test_the_file_of_guests_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "guests.json"
    file = JsonFile(path)
    assert file.fetch() is None
    write_json(path, [ONE])
    assert file.fetch() == [ONE]
    path.write_text("not read again")
    os.utime(path, ns=(file._seen, file._seen))
    assert file.fetch() == [ONE]
    write_json(path, [TWO])
    assert file.fetch() == [TWO]
