"""Inventory files: whatever is wrong with one is one import error, and hides nobody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.dags.conftest import Parse
from tests.plugins.airflow_home import DOMAIN, write_inventory

pytestmark = pytest.mark.airflow
CAMPAIGNS = {f"{verb}__lab__cell1-az1-general" for verb in ("upgrade", "rollback", "restore")}
GOOD = {"inventory", "check__lab", "reconcile__lab", *CAMPAIGNS}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(tmp_path))
    write_inventory(tmp_path, "lab", {DOMAIN: 2})
    return tmp_path


def change(folder: Path, **values: Any) -> bytes:
    """Return the good inventory of another cloud with other values."""
    document = json.loads(write_inventory(folder, "other", {DOMAIN: 2}).read_text())
    return json.dumps({**document, **values}).encode()


def node(**values: Any) -> list[dict[str, Any]]:
    return [{"host": "n", "domain": "d", "address": "a", **values}]


FAULTS: dict[str, tuple[Any, str]] = {
    "no JSON": (b"{", "is not JSON"),
    "binary": (bytes(range(256)), "is not JSON"),
    "deep": (b"[" * 100_000, "is not JSON"),
    "huge number": (b'{"schema": 1' + b"0" * 5000 + b"}", "is not JSON"),
    "empty": (b"", "is not JSON"),
    "a list": (b"[]", "must be a mapping"),
    "null": (b"null", "must be a mapping"),
    "of the year 9999": ({"taken_at": "9999-12-31T23:59:59-14:00"}, "taken_at: must be "),
    "of the year 1": ({"taken_at": "0001-01-01T00:00:00+14:00"}, "taken_at: must be "),
    "without a zone": ({"taken_at": "2026-11-22T08:00:00"}, "taken_at: must be "),
    "half a character": ({"cloud": "\ud800"}, "is no text"),
    "another cloud": ({"cloud": "elsewhere"}, "is of cloud 'elsewhere'"),
    "a host twice": ({"nodes": node() + node()}, "more than once: n"),
    "a host of no name": ({"nodes": node(host="")}, "nodes[0].host: must not be empty"),
    "a part too large": ({"nodes": node(part=10**30)}, "nodes[0].part: must be at most"),
    "nodes of another form": ({"nodes": {"n": 1}}, "nodes: must be a list"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_file_with_a_fault_is_one_import_error_and_hides_nobody(
    folder: Path, parse: Parse, kind: str
) -> None:
    content, reason = FAULTS[kind]
    written = content if isinstance(content, bytes) else change(folder, **content)
    (folder / "other.json").write_bytes(written)
    bag = parse()
    assert set(bag.dags) == GOOD
    ((name, said),) = bag.import_errors.items()
    assert Path(name).name == "inventories.py"
    assert "other.json" in said
    assert reason in said.encode().decode("unicode_escape") or reason in said


def test_a_file_whose_name_is_no_text_is_named_and_hides_nobody(
    folder: Path, parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "bundles").mkdir()
    monkeypatch.setenv("ESCALATOR_BUNDLE_DIR", str(folder / "bundles"))
    for path in (folder / "bad\udcff.json", folder / "bundles" / "bad\udcff.yaml"):
        path.write_text("{")
    bag = parse()
    assert set(bag.dags) == GOOD
    ((_, said),) = bag.import_errors.items()
    assert "bad\\udcff.json" in said
    assert said.encode()
    assert json.dumps(bag.dags["check__lab"].params.dump(), ensure_ascii=False).encode()


def test_settings_with_a_fault_are_an_import_error_too(folder: Path, parse: Parse) -> None:
    (folder / "lab.settings.yaml").write_text("schema: escalator.inventory-settings/1\ncels: {}\n")
    (folder / "other.settings.yaml").write_bytes(bytes(range(256)))
    bag = parse()
    assert set(bag.dags) == GOOD
    ((_, said),) = bag.import_errors.items()
    assert "cels: is not known, did you mean cells? (line 2)" in said
    assert "other.settings.yaml cannot be read" in said


def test_two_names_that_would_have_one_dag_are_named_and_hide_nobody(folder: Path, parse: Parse) -> None:
    write_inventory(folder, "other", {"cell1/az1-x/y": 2, "cell1/az1/x-y": 2, "cell1/az1/z": 2})
    bag = parse()
    assert set(bag.dags) == GOOD | {
        "check__other",
        "reconcile__other",
        "upgrade__other__cell1-az1-z",
        "rollback__other__cell1-az1-z",
        "restore__other__cell1-az1-z",
    }
    ((_, said),) = bag.import_errors.items()
    assert "domain 'cell1/az1-x/y' of cloud 'other' and domain 'cell1/az1/x-y' of cloud 'other'" in said


def test_names_of_any_script_and_length_have_dags_of_their_own(folder: Path, parse: Parse) -> None:
    long = [f"cell1/az1/{'long' * 80}{end}" for end in "ab"]
    write_inventory(folder, "other", dict.fromkeys(["セル/東京/赤", "セル/大阪/青", *long], 2))
    bag = parse()
    assert bag.import_errors == {}
    campaigns = [dag for name, dag in bag.dags.items() if name.startswith("upgrade__other__")]
    assert len(campaigns) == 4
    assert {"upgrade other セル/東京/赤", "upgrade other セル/大阪/青"} < {
        dag.dag_display_name for dag in campaigns
    }


def test_a_dag_that_cannot_be_built_hides_no_other(
    folder: Path, parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    from escalator_airflow import generate

    build = generate.build_campaign_dag

    def fail(procedure: Any, inventory: Any, *args: Any, **kwargs: Any) -> Any:
        if inventory.cloud == "other":
            raise ValueError("nobody has thought of this")
        return build(procedure, inventory, *args, **kwargs)

    monkeypatch.setattr(generate, "build_campaign_dag", fail)
    write_inventory(folder, "other", {DOMAIN: 2})
    bag = parse()
    assert set(bag.dags) == GOOD | {"check__other", "reconcile__other"}
    ((name, said),) = bag.import_errors.items()
    assert Path(name).name == "campaigns.py"
    assert "DAG upgrade__other__cell1-az1-general cannot be built: ValueError: nobody has thought" in said


def test_hosts_that_would_share_a_group_of_tasks_are_named(
    folder: Path, parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    from escalator_airflow import generate, graph

    assert folder
    for module in (generate, graph):
        monkeypatch.setattr(module, "make_group_id", lambda _host: "one")
    bag = parse()
    assert set(bag.dags) == GOOD - CAMPAIGNS
    ((_, said),) = bag.import_errors.items()
    assert "general-001, general-002 would have one group of tasks" in said
