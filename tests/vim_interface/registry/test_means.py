from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.documents.documents_drawn import mutilated
from tests.vim_interface.registry.test_vnf_files import CLOUD, SCHEMAS, changed, written

from escalator.model.errors import InvalidRequestError
from escalator.model.vnf_means import (
    CommandMeans,
    FloatingIpMeans,
    HttpMeans,
    OctaviaMeans,
    ProbeMethod,
    ProbeTarget,
    SwitchSide,
    VipPortMeans,
)
from escalator.vim_interface.registry import add_ha_groups_of, find_means, find_probes, load_ha_sources
from escalator.vim_interface.registry.placeholders import fill_placeholders
from escalator.vim_interface.registry.vnf_document import parse_vnf

PORT = "0d7a1a53-6a0e-4f43-9f0e-5d5a3f0a4c11"
GOOD: list[tuple[dict[str, Any], Any]] = [
    ({"method": "floating-ip", "address": "203.0.113.7"}, FloatingIpMeans(address="203.0.113.7")),
    ({"method": "vip-port", "port": PORT}, VipPortMeans(port=PORT)),
    ({"method": "vip-port", "address": "2001:DB8::7"}, VipPortMeans(address="2001:db8::7")),
    (
        {"method": "octavia", "pool": PORT, "drain_seconds": 5},
        OctaviaMeans(pool=PORT, drain_seconds=5.0),
    ),
    ({"method": "octavia", "load_balancer": PORT}, OctaviaMeans(load_balancer=PORT)),
    (
        {"method": "http", "url": "http://{address}:8080/ha", "post_to": "active", "active": "MASTER"},
        HttpMeans(url="http://{address}:8080/ha", switch_at=SwitchSide.ACTIVE, active_word="MASTER"),
    ),
    (
        {"method": "http", "urls": {"a": "http://10.0.0.1", "b": "https://b.example"}, "role": "/r"},
        HttpMeans(urls={"a": "http://10.0.0.1", "b": "https://b.example"}, role_path="/r"),
    ),
    (
        {"method": "command", "argv": ["/opt/switch", "{from_name}", "--to={to_id}"], "timeout_seconds": 5},
        CommandMeans(argv=("/opt/switch", "{from_name}", "--to={to_id}"), timeout_seconds=5.0),
    ),
]


def mode_of(switchover: dict[str, Any]) -> str:
    return "load-balanced" if switchover["method"] == "octavia" else "active-standby"


def group_with(switchover: Any, mode: str | None = None, **more: Any) -> dict[str, Any]:
    members = [{"id": "a"}, {"id": "b"}]
    return changed(mode=mode or mode_of(switchover), members=members, switchover=switchover, **more)


def group_of_any(switchover: dict[str, Any]) -> dict[str, Any]:
    return group_with(switchover, "active-standby")


def faults_of(document: dict[str, Any]) -> str:
    faults: list[str] = []
    parse_vnf(document, "sbc.yaml", faults)
    return "; ".join(faults)


@pytest.mark.parametrize(("switchover", "means"), GOOD)
def test_means_of_a_group_are_found(tmp_path: Path, switchover: dict[str, Any], means: Any) -> None:
    document = group_with(switchover)
    jsonschema.validate(document, json.loads((SCHEMAS / "vnf.schema.json").read_text()))
    sources = load_ha_sources(written(tmp_path, document))
    assert find_means(CLOUD, sources) == {"pair": means}
    once = add_ha_groups_of(CLOUD, sources)
    assert find_means(once, sources) == {"pair": means}, "the groups may stand in the snapshot already"
    assert find_probes(CLOUD, sources) == {}


@pytest.mark.parametrize(
    ("probe", "target"),
    [
        (
            {"method": "icmp", "address": "203.0.113.7"},
            ProbeTarget(group="pair", method=ProbeMethod.ICMP, address="203.0.113.7"),
        ),
        (
            {"method": "tcp", "address": "sbc.example", "port": 5060},
            ProbeTarget(group="pair", method=ProbeMethod.TCP, address="sbc.example", port=5060),
        ),
        (
            {"method": "http", "url": "https://[2001:db8::7]/health"},
            ProbeTarget(
                group="pair",
                method=ProbeMethod.HTTP,
                address="2001:db8::7",
                port=443,
                url="https://[2001:db8::7]/health",
            ),
        ),
    ],
)
def test_probe_of_a_group_is_found(tmp_path: Path, probe: dict[str, Any], target: ProbeTarget) -> None:
    document = changed(probe=probe)
    jsonschema.validate(document, json.loads((SCHEMAS / "vnf.schema.json").read_text()))
    sources = load_ha_sources(written(tmp_path, document))
    assert find_probes(CLOUD, sources) == {"pair": target}
    assert find_means(CLOUD, sources) == {}


