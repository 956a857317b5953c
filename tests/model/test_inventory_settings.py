from __future__ import annotations

import pytest

from escalator.model.errors import InvalidRequestError
from escalator.model.inventory_settings import (
    ALL_AGGREGATES,
    NOTHING_DECLARED,
    AggregateRules,
    InventorySettings,
)

NAMES = ("general", "gpu-a", "rack-01", "rack-02")


@pytest.mark.parametrize(
    ("rules", "chosen"),
    [
        (ALL_AGGREGATES, NAMES),
        (AggregateRules(ignore=("rack-*",)), ("general", "gpu-a")),
        (AggregateRules(count=("general", "gpu-*")), ("general", "gpu-a")),
        (AggregateRules(count=("*",), ignore=("g*",)), ("rack-01", "rack-02")),
        (AggregateRules(count=()), ()),
    ],
)
def test_aggregates_count_by_name_or_pattern(rules: AggregateRules, chosen: tuple[str, ...]) -> None:
    assert rules.choose(NAMES) == chosen


def test_hosts_are_in_the_cell_that_names_them() -> None:
    settings = InventorySettings(cells={"cell1": ("node-0*",), "cell2": ("gpu-01", "gpu-02")})
    hosts = ("node-01", "node-11", "gpu-02")
    assert settings.assign_cells(hosts) == {"node-01": "cell1", "gpu-02": "cell2"}
    assert NOTHING_DECLARED.assign_cells(hosts) == {}


def test_a_host_in_two_cells_is_refused() -> None:
    settings = InventorySettings(cells={"cell1": ("node-*",), "cell2": ("*-02",)})
    with pytest.raises(InvalidRequestError, match="node-02 is in several cells: cell1, cell2"):
        settings.assign_cells(("node-01", "node-02"))
