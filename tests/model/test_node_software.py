from escalator.model.node_software import sort_components


def test_components_go_from_the_system_up_to_the_agents() -> None:
    names = ["neutron-l3-agent", "ovn", "qemu", "os", "fpga", "kernel"]
    assert sort_components(names) == ("os", "kernel", "qemu", "ovn", "fpga", "neutron-l3-agent")
