from __future__ import annotations

from pathlib import Path

import pytest

from escalator.lab import pins
from escalator.lab.errors import LabError
from escalator.lab.settings import Hypervisor, LabSettings, NovaForm, Ports, find_home


def test_ports_of_all_instances_are_distinct_and_away_from_usual_services() -> None:
    ports = [port for instance in range(10) for port in Ports.of_instance(instance).as_dict().values()]
    assert len(set(ports)) == len(ports) == 90
    assert min(ports) == 21000
    assert not {5000, 5432, 5672, 8774, 8778, 9292, 9696, 4369, 25672} & set(ports)


def test_addresses_tell_instance_and_node() -> None:
    settings = LabSettings(home=Path("/x"), instance=3, nodes=12)
    assert settings.hosts[0] == "node-01"
    assert settings.hosts[-1] == "node-12"
    assert settings.address("node-12") == "127.0.13.12"
    assert settings.run == Path("/x/run-3")


def test_the_control_plane_answers_on_the_bridge_where_nodes_with_real_guests_are() -> None:
    assert LabSettings(home=Path("/x"), instance=3).listen_addresses == ("127.0.0.1",)
    settings = LabSettings(home=Path("/x"), instance=3, nova=NovaForm.PACKAGE, hypervisor=Hypervisor.QEMU)
    assert settings.listen_addresses == ("127.0.0.1", "10.213.3.1")


@pytest.mark.parametrize(
    ("environment", "home"),
    [
        ({"ESCALATOR_LAB_HOME": "/a/lab", "XDG_CACHE_HOME": "/b"}, "/a/lab"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/escalator-lab"),
        ({"XDG_CACHE_HOME": ""}, str(Path.home() / ".cache" / "escalator-lab")),
    ],
)
def test_the_home_is_chosen_by_the_environment(environment: dict[str, str], home: str) -> None:
    assert find_home(environment) == Path(home)


def test_the_environment_chooses_instance_and_ssh_port() -> None:
    environment = {
        "ESCALATOR_LAB_HOME": "/h",
        "ESCALATOR_LAB_INSTANCE": "7",
        "ESCALATOR_LAB_SSH_PORT": "2222",
    }
    settings = LabSettings.from_environment(environment, nodes=2)
    assert (settings.instance, settings.ssh_port, settings.nodes) == (7, 2222, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"instance": 10},
        {"instance": -1},
        {"nodes": 0},
        {"nodes": 100},
        {"servers": -1},
        {"nodes": 2, "zones": 3},
        {"hypervisor": Hypervisor.QEMU},
    ],
)
def test_what_is_out_of_range_is_refused_with_a_remedy(wrong: dict[str, int | str]) -> None:
    with pytest.raises(LabError) as refused:
        LabSettings(home=Path("/x"), **wrong)  # type: ignore[arg-type]
    assert refused.value.remedy


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(LabError, match="ESCALATOR_LAB_INSTANCE='one' is not a number"):
        LabSettings.from_environment({"ESCALATOR_LAB_INSTANCE": "one"})


def test_another_interpreter_has_other_environments() -> None:
    one = LabSettings(home=Path("/x"), python=Path("/usr/bin/python3.11"))
    two = LabSettings(home=Path("/x"), python=Path("/usr/bin/python3.12"))
    assert one.control_venv != two.control_venv
    assert pins.control_plane_digest(one.python) in one.control_venv.name
