from __future__ import annotations

import ast
import json
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.dags.conftest import ROOT, Parse
from tests.plugins.airflow_home import NOW, write_inventory

from escalator.model.campaign import Step

pytestmark = pytest.mark.airflow
HOSTS = [f"general-{n:03d}" for n in range(1, 5)]
AROUND = {
    "check_conditions",
    "announce",
    "disable_scale_up",
    "prepare",
    "prepare_others",
    "probe_services",
    "restore_scale_up",
    "conclude",
}
MOST_LINES = 120
FILES = sorted((ROOT / "dags").glob("*.py"))


def tasks(dag: Any) -> dict[str, Any]:
    return {task.task_id: task for task in dag.tasks}


def test_nothing_fails_to_import_and_there_is_one_dag_a_domain(parse: Parse, dags: dict[str, Any]) -> None:
    (name,) = parse().import_errors  # there is a broken inventory
    assert Path(name).name == "inventories.py"
    assert set(dags) == {
        "inventory",
        "check__big",
        "check__lab",
        "reconcile__big",
        "reconcile__lab",
        *(
            f"{verb}__{domain}"
            for verb in ("upgrade", "rollback", "restore")
            for domain in (
                "lab__cell1-az1-general",
                "lab__cell1-az2-fast-ssd",
                *(f"big__cell1-az1-large__part{n}" for n in (1, 2, 3)),
            )
        ),
    }


def test_the_way_back_has_the_same_life_and_a_form_of_its_own(dags: dict[str, Any], dag: Any) -> None:
    back = dags["rollback__lab__cell1-az1-general"]
    assert set(tasks(back)) == set(tasks(dag))
    assert type(back.get_task("check_conditions")).__name__ == "CheckRollbackOperator"
    form, upgrade = (each.params.dump() for each in (back, dag))
    assert form.keys() - upgrade.keys() == {"run_id"}
    assert upgrade.keys() - form.keys() == {"bundle", "on_failed_node", "ask_before_one_way"}
    assert (form["run_id"], form["hosts"]) == (None, [])


def test_a_restore_has_the_same_life_and_asks_for_one_node_and_its_backup(
    dags: dict[str, Any], dag: Any
) -> None:
    restore = dags["restore__lab__cell1-az1-general"]
    assert set(tasks(restore)) == set(tasks(dag))
    assert type(restore.get_task("check_conditions")).__name__ == "CheckRestoreOperator"
    form = restore.params.dump()
    assert (form["backup"], form["approved"], form["hosts"]) == (None, False, [])


def test_components_that_would_not_agree_get_no_dag_and_are_told_why(
    parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCALATOR_SHARED", "Airflow's database is postgresql")
    for name in ("ESCALATOR_HOME", "ESCALATOR_LEDGER_URL", "ESCALATOR_INVENTORY_DIR"):
        monkeypatch.delenv(name, raising=False)
    bag = parse()
    assert bag.dags == {}
    for file in ("inventory.py", "upgrade.py", "check.py", "reconcile.py"):
        (error,) = [text for path, text in bag.import_errors.items() if path.endswith(file)]
        assert "ESCALATOR_LEDGER_URL and ESCALATOR_INVENTORY_DIR are not set" in error


def test_the_inventory_form_names_no_cloud_by_itself(dags: dict[str, Any]) -> None:
    cloud = dags["inventory"].params.get_param("cloud")
    assert cloud.resolve(None, suppress_exception=True) is None
    with pytest.raises(Exception, match="None is not of type 'string'"):
        cloud.resolve(None)


def test_a_broken_inventory_is_left_out_and_named(
    dags: dict[str, Any],
    inventories: Path,
    monkeypatch: pytest.MonkeyPatch,
    told: pytest.LogCaptureFixture,
) -> None:
    assert dags
    from escalator_airflow.generate import list_inventories as read

    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(inventories))
    assert [inventory.cloud for inventory in read().good] == ["big", "lab"]
    assert "broken.json" in told.text


def test_a_domain_of_250_nodes_is_cut_into_three_that_share_nothing(dags: dict[str, Any]) -> None:
    parts = [dags[f"upgrade__big__cell1-az1-large__part{n}"] for n in (1, 2, 3)]
    groups = [set(part.task_group.get_task_group_dict()) - {None} for part in parts]
    assert [len(group) for group in groups] == [84, 84, 82]
    assert len(set.union(*groups)) == 250
    assert {task.domain for part in parts for task in part.tasks if task.task_id == "check_conditions"} == {
        "cell1/az1/large"
    }


def test_a_node_stays_in_the_dag_that_the_inventory_names(
    parse: Parse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_inventory(tmp_path, "grown", {"d": 3})
    document = json.loads(path.read_text())
    document["nodes"][1]["part"] = 2
    path.write_text(json.dumps(document))
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(tmp_path))
    bag = parse(ROOT / "dags" / "upgrade.py")
    hosts = {
        name: {task.host for task in dag.tasks if hasattr(task, "host")} for name, dag in bag.dags.items()
    }
    assert hosts == {"upgrade__grown__d": {"d-001", "d-003"}, "upgrade__grown__d__part2": {"d-002"}}


