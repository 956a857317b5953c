from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.inventory.test_inventory_file import INVENTORY

from escalator.inventory.declared import declare, find_inventory, list_software
from escalator.inventory.inventory_file import write_inventory
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory_settings import ALL_AGGREGATES, AggregateRules


def test_a_verb_reads_the_cloud_as_its_inventory_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(tmp_path))
    assert declare(find_inventory("lab")) == {"cells": {}, "aggregates": ALL_AGGREGATES}
    assert declare(find_inventory("a name/of no file")) == {"cells": {}, "aggregates": ALL_AGGREGATES}
    rules = AggregateRules(ignore=("rack-*",))
    nodes = tuple(replace(node, cell="cell2") for node in INVENTORY.nodes)
    write_inventory(tmp_path / "lab.json", replace(INVENTORY, nodes=nodes, aggregates=rules))
    assert declare(find_inventory("lab")) == {
        "cells": {"node-01": "cell2", "node-02": "cell2"},
        "aggregates": rules,
    }


def test_an_inventory_that_cannot_be_read_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(tmp_path))
    (tmp_path / "lab.json").write_text("{")
    with pytest.raises(InvalidRequestError, match="is not JSON"):
        find_inventory("lab")


def test_what_the_nodes_ran_is_told_but_for_what_decides_whether_they_are_upgraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(tmp_path))
    one, other = INVENTORY.nodes
    one = replace(one, versions={"qemu": "1:7.2", "nova-compute": "3:33.0.2"})
    write_inventory(tmp_path / "lab.json", replace(INVENTORY, nodes=(one, other)))
    assert list_software(find_inventory("lab")) == {one.host: {"qemu": "1:7.2"}}
    assert list_software(None) == {}
