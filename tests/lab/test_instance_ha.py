"""Masakari of a lab: what it is told, and that a second run tells nothing."""

from __future__ import annotations

from configparser import ConfigParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from escalator.lab.api import Cloud
from escalator.lab.config import ControlConfig, render
from escalator.lab.errors import LabError
from escalator.lab.instance_ha import Masakari
from escalator.lab.progress import silent
from escalator.lab.settings import LabSettings


@dataclass
class FakeMasakari:
    """Segments and hosts as its API has them."""

    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    segments: list[dict[str, Any]] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def get(self, service: str, path: str) -> Any:
        assert service == "masakari"
        if path == "/segments":
            return {"segments": self.segments}
        assert path == "/segments/s1/hosts"
        return {"hosts": list(self.hosts.values())}

    def post(self, service: str, path: str, body: dict[str, Any]) -> Any:
        self.written.append(f"{service} {path}")
        if path == "/segments":
            self.segments.append({"uuid": "s1", **body["segment"]})
            return {"segment": self.segments[0]}
        name = body["host"]["name"]
        self.hosts[name] = {"uuid": f"id-{name}", "failover_segment_id": "s1", **body["host"]}
        return {"host": self.hosts[name]}

    def put(self, service: str, path: str, body: dict[str, Any]) -> None:
        self.written.append(f"{service} {path} {body}")


def make(cloud: FakeMasakari, home: Path) -> Masakari:
    config = ControlConfig(settings=LabSettings(home=home, instance=3))
    return Masakari(config=config, cloud=cast("Cloud", cloud), progress=silent())


def test_every_node_is_in_one_segment_and_a_second_run_writes_nothing(tmp_path: Path) -> None:
    cloud = FakeMasakari()
    masakari = make(cloud, tmp_path)
    masakari._ensure_hosts(("node-01", "node-02"))
    assert list(masakari.fetch_hosts()) == ["node-01", "node-02"]
    assert len(cloud.written) == 3
    masakari._ensure_hosts(("node-01", "node-02"))
    assert len(cloud.written) == 3


def test_a_person_sets_the_flag_of_a_host_and_of_no_other(tmp_path: Path) -> None:
    cloud = FakeMasakari()
    masakari = make(cloud, tmp_path)
    masakari._ensure_hosts(("node-01",))
    masakari.set_maintenance("node-01", on=True)
    assert cloud.written[-1] == "masakari /segments/s1/hosts/id-node-01 {'host': {'on_maintenance': True}}"
    with pytest.raises(LabError, match="node-09 is in no segment"):
        masakari.set_maintenance("node-09", on=True)


def test_it_answers_at_a_port_of_its_lab_and_asks_the_labs_keystone(tmp_path: Path) -> None:
    masakari = make(FakeMasakari(), tmp_path)
    written = ConfigParser(interpolation=None)
    written.read_string(render(masakari._config(tmp_path / "venv")).replace("[DEFAULT]", "[default]"))
    assert written["default"]["masakari_api_listen_port"] == "21310"
    assert written["keystone_authtoken"]["username"] == "masakari"
    assert masakari.config.endpoint("masakari") == "http://127.0.0.1:21310/v1"
    assert not masakari.is_wanted