def test_each_node_is_a_group_of_its_steps_in_order(dag: Any) -> None:
    assert set(tasks(dag)) == AROUND | {f"{host}.{step}" for host in HOSTS for step in Step}
    for host in HOSTS:
        chain = [tasks(dag)[f"{host}.{step}"] for step in Step]
        for before, after in pairwise(chain):
            assert after.task_id in before.downstream_task_ids


def test_the_operators_know_their_node_and_step(dag: Any) -> None:
    for host in HOSTS:
        for step in Step:
            task = tasks(dag)[f"{host}.{step}"]
            assert task.host == host
            assert getattr(task, "step", "admit") == step


def test_admit_is_the_setup_of_release_and_stands_before_every_step(dag: Any) -> None:
    for host in HOSTS:
        admit, release = tasks(dag)[f"{host}.admit"], tasks(dag)[f"{host}.release"]
        assert admit.is_setup
        assert release.is_teardown
        assert admit.task_id in release.upstream_task_ids
        for step in list(Step)[1:]:
            assert admit.task_id in tasks(dag)[f"{host}.{step}"].upstream_task_ids, step
            assert not tasks(dag)[f"{host}.{step}"].is_setup


def test_no_node_waits_for_another(dag: Any) -> None:
    for host in HOSTS:
        for step in Step:
            near = tasks(dag)[f"{host}.{step}"]
            others = {t.split(".")[0] for t in near.upstream_task_ids | near.downstream_task_ids}
            assert others <= AROUND | {host}


def test_what_is_around_the_nodes(dag: Any) -> None:
    check, prepare, conclude = (tasks(dag)[name] for name in ("check_conditions", "prepare", "conclude"))
    assert check.upstream_task_ids == set()
    announce, disable, restore = (
        tasks(dag)[name] for name in ("announce", "disable_scale_up", "restore_scale_up")
    )
    assert check.downstream_task_ids == {"announce"}
    assert announce.downstream_task_ids == {"disable_scale_up"}
    assert disable.downstream_task_ids == {"prepare"}
    admits = {f"{host}.admit" for host in HOSTS}
    assert prepare.downstream_task_ids == admits | {"restore_scale_up", "probe_services", "prepare_others"}
    assert restore.upstream_task_ids == {f"{host}.release" for host in HOSTS} | {"prepare"}
    assert restore.is_teardown  # what was frozen is restored in every outcome
    assert not any(task.is_setup for task in restore.upstream_list)
    assert conclude.upstream_task_ids == {"restore_scale_up", "probe_services", "prepare_others"}
    assert conclude.is_teardown  # runs in a run that a person ends, too
    assert conclude.on_failure_fail_dagrun
    assert not any(task.is_setup for task in conclude.upstream_list)  # so it runs whatever came before
    assert conclude.downstream_task_ids == set()


