from __future__ import annotations

import configparser
import json
from pathlib import Path

import yaml

from escalator.lab.clients import clouds_yaml, lab_json, openrc
from escalator.lab.config import ControlConfig, render
from escalator.lab.nodes import Node
from escalator.lab.services import write_rabbitmq_config, wsgi
from escalator.lab.settings import Hypervisor, LabSettings, NovaForm

SETTINGS = LabSettings(home=Path("/lab"), instance=2, nodes=2)
CONFIG = ControlConfig(settings=SETTINGS)


def parsed(content: dict[str, dict[str, object]]) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(render(content))
    return parser


def test_rendering_keeps_sections_and_writes_booleans_small() -> None:
    content = parsed({"DEFAULT": {"a": True, "b": 5}, "x": {"c": "d=e"}})
    assert content["DEFAULT"]["a"] == "true"
    assert content["x"]["b"] == "5"
    assert content["x"]["c"] == "d=e"


def test_nova_is_told_to_be_quick_and_to_work_across_releases() -> None:
    nova = parsed(CONFIG.nova(state="/var/lib/nova", log="/var/log/nova"))
    assert nova["DEFAULT"]["report_interval"] == "5"
    assert nova["DEFAULT"]["service_down_time"] == "20"
    assert nova["DEFAULT"]["allow_resize_to_same_host"] == "false"
    assert nova["upgrade_levels"]["compute"] == "auto"
    assert nova["service_user"]["send_service_user_token"] == "true"
    assert nova["DEFAULT"]["transport_url"] == "rabbit://guest:guest@127.0.0.1:21205/"


def test_every_address_is_on_loopback_with_the_ports_of_the_instance() -> None:
    assert CONFIG.auth_url == "http://127.0.0.1:21200/v3"
    assert CONFIG.endpoint("nova") == "http://127.0.0.1:21202/v2.1"
    assert CONFIG.endpoint("placement") == "http://127.0.0.1:21201"
    assert CONFIG.database("nova_api").endswith("@127.0.0.1:21208/nova_api")


def test_services_answer_at_every_address_that_the_control_plane_has(tmp_path: Path) -> None:
    settings = LabSettings(home=tmp_path, instance=2, nova=NovaForm.PACKAGE, hypervisor=Hypervisor.QEMU)
    words = wsgi(ControlConfig(settings=settings), "glance", "glance.wsgi.api", {}).command
    sockets = [words[at + 1] for at, word in enumerate(words) if word == "--http-socket"]
    assert sockets == ["127.0.0.1:21203", "10.213.2.1:21203"]
    write_rabbitmq_config(settings)
    broker = (settings.run / "state/rabbitmq/rabbitmq.conf").read_text()
    assert "listeners.tcp.1 = 127.0.0.1:21205\nlisteners.tcp.2 = 10.213.2.1:21205\n" in broker


def test_clouds_yaml_is_complete() -> None:
    cloud = yaml.safe_load(clouds_yaml(CONFIG))["clouds"]["lab"]
    assert cloud["auth"]["auth_url"] == CONFIG.auth_url
    assert cloud["auth"]["username"] == "admin"
    assert (cloud["region_name"], cloud["interface"]) == ("RegionOne", "public")


def test_openrc_exports_what_the_command_line_needs() -> None:
    lines = openrc(CONFIG).splitlines()
    assert f"export OS_AUTH_URL={CONFIG.auth_url}" in lines
    assert "export OS_PROJECT_NAME=admin" in lines


def test_lab_json_tells_how_to_reach_the_nodes() -> None:
    nodes = [Node(host=host, config=CONFIG) for host in SETTINGS.hosts]
    about = json.loads(json.dumps(lab_json(CONFIG, nodes)))
    assert about["schema"] == "escalator.lab/1"
    assert about["ssh"] == {
        "user": "root",
        "port": 22,
        "key_file": "/lab/ssh/id_ed25519",
        "known_hosts": "/lab/run-2/known_hosts",
    }
    assert [node["address"] for node in about["nodes"]] == ["127.0.12.1", "127.0.12.2"]
    assert len(about["events"]) == 2
