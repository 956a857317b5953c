import pytest
from tests.builders import make_cloud, make_node

from escalator.upgrade_manager.state.domains import are_neighbours, domain_of, find_neighbours


@pytest.mark.parametrize(
    ("cell", "zone", "aggregates", "name"),
    [
        ("cell1", "az1", ["general"], "cell1/az1/general"),
        ("cell1", "az1", ["ssd", "general", "ssd"], "cell1/az1/general+ssd"),
        ("cell1", "az1", [], "cell1/az1/none"),
        ("cell1", "az1", ["az1"], "cell1/az1/none"),
        ("cell2", "nova", ["nova", "gpu"], "cell2/nova/gpu"),
    ],
)
def test_domain_names(cell: str, zone: str, aggregates: list[str], name: str) -> None:
    assert domain_of(cell, zone, aggregates) == name


def test_neighbours_share_domain_or_aggregate_in_the_same_cell_and_zone() -> None:
    snapshot = make_cloud(
        [
            make_node("z-same"),
            make_node("me"),
            make_node("shared", domain="cell1/az1/general+ssd", aggregates=("general", "ssd")),
            make_node("apart", domain="cell1/az1/ssd", aggregates=("ssd",)),
            make_node("other-zone", zone="az2"),
            make_node("other-cell", cell="cell2"),
        ]
    )
    assert [n.host for n in find_neighbours(snapshot, "me")] == ["shared", "z-same"]


def test_an_aggregate_named_like_the_zone_makes_no_neighbours() -> None:
    one = make_node("one", domain="d1", aggregates=("az1", "a"))
    other = make_node("other", domain="d2", aggregates=("az1", "b"))
    assert not are_neighbours(one, other)
    assert find_neighbours(make_cloud([one, other]), "one") == ()


def test_an_unknown_host_has_no_neighbours() -> None:
    assert find_neighbours(make_cloud([make_node("a"), make_node("b")]), "c") == ()
