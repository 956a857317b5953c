from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from escalator.model.canary import CanaryWish
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import Inventory, InventoryNode
from escalator.model.inventory_settings import Controller

pytestmark = pytest.mark.airflow
INVENTORY = Inventory(
    cloud="lab",
    taken_at=datetime(2026, 11, 22, tzinfo=UTC),
    nodes=(
        InventoryNode(host="node-01", domain="d", address="192.0.2.7"),
        InventoryNode(host="node-02", domain="d", address="stack@[2001:db8::8]:22022"),
        InventoryNode(host="node-03", domain="d", address="192.0.2.9:ssh"),
    ),
    ssh_conn_id="the_nodes",
)


def connection(monkeypatch: pytest.MonkeyPatch, name: str, **fields: Any) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))


@pytest.fixture
def opened(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect the credentials that are connected with; nothing is called."""
    assert airflow_home
    from escalator_airflow.hooks import openstack

    seen: list[Any] = []
    monkeypatch.setattr(openstack, "connect", lambda credentials, _counter, **_: seen.append(credentials))
    monkeypatch.setattr(openstack, "Cloud", lambda _connection, counter, **_: counter)
    monkeypatch.setattr(openstack, "find_listing_store", lambda *_: None)
    return seen


def test_the_providers_fields_are_read(opened: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from escalator_airflow.hooks.openstack import OpenStackCloudHook

    extra = {"OS_REGION_NAME": "R", "OS_PROJECT_ID": "p", "OS_PROJECT_DOMAIN_ID": "default"}
    connection(
        monkeypatch,
        "openstack_default",
        conn_type="openstack",
        host="https://keystone:5000/v3",
        login="admin",
        password="secret",
        extra=json.dumps(extra),
    )
    OpenStackCloudHook().get_conn()
    (credentials,) = opened
    assert credentials.region_name == "R"
    assert credentials.auth["auth_url"] == "https://keystone:5000/v3"
    assert (credentials.auth["username"], credentials.auth["password"]) == ("admin", "secret")
    assert credentials.auth["project_id"] == "p"
    assert "secret" not in repr(credentials)


def test_a_cloud_of_clouds_yaml_is_read(opened: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from escalator_airflow.hooks.openstack import OpenStackCloudHook

    extra = {"cloud": "lab", "clouds_yaml": "/etc/openstack/clouds.yaml"}
    connection(monkeypatch, "lab", conn_type="openstack", extra=json.dumps(extra))
    OpenStackCloudHook("lab").get_conn()
    assert (opened[0].cloud, opened[0].clouds_yaml) == ("lab", "/etc/openstack/clouds.yaml")


def test_a_field_that_is_missing_is_named_before_any_call(
    opened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from escalator_airflow.hooks.openstack import OpenStackCloudHook

    connection(monkeypatch, "lab", conn_type="openstack", host="https://keystone:5000/v3", password="x")
    with pytest.raises(InvalidRequestError, match=r"connection lab: .*login.* no project, no user domain"):
        OpenStackCloudHook("lab").get_conn()
    assert opened == []


@pytest.fixture
def shells(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    assert airflow_home
    from escalator_airflow.hooks import node_ssh

    monkeypatch.setattr(node_ssh, "NodeShell", lambda target, through: target if through is None else through)
    return node_ssh.NodeShellHook(INVENTORY)


def test_one_connection_reaches_each_node_at_its_own_address(
    shells: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"key_file": "/keys/id", "known_hosts": "/keys/known_hosts"}
    connection(
        monkeypatch,
        "the_nodes",
        conn_type="ssh",
        host="ignored",
        login="ops",
        port=2222,
        extra=json.dumps(extra),
    )
    target = shells.get_conn()("node-01")
    assert (target.host, target.address, target.port, target.user) == ("node-01", "192.0.2.7", 2222, "ops")
    assert str(target.known_hosts) == "/keys/known_hosts"


def test_a_node_has_user_and_port_of_its_own_where_the_inventory_says_so(
    shells: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection(monkeypatch, "the_nodes", conn_type="ssh", login="ops", port=2222, password="hunter2")
    target = shells.get_conn()("node-02")
    assert (target.address, target.port, target.user) == ("2001:db8::8", 22022, "stack")
    assert target.password == "hunter2"
    with pytest.raises(InvalidRequestError, match="'ssh' is not a TCP port"):
        shells.get_conn()("node-03")


def test_nodes_may_be_behind_a_jump_host_with_a_connection_of_its_own(
    shells: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection(monkeypatch, "the_nodes", conn_type="ssh", extra=json.dumps({"jump_conn_id": "bastion"}))
    connection(monkeypatch, "bastion", conn_type="ssh", host="192.0.2.1", login="me", port=2022)
    opened = shells.get_conn()
    jump = opened("node-01")
    assert jump is opened("node-02")  # one connection for all
    target = jump._target
    assert (target.name, target.address, target.port, target.user) == (
        "jump host 192.0.2.1",
        "192.0.2.1",
        2022,
        "me",
    )


def test_programs_that_connect_by_themselves_are_told_the_way(
    shells: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection(monkeypatch, "the_nodes", conn_type="ssh", extra=json.dumps({"jump_conn_id": "bastion"}))
    connection(monkeypatch, "bastion", conn_type="ssh", host="192.0.2.1", login="me", port=2022)
    route = shells.find_route("node-02")
    assert (route.target.host, route.target.address, route.target.port) == ("node-02", "2001:db8::8", 22022)
    assert (route.jump.address, route.jump.user) == ("192.0.2.1", "me")
    connection(monkeypatch, "the_nodes", conn_type="ssh")
    assert shells.find_route("node-01").jump is None


def test_the_password_of_a_vault_is_that_of_its_connection(
    shells: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection(monkeypatch, "site_vault", conn_type="generic", password="open sesame")
    assert shells.find_password("site_vault") == "open sesame"
    connection(monkeypatch, "empty", conn_type="generic")
    with pytest.raises(InvalidRequestError, match="the connection empty has no password"):
        shells.find_password("empty")
    with pytest.raises(InvalidRequestError, match="there is no connection absent"):
        shells.find_password("absent")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "there is no connection bastion"),
        ({"conn_type": "http", "host": "192.0.2.1"}, "not of type ssh, or has no host"),
        ({"conn_type": "ssh"}, "not of type ssh, or has no host"),
        (
            {"conn_type": "ssh", "host": "b", "extra": json.dumps({"jump_conn_id": "c"})},
            "a jump host of its own",
        ),
        (
            {"conn_type": "ssh", "host": "b", "extra": json.dumps({"no_host_key_check": True})},
            "always verified",
        ),
    ],
)
def test_a_jump_host_that_cannot_be_one_is_refused(
    shells: Any, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], said: str
) -> None:
    connection(monkeypatch, "the_nodes", conn_type="ssh", extra=json.dumps({"jump_conn_id": "bastion"}))
    if fields:
        connection(monkeypatch, "bastion", **fields)
    opened = shells.get_conn()
    with pytest.raises(InvalidRequestError, match=said):
        opened("node-01")


def test_the_connection_of_the_nodes_reaches_the_controller_too(
    shells: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection(monkeypatch, "the_nodes", conn_type="ssh", login="ops")
    with pytest.raises(InvalidRequestError):
        shells.get_conn()("ctl-01")
    shells.inventory = replace(shells.inventory, controller=Controller(address="ctl-01"))
    target = shells.get_conn()("ctl-01")
    assert (target.host, target.address, target.user) == ("ctl-01", "ctl-01", "ops")


@pytest.mark.parametrize("extra", [{"no_host_key_check": "true"}, {"no_host_key_check": True}])
def test_switching_host_keys_off_is_refused(
    shells: Any, monkeypatch: pytest.MonkeyPatch, extra: dict[str, object]
) -> None:
    connection(monkeypatch, "the_nodes", conn_type="ssh", extra=json.dumps(extra))
    with pytest.raises(InvalidRequestError, match="host keys are always verified"):
        shells.get_conn()("node-01")


def test_a_node_that_is_not_in_the_inventory_has_no_address(
    shells: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection(monkeypatch, "the_nodes", conn_type="ssh")
    with pytest.raises(InvalidRequestError, match="node-99 has no address"):
        shells.get_conn()("node-99")


@pytest.mark.parametrize(
    ("fields", "header"),
    [
        ({"login": "me", "password": "hunter2"}, b"Basic bWU6aHVudGVyMg=="),
        ({"login": "me", "extra": json.dumps({"token": "t0ken"})}, b"Bearer t0ken"),
        ({"extra": json.dumps({"token": 5})}, None),
    ],
)
def test_credentials_of_a_manager_are_those_of_its_connection(
    airflow_home: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], header: bytes | None
) -> None:
    assert airflow_home
    from escalator_airflow.hooks.vim import find_vnfm_credentials

    connection(monkeypatch, "vnfm_one", conn_type="http", host="ignored", **fields)
    found = find_vnfm_credentials("vnfm_one")
    assert found.make_header() == header
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("", None),
        ("rabbit://a:b@c/", "rabbit://a:b@c/"),
        ("the_bus", "rabbit://o%40s:p%2Fw@192.0.2.9:5672/v%2Fh"),
    ],
)
def test_message_bus_is_an_address_or_a_connection(
    airflow_home: Path, monkeypatch: pytest.MonkeyPatch, said: str, url: str | None
) -> None:
    assert airflow_home
    from escalator_airflow.hooks.vim import find_transport_url

    fields = {"login": "o@s", "password": "p/w", "host": "192.0.2.9", "port": 5672, "schema": "/v/h"}
    connection(monkeypatch, "the_bus", conn_type="generic", **fields)
    monkeypatch.setenv("ESCALATOR_VIM_TRANSPORT", said)
    assert find_transport_url() == url


def test_message_bus_without_a_host_is_refused(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert airflow_home
    from escalator_airflow.hooks.vim import find_transport_url

    connection(monkeypatch, "the_bus", conn_type="generic", password="hunter2")
    monkeypatch.setenv("ESCALATOR_VIM_TRANSPORT", "the_bus")
    with pytest.raises(InvalidRequestError, match="the connection the_bus of the message bus has no host"):
        find_transport_url()


def test_the_servers_of_a_large_cloud_are_kept_beside_the_tokens(airflow_home: Path, tmp_path: Path) -> None:
    assert airflow_home
    from escalator_airflow.hooks.openstack import find_listing_store

    def find(region: str, folder: str) -> Any:
        config = SimpleNamespace(get_region_name=lambda _service: region)
        session = SimpleNamespace(auth=SimpleNamespace(get_cache_id=lambda: "credentials"))
        opened: Any = SimpleNamespace(config=config, session=session)
        return find_listing_store({"ESCALATOR_TOKEN_DIR": folder}, opened)

    found = find("R", str(tmp_path / "tokens"))
    assert found.path.parent == tmp_path / "tokens"
    assert found.path != find("S", str(tmp_path / "tokens")).path
    assert find("R", "") is None


@pytest.mark.parametrize(
    ("extra", "wish"),
    [
        ({}, CanaryWish()),
        (
            {"canary_flavor": "f", "canary_image": "i", "canary_network": "n"},
            CanaryWish(flavor="f", image="i", network="n"),
        ),
        ({"canary": "off"}, CanaryWish(off=True)),
        ({"canary": False}, CanaryWish(off=True)),
        ({"canary_flavor": " "}, CanaryWish()),
    ],
)
def test_a_connection_says_what_canaries_are_made_of(extra: dict[str, object], wish: CanaryWish) -> None:
    from escalator_airflow.hooks.openstack import read_canary

    assert read_canary(extra) == wish
