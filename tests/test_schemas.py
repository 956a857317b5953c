from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from escalator.inventory.inventory_file import inventory_to_document
from escalator.schemas import FOLDER, make_schema_texts, write_schemas
from tests.documents import test_bundles, test_requests, test_windows
from tests.inventory.test_inventory_file import INVENTORY
from tests.vim_interface.registry import test_vnfms
from tests.vim_interface.registry.test_vnf_files import PAIR

BUNDLES = FOLDER.parent / "bundles"
GOOD: dict[str, Any] = {
    "bundle": test_bundles.FULL,
    "windows": test_windows.FULL,
    "vnf": PAIR,
    "vnfms": test_vnfms.FULL,
    "inventory": inventory_to_document(INVENTORY),
    "request": test_requests.FULL,
}


def schema_of(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / f"{name}.schema.json").read_text())
    return read


def test_shipped_schemas_are_what_the_models_say() -> None:
    shipped = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert shipped == make_schema_texts(), "run `make schemas`"


def test_second_run_writes_the_same(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    write_schemas(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == make_schema_texts()


@pytest.mark.parametrize("name", GOOD)
def test_schema_is_one_and_takes_a_good_document(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of(name))
    jsonschema.validate(GOOD[name], schema_of(name))


@pytest.mark.parametrize("name", GOOD)
def test_schema_refuses_an_unknown_key(name: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**GOOD[name], "colour": "red"}, schema_of(name))


@pytest.mark.parametrize(
    "change",
    [
        {"mechanism": {"type": "helm"}},
        {"mechanism": {"type": "dnf", "packages": [{"name": "nova=1"}]}},
        {"mechanism": {"type": "apt", "packages": []}},
        {"mechanism": {"type": "apt", "packages": [{"name": "nova=1"}]}},
        {"mechanism": {"type": "venv", "venv": "opt"}},
        {"components": []},
        {"components": [{"name": "nova-compute", "to": 34.0}]},
        {"impact": "big"},
        {"expected": {"upgrade_seconds": 0}},
        {"artefacts": [{"sha256": "0" * 64}]},
    ],
)
def test_schema_of_bundles_refuses_what_the_reader_refuses(change: dict[str, Any]) -> None:
    test_bundles.refusal(change)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**test_bundles.FULL, **change}, schema_of("bundle"))


@pytest.mark.parametrize("path", sorted(BUNDLES.glob("*.yaml")), ids=lambda path: path.name)
def test_bundles_that_come_along_name_their_schema_and_fit_it(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    assert (path.parent / first.partition("$schema=")[2]).resolve() == FOLDER / "bundle.schema.json"
    jsonschema.validate(yaml.safe_load(path.read_text()), schema_of("bundle"))
