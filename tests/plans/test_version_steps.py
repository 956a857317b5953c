from __future__ import annotations

from tests.builders import make_cloud, make_node

from escalator.model.bundle import Component
from escalator.plans.version_steps import list_step_lines, list_steps

COMPONENTS = (Component(name="nova-compute", to="34.0.0"), Component(name="qemu", to="10.0.0"))


def test_each_component_goes_from_what_the_nodes_have_to_what_the_bundle_brings() -> None:
    cloud = make_cloud(
        [
            make_node("a", versions={"nova-compute": "33.0.2", "qemu": "1:7.2"}),
            make_node("b", versions={"nova-compute": "33.0.2", "hypervisor": "7.2.0"}),
            make_node("c"),
            make_node("other", versions={"nova-compute": "31.0.0"}),
        ]
    )
    steps = list_steps(cloud, ["c", "b", "a"], COMPONENTS)
    assert steps[0] == {
        "component": "nova-compute",
        "to": "34.0.0",
        "from": [{"version": "33.0.2", "hosts": ["a", "b"]}, {"version": None, "hosts": ["c"]}],
    }
    assert list(list_step_lines(steps)) == [
        "nova-compute: 33.0.2 (2), unknown (1) -> 34.0.0",
        "qemu: unknown (1), 1:7.2 (1), 7.2.0 (1) -> 10.0.0",
    ]
    assert next(list_step_lines(list_steps(cloud, [], COMPONENTS))) == "nova-compute: no node -> 34.0.0"
    assert list_steps(cloud, ["a"], ()) == []
