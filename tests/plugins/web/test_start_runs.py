"""Runs are started in a real database of Airflow's, from DAGs that were read from their files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.airflow_home import write_inventory
from tests.plugins.web.conftest import DAGS, FAST, GENERAL

pytestmark = pytest.mark.airflow
ROOT = Path(__file__).resolve().parents[3]
RUN = "maintenance__7d8fbd7e-2d7e-4f2a-9d0a-3d0c8c1f0001"
CONF = {"bundle": "nova-34", "hosts": []}


@pytest.fixture(scope="module")
def database(airflow_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Airflow's database with the DAGs of a cloud of two domains."""
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    initdb()
    folder = tmp_path_factory.mktemp("inventory")
    write_inventory(folder, "lab", {GENERAL: 3, FAST: 2})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESCALATOR_INVENTORY_DIR", str(folder))
        patch.setenv("ESCALATOR_BUNDLE_DIR", str(ROOT / "include" / "bundles"))
        bag = DagBag(
            dag_folder=ROOT / "dags" / "upgrade.py", known_pools={"default_pool", "escalator_admission"}
        )
        assert set(bag.dags) == set(DAGS)
        with create_session() as session:
            if session.get(DagBundleModel, "dags-folder") is None:
                session.add(DagBundleModel(name="dags-folder"))
        sync_bag_to_db(bag, "dags-folder", None)
        yield airflow_home


def forget_runs() -> None:
    """Leave the DAGs as they were read; other modules of this process use the same database."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete, update

    with create_session() as session:
        session.execute(delete(DagRun).where(DagRun.dag_id.in_(DAGS)))
        session.execute(
            update(DagModel)
            .where(DagModel.dag_id.in_(DAGS))
            .values(is_paused=False, is_stale=False, has_import_errors=False)
        )


@pytest.fixture
def starter(database: Path) -> Iterator[Any]:
    from escalator_airflow.web.start_runs import AirflowStarter

    assert database.is_dir()
    forget_runs()
    yield AirflowStarter()
    forget_runs()


def wanted(dag_id: str, **changes: Any) -> Any:
    from escalator_airflow.web.means import WantedRun

    return WantedRun(dag_id=dag_id, where="d", conf=CONF | changes)


def both(**changes: Any) -> list[Any]:
    """Want a run of each DAG; of the second one something else."""
    return [wanted(DAGS[0]), wanted(DAGS[1], **changes)]


def found_runs() -> list[Any]:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        runs = session.scalars(select(DagRun).where(DagRun.dag_id.in_(DAGS)).order_by(DagRun.dag_id)).all()
        session.expunge_all()
        return list(runs)


def set_model(dag_id: str, **values: Any) -> None:
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(update(DagModel).where(DagModel.dag_id == dag_id).values(**values))


def test_all_runs_are_queued_as_by_a_trigger(starter: Any) -> None:
    starter.check(both())
    assert found_runs() == []
    starter.start(both(hosts=["fast-001"]), RUN, "somebody of lab")
    first, second = found_runs()
    assert [(run.dag_id, run.run_id, run.state) for run in (first, second)] == [
        (dag_id, RUN, "queued") for dag_id in DAGS
    ]
    assert (first.conf, second.conf) == (CONF, CONF | {"hosts": ["fast-001"]})
    assert (first.run_type, first.triggered_by.value) == ("manual", "rest_api")
    assert first.triggering_user_name == "somebody of lab"
    assert first.logical_date is None
    assert starter.count_going([(dag_id, RUN) for dag_id in DAGS]) == 2
    assert starter.count_going([(DAGS[0], "another")]) == starter.count_going([]) == 0


@pytest.mark.parametrize(
    "bad", [{"max_parallel": 5}, {"bundle": "unknown"}, {"mode": "fast"}, {"spill": 2}], ids=json.dumps
)
@pytest.mark.parametrize("verb", ["check", "start"])
def test_when_a_later_one_is_refused_none_is_started(starter: Any, bad: dict[str, Any], verb: str) -> None:
    from escalator_airflow.web.answers import RefusedError

    with pytest.raises(RefusedError, match=DAGS[1]) as caught:
        starter.check(both(**bad)) if verb == "check" else starter.start(both(**bad), RUN, "x")
    assert caught.value.status == 422
    assert found_runs() == []


@pytest.mark.parametrize(
    ("values", "status"),
    [({"is_paused": True}, 409), ({"has_import_errors": True}, 409), ({"is_stale": True}, 503)],
    ids=str,
)
def test_a_dag_whose_run_would_not_begin_is_said(starter: Any, values: dict[str, Any], status: int) -> None:
    from escalator_airflow.web.answers import RefusedError

    set_model(DAGS[1], **values)
    for call in (lambda: starter.check(both()), lambda: starter.start(both(), RUN, "x")):
        with pytest.raises(RefusedError, match=DAGS[1]) as caught:
            call()
        assert (caught.value.status, bool(caught.value.remedy)) == (status, True)
    assert found_runs() == []


def test_a_run_that_is_there_is_not_made_again_nor_others_with_it(starter: Any) -> None:
    starter.start([wanted(DAGS[1])], RUN, "x")
    with pytest.raises(Exception, match="UNIQUE"):
        starter.start(both(), RUN, "x")
    assert [run.dag_id for run in found_runs()] == [DAGS[1]]