def test_every_task_ends_some_time_and_may_try_again(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        for task in dag.tasks:
            assert task.execution_timeout is not None, task
            assert timedelta(minutes=5) <= task.execution_timeout <= timedelta(days=14), task
            if dag.dag_id != "inventory":
                assert task.retries >= 2, task
                assert task.retry_delay <= timedelta(seconds=30), task


def test_what_is_nearer_to_giving_a_node_back_goes_first(dag: Any) -> None:
    weights = [tasks(dag)[f"{HOSTS[0]}.{step}"].priority_weight for step in Step]
    assert weights == sorted(set(weights))
    assert {task.weight_rule for task in dag.tasks} == {"absolute"}


def test_only_admit_is_in_the_pool_of_one(dag: Any) -> None:
    for name, task in tasks(dag).items():
        expected = "escalator_admission" if name.endswith(".admit") else "default_pool"
        assert task.pool == expected, name
        in_triggerer = name.endswith(".admit") or name == "probe_services"
        assert bool(getattr(task, "start_from_trigger", False)) is in_triggerer, name


def test_a_run_of_another_shape_does_not_stop_a_campaign(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert not dag.fail_fast
        assert (dag.schedule is None) is not dag.dag_id.startswith("reconcile__")
        assert not dag.catchup
        assert "escalator" in dag.tags
        assert dag.is_paused_upon_creation is False


def test_the_form_offers_the_hosts_and_the_bundles(dag: Any) -> None:
    hosts, bundle = dag.params.get_param("hosts"), dag.params.get_param("bundle")
    assert hosts.schema["examples"] == HOSTS
    assert "nova-34" in bundle.schema["enum"]
    assert bundle.schema["values_display"]["nova-34"] == "nova-34: nova-compute 34.0.0 by venv"


@pytest.mark.parametrize("conf", [{}, {"bundle": "nova-34"}])
def test_the_triggerer_reads_the_fields_of_a_run(dag: Any, conf: dict[str, str]) -> None:
    """It reads them from the DAG as it is stored; what it cannot read ends it, for all DAGs."""
    from airflow.sdk.definitions.param import process_params
    from airflow.serialization.serialized_objects import DagSerialization

    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    admit = next(task for task in stored.tasks if task.task_id.endswith(".admit"))
    read = process_params(stored, admit, conf, suppress_exception=False)
    assert read["bundle"] == conf.get("bundle")


def test_a_run_without_a_bundle_is_refused_as_the_rest_api_does_it(dag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    served = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    for conf in ({}, {"hosts": ["general-001"]}, {"bundle": None}):
        with pytest.raises(ValueError, match="bundle"):  # which becomes HTTP 400
            served.params.deep_merge(conf).validate()
    assert served.params.deep_merge({"bundle": "nova-34"}).validate()["bundle"] == "nova-34"


def test_no_task_has_a_copy_of_the_form(dags: dict[str, Any]) -> None:
    """The triggerer reads the whole DAG, in its event loop, for each node that waits at the door."""
    from airflow.serialization.serialized_objects import DagSerialization

    dag = dags["upgrade__big__cell1-az1-large__part2"]
    stored = DagSerialization.to_dict(dag)["dag"]["tasks"]
    assert len(stored) == len(dag.tasks) > 500
    assert sum(len(json.dumps(task)) for task in stored) / len(stored) < 1000


def test_a_task_of_one_dag_builds_that_one_only(parse: Parse, monkeypatch: pytest.MonkeyPatch) -> None:
    from escalator_airflow import generate

    built: list[str] = []
    build = generate.build_campaign_dag

    def count(*args: Any, **kwargs: Any) -> Any:
        made = build(*args, **kwargs)
        built.append(made.dag_id)
        return made

    monkeypatch.setattr(generate, "build_campaign_dag", count)
    wanted = "upgrade__big__cell1-az1-large__part2"
    bag = parse(ROOT / "dags" / "upgrade.py", wanted)
    assert built == [wanted]
    assert set(bag.dags) == {wanted}


def test_dag_ids_are_such_that_airflow_takes_them(dags: dict[str, Any]) -> None:
    for dag_id in dags:
        assert len(dag_id) <= 250
        assert dag_id.isascii()
        assert not set(dag_id) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


def test_hosts_with_domain_names_keep_their_own_groups(
    parse: Parse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_inventory(tmp_path, "named", {"d": 2})
    path.write_text(
        path.read_text().replace("d-001", "cmp-1.dc1.example").replace("d-002", "cmp-1.dc2.example")
    )
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(tmp_path))
    bag = parse(ROOT / "dags" / "upgrade.py")
    assert bag.import_errors == {}
    (dag,) = bag.dags.values()
    hosts = {task.host for task in dag.tasks if hasattr(task, "step")}
    assert hosts == {"cmp-1.dc1.example", "cmp-1.dc2.example"}
    groups = dag.task_group.get_task_group_dict()
    assert {g.group_display_name for name, g in groups.items() if name} == hosts
    assert "cmp-1_dc1_example.admit" in tasks(dag)


def test_no_two_hosts_share_a_group(airflow_home: Path) -> None:
    assert airflow_home
    from escalator_airflow.graph import make_group_id

    around = ["prepare", "check.conditions", "conclude"]
    long = [f"{'x' * 240}.dc{number}.example" for number in (1, 2)]
    hosts = ["node-01", "a.b", "a_b", "a-b", "a+b", "a b", "ä-b", "узел-1", "узел-2", *around, *long]
    groups = [make_group_id(host) for host in hosts]
    assert len(set(groups)) == len(hosts)
    assert groups[0] == "node-01"
    assert all(set(group) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-") for group in groups)
    assert all(len(group) <= 200 for group in groups)
    assert not AROUND & set(groups)


def test_without_any_inventory_there_is_the_dag_that_makes_one(
    parse: Parse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(tmp_path / "not there"))
    bag = parse()
    assert (set(bag.dags), bag.import_errors) == ({"inventory"}, {})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_dag_files_declare_and_do_nothing_else(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    assert "airflow" in text.lower()
    assert "dag" in text.lower()
    imported = {
        node.module or ""
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
    }
    declared = imported - {"escalator.model.procedure"}  # what a DAG is of: data
    assert all(name.startswith(("escalator_airflow", "airflow.sdk")) for name in declared), imported


def test_a_check_is_one_task_that_knows_every_node_of_its_cloud(dags: dict[str, Any]) -> None:
    dag = dags["check__lab"]
    (task,) = dag.tasks
    assert (task.task_id, task.cloud, len(task.hosts)) == ("check_conditions", "lab", 6)
    assert dag.params.get_param("hosts").schema["examples"] == list(task.hosts)


def test_a_check_builds_no_other_dag(parse: Parse) -> None:
    assert set(parse(ROOT / "dags" / "check.py", "check__big").dags) == {"check__big"}


def test_what_is_out_is_compared_once_a_day_and_not_at_once(dags: dict[str, Any]) -> None:
    dag = dags["reconcile__lab"]
    (task,) = dag.tasks
    assert (task.task_id, task.cloud) == ("reconcile", "lab")
    assert dag.schedule == "@daily"
    assert dag.start_date == datetime.fromisoformat(NOW)


def test_a_reconciliation_builds_no_other_dag(parse: Parse) -> None:
    assert set(parse(ROOT / "dags" / "reconcile.py", "reconcile__big").dags) == {"reconcile__big"}