@pytest.mark.parametrize(
    ("switchover", "words"),
    [
        ({}, "switchover.method: is required"),
        ({"method": "magic"}, "must be one of floating-ip, vip-port, octavia, http, command"),
        ({"method": "floating-ip"}, "switchover.address: is required"),
        ({"method": "floating-ip", "address": "lb.example"}, "must be an IP address"),
        ({"method": "floating-ip", "address": "10.0.0.1", "port": "x"}, "switchover.port: is not known"),
        ({"method": "vip-port"}, "must have exactly one of port, address"),
        ({"method": "vip-port", "port": "a/b"}, "switchover.port: must be letters"),
        ({"method": "octavia", "pool": "p", "load_balancer": "l"}, "exactly one of pool, load_balancer"),
        ({"method": "octavia", "pool": "p", "drain_seconds": -1}, "must be seconds from 0 to 3600"),
        ({"method": "http"}, "must have url or urls"),
        ({"method": "http", "url": "http://one.example"}, "must have {id}, {name} or {address} in it"),
        ({"method": "http", "url": "http://{host}"}, "has {host} in it, known are {id}, {name}, {address}"),
        ({"method": "http", "url": "ftp://{id}"}, "must be a URL that begins with http:// or https://"),
        ({"method": "http", "url": "http://u:geheim@{id}"}, "no place for secrets"),
        ({"method": "http", "url": "http://{id}:x"}, "must be a URL"),
        ({"method": "http", "url": "http://{id}", "switch": "go"}, "must be a path that begins with '/'"),
        ({"method": "command", "argv": []}, "switchover.argv: is required"),
        ({"method": "command", "argv": ["switch"]}, "must be the whole path of a program"),
        ({"method": "command", "argv": ["/s", "{who}"]}, "argv[1]: has {who} in it, known are {group}"),
        ({"method": "command", "argv": ["/s"], "role_argv": ["/r", "{to_id}"]}, "known are {group}"),
        ({"method": "command", "argv": ["/s"], "timeout_seconds": 0}, "more than 0"),
    ],
)
def test_faults_of_means_are_named(switchover: dict[str, Any], words: str) -> None:
    mode = "load-balanced" if switchover.get("method") == "octavia" else "active-standby"
    said = faults_of(group_with(switchover, mode))
    assert words in said
    assert said.startswith("sbc.yaml: groups[0].switchover")
    assert "geheim" not in said


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        ({"method": "udp", "address": "10.0.0.1"}, "must be one of icmp, tcp, http"),
        ({"method": "tcp", "address": "10.0.0.1"}, "probe.port: is required"),
        ({"method": "tcp", "address": "10.0.0.1", "port": 70000}, "must be at most 65535"),
        ({"method": "icmp", "address": "-c 1"}, "must be an IP address or the name of a machine"),
        ({"method": "http", "url": "http://"}, "must be a URL"),
        ({"method": "http", "url": "http://x:99999/"}, "must be a URL"),
        ({"method": "http", "url": "http://x", "port": 80}, "probe.port: is not known"),
    ],
)
def test_faults_of_probes_are_named(probe: dict[str, Any], words: str) -> None:
    assert words in faults_of(changed(probe=probe))


def test_method_fits_the_mode_of_its_group() -> None:
    octavia = {"method": "octavia", "pool": "p"}
    assert "is for groups of mode load-balanced" in faults_of(group_with(octavia, "active-standby"))
    floating = {"method": "floating-ip", "address": "10.0.0.1"}
    assert "is for groups of mode active-standby" in faults_of(
        changed(mode="load-balanced", members=[{"id": "a"}], switchover=floating)
    )
    assert "not of mode none" in faults_of(changed(mode="none", members=[{"id": "a"}], switchover=floating))


def test_an_address_is_that_of_one_group(tmp_path: Path) -> None:
    floating = {"method": "floating-ip", "address": "203.0.113.7"}
    group = group_with(floating)["groups"][0]
    other = {**group, "id": "other", "members": [{"id": "c"}]}
    written(tmp_path, {**changed(), "groups": [group, other]})
    with pytest.raises(InvalidRequestError, match=r"203\.0\.113\.7 is that of 'pair'"):
        find_means(CLOUD, load_ha_sources(tmp_path))


def test_the_first_source_that_knows_a_group_says_how_it_is_switched(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    (plain,) = load_ha_sources(written(first, changed()))[:1]
    (means,) = load_ha_sources(written(second, group_with({"method": "vip-port", "port": "p"})))[:1]
    assert find_means(CLOUD, (plain, means)) == {}
    assert find_means(CLOUD, (means, plain)) == {"pair": VipPortMeans(port="p")}


@given(
    st.sampled_from([means for means, _ in GOOD]).flatmap(mutilated).map(group_of_any)
    | mutilated({"method": "tcp", "address": "x", "port": 1}).map(lambda probe: changed(probe=probe))
)
@settings(max_examples=60)
def test_mutilated_means_get_faults_and_no_traceback(document: Any) -> None:
    faults: list[str] = []
    assert (parse_vnf(document, "x.yaml", faults) == ()) is bool(faults)


def test_values_are_put_in_once() -> None:
    assert fill_placeholders("{name}-{id}", {"name": "{id}", "id": "7"}) == "{id}-7"
    with pytest.raises(InvalidRequestError, match=r"nothing is known to put in for \{address\}"):
        fill_placeholders("http://{address}", {"id": "7"})
