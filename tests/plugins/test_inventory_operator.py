from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders import NOW, leased, make_cloud, make_node, make_plan
from tests.plugins.airflow_home import DOMAIN
from tests.plugins.conftest import context

from escalator.inventory.inventory_file import read_inventory
from escalator.ledger.ledger import Ledger
from escalator.model.cloud import CloudSnapshot, Node
from escalator.model.inventory import Inventory
from escalator.model.inventory_settings import Controller
from escalator.model.run_life import RunLife

pytestmark = pytest.mark.airflow
HOSTS = ("general-001", "general-002", "general-003")
OTHER = "cell1/az1/renamed"
PARAMS = {"cloud": "lab", "cloud_conn_id": "the_cloud", "ssh_conn_id": "the_nodes"}


@pytest.fixture
def module(folders: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The operator, in a world without runs."""
    assert folders
    from escalator_airflow.operators import inventory

    monkeypatch.setattr(inventory, "Ledger", lambda: SimpleNamespace(open_runs=lambda _cloud: ()))
    return inventory


def refresh(module: Any, monkeypatch: pytest.MonkeyPatch, *nodes: Node) -> dict[str, Any]:
    """Refresh the inventory from a cloud of these nodes."""

    def snapshot(_name: str, **_: Any) -> CloudSnapshot:
        return make_cloud(nodes)

    cloud = SimpleNamespace(fetch_snapshot=snapshot, fetch_addresses=dict)
    monkeypatch.setattr(module, "OpenStackCloudHook", lambda _id: SimpleNamespace(get_conn=lambda: cloud))
    answer: dict[str, Any] = module.InventoryOperator(task_id="refresh").execute(context(params=PARAMS))
    return answer


def domains(folders: Path) -> dict[str, str]:
    return {n.host: n.domain for n in read_inventory(folders / "inventory" / "lab.json").nodes}


def renamed() -> tuple[Node, ...]:
    """The nodes after their aggregate was renamed."""
    return tuple(make_node(host, domain=OTHER) for host in HOSTS)


def test_a_domain_that_is_renamed_is_followed(
    module: Any, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = refresh(module, monkeypatch, *renamed())
    assert answer == {"schema_version": 1, "nodes": 3, "domains": [OTHER], "put_off": []}
    assert domains(folders) == dict.fromkeys(HOSTS, OTHER)


def test_a_node_that_is_out_keeps_its_dag_and_the_task_says_so(
    module: Any, folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, *others = renamed()
    answer = refresh(module, monkeypatch, leased(one, make_plan(one.host)), *others)
    assert domains(folders) == {**dict.fromkeys(HOSTS, OTHER), HOSTS[0]: DOMAIN}
    (words,) = answer["put_off"]
    assert words.startswith(
        f"general-001 stays in {DOMAIN}, it is in {OTHER} now: it is out under the lease upgrade__lab:"
    )
    assert f"put off: {words}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("life", "put_off"),
    [
        (RunLife.RUNNING, HOSTS[:2]),
        (RunLife.NOT_ASKED, HOSTS[:2]),
        (RunLife.FINISHED, ()),
        (RunLife.DELETED, ()),
    ],
)
def test_the_nodes_of_a_run_that_may_live_keep_their_dag(
    module: Any, folders: Path, monkeypatch: pytest.MonkeyPatch, life: RunLife, put_off: tuple[str, ...]
) -> None:
    ledger = Ledger()
    plan = replace(make_plan(*HOSTS[:2], domain=DOMAIN), run_id=f"run-{life}")
    ledger.run(plan.campaign, plan.run_id).open(
        plan, dag_id=plan.campaign, bundle_document={}, snapshot_before={}, now=NOW
    )
    runs = [run for run in ledger.open_runs("lab") if run.run_id == plan.run_id]
    monkeypatch.setattr(module, "Ledger", lambda: SimpleNamespace(open_runs=lambda _cloud: runs))
    asked: list[tuple[str, str]] = []

    def answer(_context: object, dag_id: str, run_id: str) -> RunLife:
        asked.append((dag_id, run_id))
        return life

    monkeypatch.setattr(module, "find_run_life", answer)
    refresh(module, monkeypatch, *renamed())
    assert domains(folders) == {**dict.fromkeys(HOSTS, OTHER), **dict.fromkeys(put_off, DOMAIN)}
    assert asked == [(plan.campaign, plan.run_id)]


def test_airflow_and_the_ledger_are_not_asked_when_every_node_stays(
    module: Any, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Ledger", lambda: pytest.fail("was asked"))
    refresh(module, monkeypatch, *(make_node(host, domain=DOMAIN) for host in HOSTS))
    assert domains(folders) == dict.fromkeys(HOSTS, DOMAIN)


def test_cells_are_asked_of_the_controller_that_is_declared(
    module: Any, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = "schema: escalator.inventory-settings/1\ncontroller: {address: ctl-01}\n"
    (folders / "inventory" / "lab.settings.yaml").write_text(settings)
    asked: list[str] = []

    def hook(inventory: Inventory) -> Any:
        assert inventory.ssh_conn_id == "the_nodes"
        return SimpleNamespace(get_conn=lambda: lambda host: nullcontext(asked.append(host)))

    monkeypatch.setattr(module, "NodeShellHook", hook)
    monkeypatch.setattr(module, "read_cells", lambda _shell, _controller: dict.fromkeys(HOSTS, "cell7"))
    refresh(module, monkeypatch, *(make_node(host, domain=DOMAIN, cell="cell7") for host in HOSTS))
    inventory = read_inventory(folders / "inventory" / "lab.json")
    assert inventory.cells() == dict.fromkeys(HOSTS, "cell7")
    assert inventory.controller == Controller(address="ctl-01")
    assert asked == ["ctl-01"]


def test_a_broken_inventory_is_refused_in_words(
    module: Any, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    (folders / "inventory" / "lab.json").write_text("{")
    with pytest.raises(AirflowFailException, match=r"lab\.json is not JSON"):
        refresh(module, monkeypatch, *renamed())


def test_what_the_nodes_run_is_read_where_it_is_asked_for(
    module: Any, folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PARAMS, "versions", True)
    nodes = [make_node(host, domain=DOMAIN) for host in HOSTS]
    refresh(module, monkeypatch, *nodes)
    assert "no node is asked what it runs: no connection the_nodes" in capsys.readouterr().out

    def tell(shell: str) -> dict[str, str]:
        return {} if shell == HOSTS[1] else {"qemu": "7.2.15"}

    monkeypatch.setattr("escalator.inventory.read_software.read_software", tell)
    hook = SimpleNamespace(get_conn=lambda: nullcontext)
    monkeypatch.setattr(module, "NodeShellHook", lambda _inventory: hook)
    refresh(module, monkeypatch, *nodes)
    found = {n.host: n.versions for n in read_inventory(folders / "inventory" / "lab.json").nodes}
    assert found == {HOSTS[0]: {"qemu": "7.2.15"}, HOSTS[1]: {}, HOSTS[2]: {"qemu": "7.2.15"}}
    assert f"what 1 node(s) run was not told: {HOSTS[1]}" in capsys.readouterr().out
