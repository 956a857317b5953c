from __future__ import annotations

import json
from pathlib import Path

import pytest

from escalator.lab.config import ControlConfig
from escalator.lab.errors import LabError
from escalator.lab.lab import Lab
from escalator.lab.settings import LabSettings
from escalator.lab.vnf.load_balancers import LoadBalancer
from escalator.lab.vnf.processes import VnfProcesses, describe
from escalator.lab.vnf.specs import Form, Vnf, VnfmSpec, VnfServer, VnfSpec
from escalator.lab.vnf.vnfm import Behaviour
from escalator.lab.vnf.world import VnfLab


def make(tmp_path: Path, form: Form = Form.HTTP, **more: object) -> Vnf:
    servers = tuple(
        VnfServer(
            name=f"db-{n}",
            id=f"id-{n}",
            host=f"node-0{n}",
            port_id=f"p-{n}",
            address=f"127.0.70.{n}",
            port=80,
        )
        for n in (1, 2)
    )
    spec = VnfSpec(
        name="db", nodes=("node-01", "node-02"), form=form, vnfm=VnfmSpec(dialect="b", authorization="x")
    )
    about = {"spec": spec, "project_id": "p1", "group_id": "g1", "servers": servers, "address": "127.0.70.9"}
    manager = {"vnfm_url": "http://127.0.90.1:9890", "address_id": "a1", "port": 8080, "folder": tmp_path}
    return Vnf(**{**about, **manager, **more})  # type: ignore[arg-type]


@pytest.fixture
def processes(tmp_path: Path) -> VnfProcesses:
    return VnfProcesses(config=ControlConfig(settings=LabSettings(home=tmp_path)))


def test_the_first_of_a_pair_is_active_and_each_knows_the_other(
    processes: VnfProcesses, tmp_path: Path
) -> None:
    vnf = make(tmp_path)
    words = [processes.guest(vnf, server).command for server in vnf.servers]
    assert ["--active" in command for command in words] == [True, False]
    assert [command[command.index("--peer") + 1] for command in words] == [
        vnf.servers[1].url,
        vnf.servers[0].url,
    ]


def test_a_guest_whose_address_neutron_moves_is_told_none(processes: VnfProcesses, tmp_path: Path) -> None:
    command = processes.guest(make(tmp_path, Form.FLOATING_IP), make(tmp_path).servers[0]).command
    assert not {"--active", "--service", "--peer"} & set(command)


def test_a_balancer_of_octavias_follows_it(processes: VnfProcesses, tmp_path: Path) -> None:
    own = processes.balancer(make(tmp_path, Form.BALANCER)).command
    assert "escalator.lab.vnf.balancer" in own
    balancer = LoadBalancer(id="lb1", pool_id="p1", members={})
    follows = processes.balancer(make(tmp_path, Form.OCTAVIA, load_balancer=balancer)).command
    assert "escalator.lab.vnf.amphora" in follows
    assert "lb1" in follows


def test_a_manager_is_told_what_it_manages_in_the_words_of_fenix(
    processes: VnfProcesses, tmp_path: Path
) -> None:
    spec = VnfmSpec(behaviour=Behaviour.NACK, group={"recovery_time": 60}, instance={"lead_time": 5})
    command = processes.manager(make(tmp_path), spec).command
    config = json.loads((tmp_path / "vnfm.json").read_text())
    assert config["groups"][0]["recovery_time"] == 60
    assert [each["lead_time"] for each in config["instances"]] == [5, 5]
    assert config["instances"][0]["group_id"] == config["groups"][0]["group_id"] == "g1"
    assert config["listen"] == "127.0.90.1:9890"
    assert config["floating_ip"] is None
    assert "nack" in command
    assert (tmp_path / "vnfm.json").stat().st_mode & 0o077 == 0, "a password is in it"
    processes.manager(make(tmp_path, Form.FLOATING_IP), VnfmSpec(pushes=False))
    config = json.loads((tmp_path / "vnfm.json").read_text())
    assert (config["floating_ip"], config["groups"], config["instances"]) == ("a1", [], [])


def test_only_guests_whose_address_neutron_moves_are_the_agents(
    processes: VnfProcesses, tmp_path: Path
) -> None:
    vnfs = (make(tmp_path), make(tmp_path, Form.VIP_PORT))
    processes.write_guests(tmp_path, vnfs)
    assert json.loads((tmp_path / "guests.json").read_text()) == [
        {"own": "127.0.70.1", "port": 80},
        {"own": "127.0.70.2", "port": 80},
    ]


def test_a_vnf_is_told_to_programs(tmp_path: Path) -> None:
    told = describe(make(tmp_path))
    assert told["spec"]["name"] == "db"
    assert [server["id"] for server in told["servers"]] == ["id-1", "id-2"]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (VnfSpec(name="db", nodes=("node-01",)), "has 1 nodes"),
        (VnfSpec(name="db", nodes=("node-01", "node-02", "node-03")), "has 3 nodes"),
        (VnfSpec(name="db", nodes=("node-01",), form=Form.BALANCER), "has 1 nodes"),
        (VnfSpec(name="db", nodes=("a", "b"), form=Form.VIP_PORT, vnfm=VnfmSpec()), "moves no vip-port"),
        (VnfSpec(name="there", nodes=("a", "b")), "there is a VNF there already"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(tmp_path: Path, spec: VnfSpec, why: str) -> None:
    world = VnfLab(Lab(LabSettings(home=tmp_path)))
    world.vnfs["there"] = make(tmp_path)
    with pytest.raises(LabError, match=why):
        world.start(spec)
